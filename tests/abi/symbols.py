"""symbols.py libcoord.so: the exports are those of core/spec/symbols, and those of the headers."""

import re
import sys

import report
from surface import declared, listed, preprocessed

library = sys.argv[1]
nodes, order = listed()


def difference(left, right):
    return ", ".join(sorted(set(left) - set(right)))


def exports():
    found = {}
    for line in report.command("nm", "-D", "--defined-only", library).splitlines():
        _, kind, name = line.split()
        if kind != "A":  # the release nodes themselves
            found[name] = kind
    return found


def same(left, right, left_name, right_name):
    assert not set(left) - set(right), f"in {left_name} but not in {right_name}: {difference(left, right)}"
    assert not set(right) - set(left), f"in {right_name} but not in {left_name}: {difference(right, left)}"


def list_is_sorted_and_unique():
    assert len(order) == len(set(order)), f"listed twice: {[n for n in order if order.count(n) > 1]}"
    for node in set(nodes.values()):
        below = [name for name in order if nodes[name] == node]
        assert below == sorted(below), f"the symbols below {node} are not sorted"


def library_exports_the_list():
    same([name.split("@")[0] for name in exports()], nodes, "the library", "core/spec/symbols")


def library_exports_functions_only():
    data = [name for name, kind in exports().items() if kind != "T"]
    assert not data, f"exported, but no function: {', '.join(data)}"


def symbols_carry_their_release():
    wrong = [name for name in exports() if name.split("@@")[1:] != [nodes.get(name.split("@")[0])]]
    assert not wrong, f"in another release node than in core/spec/symbols: {', '.join(wrong)}"


def headers_declare_the_list():
    names = declared(preprocessed())
    assert len(names) == len(set(names)), f"declared twice: {[n for n in names if names.count(n) > 1]}"
    same(names, nodes, "the headers", "core/spec/symbols")


def headers_mark_every_function():
    text = preprocessed(api="coord_exported")
    marked = re.findall(r"\bcoord_exported\b[^;(]*?\b(coord_[a-z0-9_]+)\s*\(", text)
    same(declared(text), marked, "the headers", "the functions marked COORD_API")


def soname_is_the_abi_version():
    text = report.command("readelf", "-d", library)
    assert "soname: [libcoord.so.0]" in text, "the SONAME is not libcoord.so.0"


report.run([(f.__name__, f) for f in (
    list_is_sorted_and_unique, library_exports_the_list, library_exports_functions_only, symbols_carry_their_release,
    headers_declare_the_list, headers_mark_every_function, soname_is_the_abi_version)])
