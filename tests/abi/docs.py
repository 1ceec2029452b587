"""docs.py gen_docs: the tables of core/spec and the documents made from them agree, and what all pages name is there."""

import re
import sys

import report
from surface import ROOT

generator = sys.argv[1]


def current(kind, path):
    def case():
        text = report.command(generator, kind)
        committed = ROOT / "docs" / path
        assert committed.exists(), f"docs/{path} is missing; ./dev docs writes it"
        assert committed.read_text() == text, f"docs/{path} is not what core/spec says; ./dev docs writes it"

    return case


def codes_of_the_header_are_those_of_the_table():
    header = dict(re.findall(r"^  COORD_([A-Z_]+) = (-?\d+)[,\s]",
                             re.search(r"COORD_OK = 0.*?};", (ROOT / "core/include/coord/error.h").read_text(), re.S)
                             .group(0).replace("COORD_OK", "  COORD_OK", 1), re.M))
    table = dict(re.findall(r"^COORD_ERROR\((\w+), (-?\d+),", (ROOT / "core/spec/errors.def").read_text(), re.M))
    assert header == table, f"differ: {sorted(set(header.items()) ^ set(table.items()))}"


PAGES = sorted({*ROOT.glob("README.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bindings/*/*.md"), *ROOT.glob("tests/*/*.md")})


def pages_name_what_there_is():
    """Functions, types, codes and variables, in text and in examples, whole."""
    there = set()
    for folder in ("core/include", "core/spec", "core/src", "tests", "bindings", "swig"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".h", ".c", ".i", ".def", ".py", ".txt", ".sh") or folder == "core/spec" and path.is_file():
                there.update(re.findall(r"\w+", path.read_text()))
    faults = []
    for page in PAGES:
        named = set(re.findall(r"\b(?:coord_\w*|COORD_\w*)[a-zA-Z0-9]\b", page.read_text()))
        faults += [f"{page.relative_to(ROOT)}: {name}" for name in sorted(named - there)]
    assert len(PAGES) > 8, "the pages are elsewhere"
    assert not faults, f"there is no {', '.join(faults)}"


def links_lead_somewhere():
    faults = []
    for page in PAGES:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text()):
            if not (page.parent / link).exists():
                faults.append(f"{page.relative_to(ROOT)}: {link}")
    assert not faults, f"links to nothing: {', '.join(faults)}"


report.run([
    ("errors_are_current", current("errors", "ERRORS.md")),
    ("configuration_is_current", current("configuration", "CONFIGURATION.md")),
    ("codes_of_the_header_are_those_of_the_table", codes_of_the_header_are_those_of_the_table),
    ("pages_name_what_there_is", pages_name_what_there_is),
    ("links_lead_somewhere", links_lead_somewhere),
])
