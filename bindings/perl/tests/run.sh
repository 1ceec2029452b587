#!/usr/bin/env bash
# run.sh BUILD NAME [CASE]...: NAME.pl of this folder, beside a real etcd.
# COORD_PERL_WRAP: what to run the interpreter under, as valgrind.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 name=$2
shift 2
if [ ! -e "$build/swig/perl/auto/Coord/Coord.so" ]; then
  echo "skip perl_$name: there was no swig, perl or libperl-dev when this was built; ./dev setup swig installs them"
  exit 0
fi
read -ra wrap <<<"${COORD_PERL_WRAP:-}"
exec "$here/../../../swig/tests/run.sh" "perl_$name" "$build" \
  "${wrap[@]}" perl -w "-I$build/swig/perl" "-I$here/../lib" "-I$here" "$here/$name.pl" "$@"
