#!/usr/bin/env bash
# run.sh VERSION BUILD FILE [ARGUMENT...]: one ctest entry. Runs tests/FILE.lua by the interpreter of that version (5.4, 5.3,
# 5.1, jit) with the module in BUILD/swig, beside a real etcd (conformance_etcd), with which it talks through two pipes.
# COORD_LUA_WRAP: what to run the interpreter under, as valgrind.
set -euo pipefail
version=$1 build=$2 file=$3
shift 3
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

skip() { echo "skip lua_${version}_$file: $*"; exit 0; }

module=$version interpreter=lua$version
[ "$version" != jit ] || module=5.1 interpreter=luajit
[ "$version" != 5.4 ] || [ -z "${COORD_LUA:-}" ] || interpreter=$COORD_LUA
command -v "$interpreter" >/dev/null || skip "there is no $interpreter; ./dev setup lua installs it"
[ -e "$build/swig/lua$module/coord/core.so" ] || skip "the module for Lua $module is not built: no swig or no headers of Lua"

export LUA_PATH="$here/?.lua;$here/../?.lua;;" LUA_CPATH="$build/swig/lua$module/?.so;;"
# An interpreter looks at the variables of its own version first.
unset LUA_PATH_5_4 LUA_CPATH_5_4 LUA_PATH_5_3 LUA_CPATH_5_3
# shellcheck source=/dev/null
source "$(dirname "${BASH_SOURCE[0]}")/../../../tests/conformance/serve.sh"
serve "lua_${version}_$file" "$build"
status=0
# shellcheck disable=SC2086
${COORD_LUA_WRAP:-} "$interpreter" "$here/$file.lua" "$@" || status=$?
exit "$status"
