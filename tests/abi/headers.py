"""Every public header stands alone, may be included twice, and is clean C11 and C++17."""

import re
import shutil
import subprocess

import report
from surface import HEADERS, INCLUDE

STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-pedantic-errors", "-Wconversion", "-Wshadow", "-Werror"]
COMPILERS = [
    ("gcc_c11", ["gcc", "-xc", "-std=c11", "-Wstrict-prototypes"]),
    ("gcc_cpp17", ["g++", "-xc++", "-std=c++17"]),
    ("clang_c11", ["clang", "-xc", "-std=c11", "-Wstrict-prototypes"]),
    ("clang_cpp17", ["clang++", "-xc++", "-std=c++17"]),
]


def compiles(header, compiler):
    def case():
        if not shutil.which(compiler[0]):
            raise report.Skip(f"no {compiler[0]}")
        done = subprocess.run(
            [*compiler, *STRICT, f"-I{INCLUDE}", "-fsyntax-only", "-"],
            input=f'#include "{header}"\n#include "{header}"\nextern int coord_header_user;\n',
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr

    return case


def documented(header):
    """Every public function follows a doc comment; it, or the header for all, names the release it came with."""

    def case():
        text = (INCLUDE / header).read_text()
        for_all = re.search(r"@since \d+\.\d+ for all", text)
        faults = []
        for match in re.finditer(r"^COORD_API [^;]*?\b(coord_\w+)\(", text, re.M):
            before = text[: match.start()].rstrip()
            comment = before[before.rfind("/**"):]
            if "/**" not in comment or not comment.endswith("*/") or comment.count("*/") != 1:
                faults.append(f"{match.group(1)} has no doc comment")
            elif not for_all and not re.search(r"@since \d+\.\d+", comment):
                faults.append(f"{match.group(1)} has no @since")
        assert not faults, ", ".join(faults)

    return case


cases = []
for header in HEADERS:
    stem = header.removesuffix(".h").replace("/", "_")
    cases += [(f"{stem}_{name}", compiles(header, compiler)) for name, compiler in COMPILERS]
    cases.append((f"{stem}_documented", documented(header)))
report.run(cases)
