"""Nothing is handed over while it is made: f(make(&err), err) reads err before or after, as the compiler likes.

gcc takes arguments from the last to the first: the callee gets NULL, and the error is leaked.
"""

import re

import report
from surface import ROOT

AT_ONCE = re.compile(r"\(&(\w+)\b[^;{}]*\),\s*\1\b\s*[,)]")


def at_once(folder):
    faults = []
    for path in sorted((ROOT / folder).rglob("*.c")):
        text = path.read_text()
        faults += ["%s:%d: %s is handed over in the call that makes it" % (
            path.relative_to(ROOT), text.count("\n", 0, match.start()) + 1, match[1])
            for match in AT_ONCE.finditer(text)]
    return faults


def core_makes_before_it_hands_over():
    faults = at_once("core/src")
    assert not faults, "\n".join(faults)


def bindings_make_before_they_hand_over():
    faults = at_once("bindings")
    assert not faults, "\n".join(faults)


def what_is_looked_for_is_found():
    assert AT_ONCE.search("fail(all, coord__fail(&err, CODE,\n  \"why\"), err);")
    assert not AT_ONCE.search("make(&err); fail(CODE, err);")


report.run([(f.__name__, f) for f in (
    core_makes_before_it_hands_over, bindings_make_before_they_hand_over, what_is_looked_for_is_found)])
