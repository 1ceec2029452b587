#!/usr/bin/env bash
# run.sh BUILD NAME [CASE]...: NAME.rb of this folder, beside a real etcd.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$1 name=$2
shift 2
if [ ! -e "$build/swig/ruby/coord/coord.so" ]; then
  echo "skip ruby: there was no swig, ruby or ruby-dev when this was built; ./dev setup swig installs them"
  exit 0
fi
exec "$here/../../../swig/tests/run.sh" ruby "$build" \
  ruby -w "-I$build/swig/ruby" "-I$here/../lib" "$here/$name.rb" "$@"
