"""docs.py gen_docs: the tables of core/spec and the documents made from them agree."""

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


report.run([
    ("errors_are_current", current("errors", "ERRORS.md")),
    ("configuration_is_current", current("configuration", "CONFIGURATION.md")),
    ("codes_of_the_header_are_those_of_the_table", codes_of_the_header_are_those_of_the_table),
])
