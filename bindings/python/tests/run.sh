#!/usr/bin/env bash
# run.sh debian|newest|types BUILD: one ctest entry. BUILD/python/lib has the package, as ./dev has built it; the newest
# Python and the checkers are in the virtual environment that COORD_TEST_VENV names.
set -euo pipefail
which=$1 build=$2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$build/python/lib

skip() { echo "skip python_$which: $*"; exit 0; }

[ -e "$build/python/lib/coord/_native.abi3.so" ] || skip "the package is not built; ./dev test does it"
[ "$which" = debian ] || [ -x "${COORD_TEST_VENV:-}/bin/python" ] || skip "no virtual environment; ./dev test makes it"

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
  debian) python=/usr/bin/python3 ;;
  newest) python=$COORD_TEST_VENV/bin/python ;;
esac
"$python" -c 'import cffi, pytest' 2>/dev/null || skip "$python has no cffi or no pytest"
exec "$python" -m pytest -p no:cacheprovider --lines "$here"
