#!/usr/bin/env bash
# run.sh debian|newest|uvloop|gateway|types|package BUILD: one ctest entry. BUILD/python/lib has the package, as ./dev has
# built it; the newest Python and the checkers are in the virtual environment that COORD_TEST_VENV names. uvloop and gateway
# are the tests of asyncio on its loops, and those of what a wire can do otherwise.
set -euo pipefail
which=$1 build=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$build/python/lib

skip() { echo "skip python_$which: $*"; exit 0; }

[ "$which" != package ] || exec /usr/bin/python3 "$here/package.py" "$build"
[ -e "$build/python/lib/coord/_native.abi3.so" ] || skip "the package is not built; ./dev test does it"
[[ $which =~ ^(debian|gateway)$ ]] || [ -x "${COORD_TEST_VENV:-}/bin/python" ] || skip "no virtual environment; ./dev test makes it"

# check NAME COMMAND...
check() {
  local name=$1 log
  shift
  if log=$("$@" 2>&1); then
    echo "ok $name"
  else
    echo "$log"
    echo "not ok $name: $(tr '\n' '|' <<<"$log" | cut -c1-600)"
    status=1
  fi
}

case $which in
  types)
    status=0
    cd "$here/.."
    unset PYTHONPATH
    check mypy "$COORD_TEST_VENV/bin/mypy" --no-incremental --cache-dir=/dev/null
    check pyright "$COORD_TEST_VENV/bin/pyright" --warnings --pythonpath "$COORD_TEST_VENV/bin/python"
    exit "$status"
    ;;
  debian | gateway) python=/usr/bin/python3 ;;
  newest | uvloop) python=$COORD_TEST_VENV/bin/python ;;
esac
"$python" -c 'import cffi, pytest' 2>/dev/null || skip "$python has no cffi or no pytest"
what=("$here")
case $which in
  uvloop)
    "$python" -c 'import uvloop' 2>/dev/null || skip "$python has no uvloop"
    what=("$here"/test_aio*.py "$here"/test_{lock,leak,watch,mirror,lease}.py --uvloop -k "aio or asyncio or cancelled")
    ;;
  gateway)
    export COORD_TEST_WIRE=gateway
    what=("$here"/test_{kv,lease,lock,watch,mirror,registry,config,aio}.py)
    ;;
esac
exec "$python" -m pytest -p no:cacheprovider --lines "${what[@]}"
