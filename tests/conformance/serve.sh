# shellcheck shell=bash
# For the scripts that run a language's tests beside a real etcd: to be sourced, after `skip`, which takes a reason and ends,
# was defined. serve NAME BUILD: starts conformance_etcd, which is commanded through descriptor 3 and answers on 4
# (README.md); its version is in COORD_TEST_SERVER. It ends with the script.
serve() {
  local name=$1 build=$2 work line
  work=$(mktemp -d)
  mkfifo "$work/to" "$work/from"
  "$build/tests/conformance/conformance_etcd" <"$work/to" >"$work/from" &
  server=$!
  exec 3>"$work/to" 4<"$work/from"
  rm -rf "$work"
  trap end_serving EXIT
  read -r line <&4
  case $line in
    skip*) skip "${line#skip serve: }" ;;
    "ok "*) export COORD_TEST_SERVER=${line#ok } ;;
    *) echo "not ok $name: conformance_etcd says: $line"; exit 1 ;;
  esac
}

# shellcheck disable=SC2317 # the trap calls it
end_serving() {
  exec 3>&- 4<&-
  wait "$server" || true
}
