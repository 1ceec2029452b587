#!/usr/bin/env bash
# rock.sh BUILD: `luarocks make` with the libcoord of BUILD, into a tree of its own, for two versions of Lua.
set -euo pipefail
build=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v luarocks >/dev/null || { echo "skip rock: there is no luarocks"; exit 0; }
command -v swig >/dev/null || { echo "skip rock: there is no swig"; exit 0; }
cd "$here/.."
status=0
for version in 5.4 5.1; do
  [ -e "/usr/include/lua$version/lua.h" ] || { echo "skip rock_$version: there are no headers of Lua $version"; continue; }
  if luarocks --lua-version "$version" make --tree "$work" COORD_INCDIR="$here/../../../core/include" \
      COORD_LIBDIR="$build/core" coord-0.1.0-1.rockspec >"$work/log" 2>&1 &&
    said=$(cd / && LUA_PATH="$work/share/lua/$version/?.lua" LUA_CPATH="$work/lib/lua/$version/?.so" \
      LD_LIBRARY_PATH="$build/core" "lua$version" -e 'print(require("coord").version)' 2>&1) && [ "$said" = 0.1.0 ]; then
    echo "ok rock_$version"
  else
    cat "$work/log"
    echo "not ok rock_$version: luarocks make, or require: ${said:-}"
    status=1
  fi
done
exit $status
