"""Where there are several interpreters, or no GIL: what the README says of them."""

import subprocess
import sys

import pytest

SHARING = """
import sys
try:
    import _interpreters as interpreters
    one = interpreters.create("legacy")
except ImportError:
    import _xxsubinterpreters as interpreters
    one = interpreters.create(isolated=False)
story = '''
import coord
with coord.Client(%r) as client:
    client.put(%r, "from within")
''' % (sys.argv[1], sys.argv[2])
for _ in range(2):
    assert not interpreters.run_string(one, story)
interpreters.destroy(one)
import coord
with coord.Client(sys.argv[1]) as client:
    print(client.get(sys.argv[2]).text)
"""

ISOLATED = """
import _interpreters
one = _interpreters.create("isolated")
print(_interpreters.run_string(one, "import coord").msg)
_interpreters.destroy(one)
"""

WITHOUT_GIL = """
import sys
sys.abiflags, sys.modules["coord._native"] = "t", None
import coord
"""


def python(story, *words):
    return subprocess.run([sys.executable, "-c", story, *words], text=True, capture_output=True, timeout=60)


@pytest.mark.skipif(
    sys.version_info[:2] in ((3, 9), (3, 12)), reason="its module makes no interpreter that shares the GIL"
)
def test_an_interpreter_that_shares_the_gil_has_clients(etcd, name):
    done = python(SHARING, etcd.endpoint, name)
    assert done.stdout == "from within\n", done.stderr


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 has those with a GIL of their own")
def test_an_interpreter_with_a_gil_of_its_own_is_told_why_not():
    done = python(ISOLATED)
    assert "a sub-interpreter with a GIL of its own" in done.stdout, (done.stdout, done.stderr)


def test_without_a_gil_it_is_told_why_not():
    """As a free-threaded Python finds no module that it can load."""
    assert "coord does not run in free-threaded Python yet" in python(WITHOUT_GIL).stderr
