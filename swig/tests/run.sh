#!/usr/bin/env bash
# run.sh NAME BUILD COMMAND...: one ctest entry of a language. Runs the command beside an empty, real etcd (conformance_etcd),
# whose address is in COORD_ENDPOINT; skips all as NAME where there is no such interpreter.
set -euo pipefail
name=$1 build=$2
shift 2

skip() { echo "skip $name: $*"; exit 0; }

command -v "$1" >/dev/null || skip "there is no $1; ./dev setup swig installs it"
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/../../tests/conformance/serve.sh"
serve "$name" "$build"
echo begin >&3
read -r _ endpoint _ <&4
status=0
COORD_ENDPOINT=$endpoint "$@" 3>&- 4<&- || status=$?
exit "$status"
