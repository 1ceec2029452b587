#!/usr/bin/env bash
# Every verb of the `coord` command on a real etcd: output, exit codes, bad input, any bytes, and the life of `coord dev`.
#
# usage: tests/run.sh COORD [CASE]...      COORD: the command to test; CASE: only these
#
# Prints "ok NAME" or "not ok NAME: why" for each case. The etcd is COORD_TEST_ETCD or the one on PATH, started by
# `coord dev`, which is tested on the way. Writes to a temporary directory alone, which it removes.
set -uo pipefail
export LC_ALL=C.UTF-8

coord=$(realpath -- "${1:?usage: run.sh COORD [CASE]...}") || exit 2
shift
here=$(realpath -- "${BASH_SOURCE[0]}")
if [ "${COORD_CLI_INSIDE:-}" = "" ]; then
  export COORD_CLI_INSIDE=yes
  exec "$coord" dev -- "$here" "$coord" "$@"
fi

work=$(mktemp -d)
# A test that is stopped half-way leaves no `coord dev` in the background.
tidy() {
  local left
  mapfile -t left < <(jobs -p)
  [ ${#left[@]} = 0 ] || { kill "${left[@]}" && wait; } 2>/dev/null
  rm -rf "$work"
}
trap tidy EXIT
trap 'exit 143' TERM
trap 'exit 130' INT
mkdir "$work/bin" "$work/tmp"
ln -s "$coord" "$work/bin/coord"
export PATH=$work/bin:$PATH TMPDIR=$work/tmp
unset NO_COLOR
dead=127.0.0.1:1 # a port where nobody listens

# ---- what the cases are made of ----------------------------------------------------------------

why=""
fail() { why=${why:-$*}; return 1; }

# run CMD...: leaves $code, $out and $err
run() {
  code=0
  "$@" >"$work/out" 2>"$work/err" </dev/null || code=$?
  out=$(tr '\0' '?' <"$work/out")
  err=$(cat "$work/err")
}

# expect CODE CMD...: it must exit with CODE
expect() {
  local want=$1
  shift
  run "$@"
  [ "$code" = "$want" ] || fail "\`$(printf '%q ' "$@")\` exited with $code, not $want: $err"
}

prints() { [ "$out" = "$1" ] || fail "printed \"$out\", not \"$1\""; }
says() { [[ $err == *"$1"* ]] || fail "standard error says \"$err\", not \"$1\""; }
silent() { [ -z "$err" ] || fail "standard error says \"$err\""; }

# usage_fault TEXT ARGS...: exit code 2, TEXT in the message
usage_fault() {
  local text=$1
  shift
  expect 2 coord "$@" && says "$text"
}

# j EXPRESSION: what Python makes of it; o is the first object of standard input, os are all; a tuple gives lines
j() {
  python3 -c 'import json, sys
os = [json.loads(line) for line in sys.stdin if line.strip()]
found = eval(sys.argv[1], {"os": os, "o": os[0] if os else None})
for each in found if isinstance(found, tuple) else (found,):
    print(each if isinstance(each, str) else json.dumps(each))' "$1"
}

revision_of() { "$@" | j 'o["revision"]'; }

# json EXPRESSION WANT: of the last output
json() {
  local found
  found=$(j "$1" <"$work/out" 2>&1)
  [ "$found" = "$2" ] || fail "$1 is \"$found\", not \"$2\", in $out"
}

# eventually CMD...: within 15 s
eventually() {
  local until=$((SECONDS + 15))
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.05
  done
}

gone() { ! kill -0 "$1" 2>/dev/null || [ "$(ps -o stat= -p "$1" | cut -c 1)" = Z ]; }
has_line() { [ -s "$1" ]; }
# The processes whose command line names a directory
users_of() { pgrep -f -- "$1"; }
unused() { [ -z "$(users_of "$1")" ]; }
no_files() { [ -z "$(ls -A "$TMPDIR")" ]; }
leaves_nothing() {
  eventually unused "$TMPDIR/coord-dev-" || fail "processes are left: $(users_of "$TMPDIR/coord-dev-" | tr '\n' ' ')" || return
  eventually no_files || fail "files are left: $(ls "$TMPDIR")"
}

# ---- get, put, del -----------------------------------------------------------------------------

case_put_and_get() {
  expect 0 coord put pg/a one && silent &&
    expect 0 coord get pg/a && prints one && silent
}

case_get_of_an_absent_key_exits_1() {
  expect 1 coord get none/such && prints "" &&
    expect 1 coord get none/ --prefix && prints ""
}

case_get_prints_a_range_key_and_value() {
  coord put rng/a 1 && coord put rng/b 2 && coord put rng/c 3 &&
    expect 0 coord get rng/ --prefix && prints $'rng/a\n1\nrng/b\n2\nrng/c\n3' &&
    expect 0 coord get rng/a --range-end rng/c && prints $'rng/a\n1\nrng/b\n2' &&
    expect 0 coord get rng/ --prefix --keys-only && prints $'rng/a\nrng/b\nrng/c' &&
    expect 0 coord get rng/ --prefix --print-value-only && prints $'1\n2\n3' &&
    expect 0 coord get rng/ --prefix --count-only && prints 3 &&
    expect 0 coord get rng/ --prefix --sort key --desc --limit 1 --keys-only --quiet && prints rng/c && silent &&
    expect 0 coord get rng/ --prefix --desc --keys-only --quiet --limit 1 && prints rng/c &&
    usage_fault empty get rng/b --range-end= || return
  coord put zzz-last 1 && expect 0 coord get rng/b --from-key --keys-only &&
    [[ $out == $'rng/b\nrng/c\n'*zzz-last* ]] || fail "from-key printed \"$out\""
}

case_get_of_everything() {
  coord put all/a 1 &&
    expect 0 coord get '' --prefix --keys-only && [[ $out == *all/a* ]] &&
    expect 0 coord get '' --from-key --keys-only && [[ $out == *all/a* ]] || fail "printed \"$out\""
}

case_get_at_a_revision() {
  local rev
  rev=$(revision_of coord --json put old/a before) && coord put old/a after &&
    expect 0 coord get old/a --rev "$rev" && prints before &&
    expect 0 coord get old/a --serializable && prints after &&
    expect 4 coord get old/a --rev 999999999 && says "future revision"
}

case_get_sorts() {
  coord put sort/b 1 && coord put sort/c 2 && coord put sort/a 3 && coord put sort/b 4 &&
    expect 0 coord get sort/ --prefix --keys-only --sort create && prints $'sort/b\nsort/c\nsort/a' &&
    expect 0 coord get sort/ --prefix --keys-only --sort mod && prints $'sort/c\nsort/a\nsort/b' &&
    expect 0 coord get sort/ --prefix --keys-only --sort version --desc --limit 1 --quiet && prints sort/b &&
    expect 0 coord get sort/ --prefix --keys-only --sort value && prints $'sort/c\nsort/a\nsort/b'
}

case_get_json() {
  coord put js/a 'x"y' && expect 0 coord get js/a --json &&
    json 'o["key"], o["value"]' $'js/a\nx"y' &&
    json 'o["create_revision"] == o["mod_revision"] and o["version"] == 1' true || return
  coord put js/b 2 && expect 0 coord --json get js/ --prefix && [ "$(wc -l <<<"$out")" = 2 ] || fail "printed $out" || return
  expect 0 coord get js/ --prefix --json --keys-only && json '["value" in each for each in os]' '[false, false]' &&
    expect 0 coord get js/ --prefix --count-only --json && json 'o["count"]' 2
}

case_any_bytes_come_back() {
  local size
  head -c 100000 /dev/urandom >"$work/random" && printf '\0\n\0' >>"$work/random" &&
    expect 0 coord put bin/a --file "$work/random" &&
    expect 0 coord get bin/a --print-value-only && cmp "$work/random" "$work/out" || fail "the value changed" || return
  coord get bin/a --json >"$work/json" && j 'o["value_base64"]' <"$work/json" | base64 -d | cmp - "$work/random" ||
    fail "the base64 is another value" || return
  printf 'no line end' | coord put bin/b - && coord get bin/b --print-value-only >"$work/out" &&
    size=$(wc -c <"$work/out") && [ "$size" = 11 ] || fail "$size bytes came back, not 11" || return
  printf '' | coord put bin/empty - && expect 0 coord get bin/empty --print-value-only && [ ! -s "$work/out" ] ||
    fail "an empty value came back as something" || return
  expect 0 coord put $'bin/\xff\xfe' odd && expect 0 coord get $'bin/\xff\xfe' && prints odd &&
    expect 0 coord get $'bin/\xff\xfe' --json && json 'o["key_base64"]' "$(printf 'bin/\xff\xfe' | base64)"
}

case_base64_flag() {
  coord put b64/a text && expect 0 coord get b64/a --json --base64 &&
    json 'o["key_base64"], o["value_base64"]' $'YjY0L2E=\ndGV4dA=='
}

case_put_prev() {
  coord put prev/a one && expect 0 coord put prev/a two --prev && [[ $out == *one* ]] &&
    expect 0 coord put prev/a three --prev --json && json 'o["prev"]["value"]' two
}

case_put_with_a_lease() {
  local id
  if ! command -v "${COORD_TEST_ETCDCTL:-etcdctl}" >/dev/null; then return 0; fi
  id=$(ETCDCTL_API=3 "${COORD_TEST_ETCDCTL:-etcdctl}" --endpoints="$COORD_ENDPOINTS" lease grant 600 2>"$work/err" |
    awk '{print $2}') && [ -n "$id" ] || fail "etcdctl granted no lease: $(cat "$work/err")" || return
  expect 0 coord put lease/a 1 --lease "$id" && expect 0 coord get lease/a --json &&
    json 'o["lease"]' "$id" || return
  expect 0 coord put lease/a 2 --ignore-lease && expect 0 coord get lease/a --json &&
    json 'o["lease"], o["value"]' "$id"$'\n2' || return
  expect 0 coord put lease/a --ignore-value && expect 0 coord get lease/a --json &&
    json 'o["value"], "lease" in o' $'2\nfalse' || return
  expect 4 coord put lease/a 1 --lease 12345 && says NOT_FOUND
}

case_del() {
  coord put del/a 1 && coord put del/b 2 && coord put del/c 3 &&
    expect 0 coord del del/a && prints 1 &&
    expect 1 coord del del/a && prints 0 &&
    expect 0 coord del del/ --prefix --prev --json && json 'o["deleted"], o["prev"][1]["value"]' $'2\n3' || return
  coord put del/d 4 && expect 0 coord del del/d --prev && [[ $out == *del/d*4* ]] || fail "printed $out"
}

# ---- txn ---------------------------------------------------------------------------------------

case_txn_holds_and_then_fails() {
  cat >"$work/take.json" <<'J'
{"compare": [{"key": "txn/seat", "target": "version", "relation": "=", "value": 0}],
 "then": [{"put": {"key": "txn/seat", "value": "mine"}}],
 "else": [{"get": {"key": "txn/seat"}}]}
J
  expect 0 coord txn "$work/take.json" && json 'o["succeeded"]' true &&
    expect 1 coord txn "$work/take.json" &&
    json 'o["succeeded"], o["results"][0]["kvs"][0]["value"]' $'false\nmine'
}

case_txn_compares() {
  local t
  coord put cmp/a v && coord put cmp/b v &&
    for t in '{"key":"cmp/a","target":"value","relation":"=","value":"v"}' \
      '{"key":"cmp/a","target":"value","relation":"!=","value":"w"}' \
      '{"key":"cmp/a","target":"value","relation":"=","value_base64":"dg=="}' \
      '{"key":"cmp/a","target":"value","relation":"<","value":"w"}' \
      '{"key":"cmp/","prefix":true,"target":"value","relation":"=","value":"v"}' \
      '{"key":"cmp/a","range_end":"cmp/c","target":"version","relation":"=","value":1}' \
      '{"key":"cmp/a","target":"create","relation":">","value":0}' \
      '{"key":"cmp/a","target":"mod","relation":">","value":0}' \
      '{"key":"cmp/a","target":"lease","relation":"=","value":0}'; do
      code=0
      coord txn <<<"{\"compare\":[$t]}" >"$work/out" 2>"$work/err" || code=$?
      [ "$code" = 0 ] || fail "$t: exit $code, $(cat "$work/out" "$work/err")" || return
    done
}

case_txn_of_every_op() {
  coord put every/a 1 && coord put every/b 2 &&
    coord txn - >"$work/out" <<'J' || fail "exit $?" || return
{"then": [{"put": {"key": "every/c", "value_base64": "/wA="}},
          {"get": {"key": "every/", "prefix": true, "limit": 1, "sort": "key", "desc": true}},
          {"delete": {"key": "every/a", "prev": true}},
          {"txn": {"compare": [{"key": "every/b", "target": "value", "relation": "=", "value": "2"}],
                   "then": [{"put": {"key": "every/d", "value": "4", "prev": true}}]}}]}
J
  json '[(r["count"], r["kvs"][0]["key"], r["kvs"][0]["version"]) for r in o["results"][1:3]], o["results"][3]["succeeded"]' \
    $'[[3, "every/c", 1], [1, "every/a", 1]]\ntrue' || return
  expect 0 coord get every/d && prints 4
}

# A document that is wrong, and what must be said: exit code 2, and nothing is written.
case_txn_refuses_wrong_documents() {
  local document text
  while IFS='|' read -r document text; do
    code=0
    printf '%s' "$document" | coord txn - >"$work/out" 2>"$work/err" || code=$?
    [ "$code" = 2 ] && grep -qF -- "$text" "$work/err" ||
      fail "$document: exit $code, \"$(cat "$work/err")\", not \"$text\"" || return
  done <<'ROWS'
|JSON
[]|object
{"then": [{"put": {"key": "w"}}]}|"value"
{"then": [{"put": {"key": "w", "value": "1", "vlaue": "2"}}]}|vlaue
{"then": [{"put": {"key": "w", "value": 1}}]}|string
{"then": [{"put": {"key": "w", "value_base64": "!"}}]}|base64
{"then": [{"put": {"key": "w", "value": "1"}, "get": {"key": "w"}}]}|one of
{"then": {"put": {"key": "w", "value": "1"}}}|array
{"then": [{"get": {"key": "w", "prefix": "yes"}}]}|true or false
{"then": [{"get": {"key": "w", "limit": "two"}}]}|number
{"then": [{"get": {"key": "w", "sort": "size"}}]}|sort
{"compare": [{"key": "w", "target": "size", "relation": "=", "value": 0}]}|target
{"compare": [{"key": "w", "target": "version", "relation": "~", "value": 0}]}|relation
{"compare": [{"key": "w", "target": "version", "relation": "=", "value": "zero"}]}|number
{"compare": [{"key": "w", "target": "version", "relation": "="}]}|value
{"then": [{"put": {"key": "w", "value": "1"}}], "otherwise": []}|otherwise
{"then": [{"put": {"key": "w", "value": "1"}}]} {}|JSON
{"then": [{"put": {"key": "w", "value": '1'}}]}|JSON
{"then": [{"put": {"key": "w", "value": "\ud800"}}]}|JSON
ROWS
  expect 1 coord get w || return
  expect 2 coord txn "$work/no such file" && says "no such file"
}

case_txn_that_etcd_refuses() {
  code=0
  echo '{"then":[{"put":{"key":"dup","value":"1"}},{"put":{"key":"dup","value":"2"}}]}' |
    coord txn >"$work/out" 2>"$work/err" || code=$?
  [[ $code =~ ^[24]$ ]] && grep -q 'INVALID' "$work/err" || fail "exit $code, $(cat "$work/err")"
}

# ---- import and export -------------------------------------------------------------------------

case_import_and_export_come_round() {
  local i
  for i in $(seq -w 2500); do printf '{"key":"io/%s","value":"line 1\\nline \\"2\\" \\u00e4 %s"}\n' "$i" "$i"; done >"$work/in"
  printf '{"key_base64":"aW8v/w==","value_base64":"AAEC/w=="}\n\n' >>"$work/in"
  expect 0 coord import "$work/in" --json && json 'o["keys"]' 2501 || return
  coord export io/ --page 100 >"$work/exported" 2>"$work/err" || fail "export: exit $?" || return
  [ "$(j 'sorted(map(str, os))' <"$work/in")" = "$(j 'sorted(map(str, os))' <"$work/exported")" ] ||
    fail "what came back differs" || return
  coord import - --quiet <"$work/exported" 2>"$work/err" || fail "import of an export: exit $?" || return
  [ ! -s "$work/err" ] || fail "--quiet said $(cat "$work/err")" || return
  coord get io/ --prefix --json | coord import - --quiet || fail "import of get --json: exit $?" || return
  expect 0 coord get io/ --prefix --count-only && prints 2501
}

case_import_writes_lines_of_one_key_in_order() {
  local i
  for i in $(seq 600); do printf '{"key":"order/%s","value":"%s"}\n' $((i % 3)) "$i"; done >"$work/in"
  expect 0 coord import "$work/in" &&
    expect 0 coord get order/ --prefix --print-value-only && prints $'600\n598\n599'
}

case_import_stops_at_a_bad_line() {
  local line text
  while IFS='|' read -r line text; do
    printf '{"key":"bad/1","value":"1"}\n%s\n{"key":"bad/3","value":"3"}\n' "$line" >"$work/in"
    expect 2 coord import "$work/in" && says "$work/in:2" && says "$text" &&
      expect 1 coord get bad/ --prefix || return
    code=0
    coord import - <"$work/in" >"$work/out" 2>"$work/err" || code=$?
    err=$(cat "$work/err")
    [ "$code" = 2 ] || fail "from standard input: exit $code" || return
    says ":2" && expect 0 coord get bad/1 && expect 1 coord get bad/3 && coord del bad/1 >"$work/out" || return
  done <<'ROWS'
hello|JSON
{"key":"k"}|"value"
{"value":"v"}|"key"
{"key":"k","value":"v"|JSON
{"key":"k","value":"v"} x|JSON
{"key":"k","value":'v'}|JSON
{"key":"k","value":7}|string
{"key":"k","value_base64":"a"}|base64
{"key":"k","key_base64":"aw==","value":"v"}|twice
{"key":"","value":"v"}|empty
{"key":"k","value":"\udc00"}|JSON
["k","v"]|object
ROWS
  printf '{"key":"bad/1","value":"\xff"}\n' >"$work/in"
  expect 2 coord import "$work/in" && says "$work/in:1" && says JSON
}

case_import_names_the_line_that_was_refused() {
  { echo '{"key":"big/1","value":"1"}' && printf '{"key":"big/2","value":"%s"}\n' "$(head -c 2000000 /dev/zero | tr '\0' x)"; } >"$work/in"
  expect 4 coord import "$work/in" && says "$work/in:2" && says TOO_LARGE
}

case_import_without_a_file() {
  expect 2 coord import "$work/no such file" && says "no such file" &&
    usage_fault import import && usage_fault import import a b
}

case_export_of_nothing_exits_1() {
  expect 1 coord export none/ && prints "" && usage_fault export export && usage_fault 100000 export a --page 100001
}

case_export_at_a_revision() {
  local rev
  rev=$(revision_of coord --json put exp/a before) && coord put exp/a after && coord put exp/b new &&
    expect 0 coord export exp/ --rev "$rev" --quiet && json 'o["value"]' before
}

case_export_into_a_full_device() {
  [ -c /dev/full ] || return 0
  coord put full/a "$(head -c 100000 /dev/zero | tr '\0' x)"
  code=0
  coord export full/ >/dev/full 2>"$work/err" || code=$?
  [ "$code" = 5 ] && grep -q "standard output" "$work/err" || fail "exit $code, $(cat "$work/err")"
}

case_progress_only_on_a_terminal() {
  command -v script >/dev/null || return 0
  local i
  for i in $(seq 300); do printf '{"key":"prog/%s","value":"v"}\n' "$i"; done >"$work/in"
  expect 0 coord import "$work/in" && ! grep -q $'\r' "$work/err" || fail "a bar in a file: $(cat "$work/err")"
}

# ---- lease -------------------------------------------------------------------------------------

case_lease_grant_info_revoke() {
  local id
  id=$(coord lease grant 60) && coord put ls/a 1 --lease "$id" && coord put ls/b 1 --lease "$id" || fail "no lease" || return
  expect 0 coord lease info "$id" --keys && [[ $out == *" of 60 s"$'\n'ls/a$'\n'ls/b ]] || fail "printed $out" || return
  expect 0 coord lease info "$id" --keys --json &&
    json 'o["lease"], o["granted_ttl"], o["ttl"] > 50, [k["key"] for k in o["keys"]]' "$id"$'\n60\ntrue\n["ls/a", "ls/b"]' &&
    expect 0 coord lease info "$id" && [ "$(wc -l <<<"$out")" = 1 ] || fail "printed $out" || return
  expect 0 coord lease list && grep -qx "$id" <<<"$out" || fail "printed $out" || return
  expect 0 coord lease list --json && json "\"$id\" in o[\"leases\"]" true &&
    expect 0 coord lease keepalive "$id" --once && prints 60 &&
    expect 0 coord lease keepalive "$id" --once --json && json 'o["ttl"]' 60 &&
    expect 0 coord lease revoke "$id" && prints "lease $id revoked" &&
    expect 1 coord get ls/ --prefix &&
    expect 1 coord lease info "$id" && says "there is no lease $id" &&
    expect 4 coord lease revoke "$id" && expect 4 coord lease keepalive "$id" --once && says "does not exist" &&
    expect 4 coord lease keepalive "$id" && says "does not exist" &&
    expect 0 coord lease grant 60 --id 5eed --json && json 'o["lease"], o["ttl"]' $'5eed\n60' &&
    expect 4 coord lease grant 60 --id 5eed && expect 0 coord lease revoke 5eed
}

case_lease_keepalive_stays() {
  local id
  id=$(coord lease grant 2) || fail "no lease" || return
  coord lease keepalive "$id" 2>"$work/keep" &
  local pid=$!
  eventually grep -q "Keeping lease $id" "$work/keep" || fail "$(cat "$work/keep")" || return
  sleep 3.5
  expect 0 coord lease info "$id" || return
  kill -TERM $pid && wait $pid || fail "ended with $?" || return
  coord lease keepalive "$id" 2>"$work/keep" &
  pid=$!
  eventually grep -q "Keeping lease $id" "$work/keep" && coord lease revoke "$id" --quiet
  wait $pid
  code=$? err=$(cat "$work/keep")
  [ $code = 5 ] || fail "exited with $code" || return
  says "etcd has it no more"
}

case_put_with_a_ttl() {
  local pid
  expect 0 coord put ttl/a 1 --ttl 2 --json && json 'len(o["lease"]) > 5' true && expect 0 coord get ttl/a || return
  coord put ttl/b 2 --ttl 2 --keep 2>"$work/keep" &
  pid=$!
  eventually grep -q "Keeping the key" "$work/keep" || fail "$(cat "$work/keep")" || return
  sleep 3.5
  expect 0 coord get ttl/b && prints 2 && kill -INT $pid && wait $pid || fail "ended with $?" || return
  expect 1 coord get ttl/b || return
  eventually sh -c '! coord get ttl/a' >"$work/out" || fail "ttl/a is still there"
}

case_lease_usage_faults() {
  usage_fault "none of grant" lease other && usage_fault "too few" lease grant &&
    usage_fault "TTL is a number of seconds" lease grant 0 && usage_fault "TTL is a number" lease grant 1m &&
    usage_fault "hexadecimal" lease info xyz && usage_fault "hexadecimal" lease revoke 0 &&
    usage_fault "--keys is not for lease list" lease list --keys && usage_fault "one argument too many" lease list x &&
    usage_fault "--keep needs --ttl" put a b --keep && usage_fault "excludes --lease" put a b --ttl 5 --lease 1 &&
    usage_fault "--ttl" put a b --ttl 0
}

# ---- lock --------------------------------------------------------------------------------------

# begin lock|elect ARGS...: in the background, once it holds what it is asked for: $holder, $work/held
begin() {
  : >"$work/held"
  coord "$@" >"$work/held" 2>"$work/held.err" &
  holder=$!
  eventually has_line "$work/held" || fail "coord $*: $(cat "$work/held.err")"
}
hold() { begin lock "$@"; }
# ends CODE: the holder ends with it
ends() {
  code=0
  wait "$holder" 2>/dev/null || code=$?
  [ "$code" = "$1" ] || fail "the holder exited with $code, not $1: $(cat "$work/held.err")"
}
queue_of() { coord lock --list "$1" --json --quiet | j "$2"; }
stands_in() { [ "$(queue_of "$1" 'len(os)')" = "$2" ]; }

case_lock_runs_a_command() {
  # shellcheck disable=SC2016
  expect 7 coord lock lk/run -- sh -c 'echo "$COORD_LOCK_NAME $COORD_LOCK_KEY $COORD_LOCK_TOKEN"; exit 7' && silent &&
    { [[ $out =~ ^lk/run\ lk/run/[0-9a-f]+\ [0-9]+$ ]] || fail "printed $out"; } &&
    expect 1 coord get lk/run/ --prefix && expect 1 coord lock --list lk/run && says "nobody holds it" &&
    expect 0 coord lock lk/run -- sh -c 'coord lock --list lk/run --json; echo "{\"own\":\"$COORD_LOCK_KEY $COORD_LOCK_TOKEN\"}"' &&
    json 'os[1]["own"] == "%s %d" % (o["key"], o["create_revision"])' true &&
    expect 127 coord lock lk/run -- no-such-command-anywhere && says no-such-command-anywhere &&
    expect 143 coord lock lk/run -- sh -c 'kill -TERM $$' && expect 3 coord --endpoints $dead lock lk/run -- true &&
    expect 0 coord lock lk/run --also lk/other -- coord lock --list lk/other --quiet --json && json 'o["state"]' holds &&
    expect 1 coord lock --list lk/other
}

case_lock_held_by_another() {
  hold lk/held --owner me --json || return
  [ "$(j 'o["key"] == "lk/held/" + o["lease"] and o["token"] > 0' <"$work/held")" = true ] || fail "printed $(cat "$work/held")" || return
  expect 75 coord lock lk/held --try -- true && says "(CONFLICT)" &&
    expect 75 coord lock lk/held --timeout 200ms -- true && says "(TIMEOUT)" || return
  coord lock lk/held -- true 2>"$work/wait" &
  local waiter=$!
  eventually stands_in lk/held 2 || fail "no second in the queue" || return
  expect 0 coord lock --list lk/held --json &&
    json '[(each["state"], each["kind"]) for each in os]' '[["holds", "mutex"], ["waits", "mutex"]]' &&
    json 'o["owner"], os[1]["owner"].split(":")[1], o["since_ms"] > 1.7e12' $'me\n'$waiter$'\ntrue' &&
    expect 0 coord lock --list lk/held && [[ $out == STATE*holds*me*waits*@*:$waiter ]] || fail "printed $out" || return
  kill -TERM $waiter
  code=0
  wait $waiter || code=$?
  [ $code = 143 ] || fail "a waiter that was stopped exits with $code" || return
  stands_in lk/held 1 || fail "it stands in the queue still" || return
  kill -INT $holder && ends 0 && expect 1 coord lock --list lk/held
}

case_lock_keeps_five_processes_apart() {
  local i pids=()
  echo 0 >"$work/number"
  for i in 1 2 3 4 5; do
    for _ in 1 2 3; do
      coord lock lk/five -- sh -c 'n=$(cat "$0"); sleep 0.01; echo $((n + 1)) >"$0"' "$work/number" || echo failed
    done >"$work/five.$i" 2>&1 &
    pids+=($!)
  done
  wait "${pids[@]}"
  [ "$(cat "$work"/five.?)" = "" ] && [ "$(cat "$work/number")" = 15 ] ||
    fail "the number is $(cat "$work/number"), not 15; $(cat "$work"/five.?)"
}

case_lock_of_a_killed_holder() {
  # shellcheck disable=SC2016
  hold lk/kill --ttl 2 -- sh -c 'echo $$; exec sleep 600' || return
  kill -KILL $holder && ends 137 && eventually gone "$(cat "$work/held")" || fail "the command runs on" || return
  local begin=$EPOCHREALTIME
  expect 0 coord lock lk/kill -- true || return
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a > 5 }' || fail "the next waited longer than 5 s"
}

case_lock_ends_its_command_when_it_is_lost() {
  local lease stubborn
  hold lk/lost -- bash -c 'echo $$; trap "" TERM; while :; do sleep 600; done' || return
  stubborn=$holder
  lease=$(queue_of lk/lost 'o["lease"]')
  hold lk/lost2 -- sh -c 'sleep 600 & echo $!; wait; true' || return
  coord lease revoke "$(queue_of lk/lost2 'o["lease"]')" --quiet && ends 76 && grep -q '(LOST)' "$work/held.err" ||
    fail "it said $(cat "$work/held.err")" || return
  gone "$(cat "$work/held")" || fail "what the command started runs on" || return
  holder=$stubborn
  coord lease revoke "$lease" --quiet && ends 76
}

case_lock_without_a_server_ends_its_command_in_time() {
  dev_start || return
  local etcd begin
  etcd=$(j 'o["etcd_pid"]' <"$work/dev")
  hold --endpoints "$endpoint" lk/gone --ttl 2 -- sh -c 'echo runs; exec sleep 600' || return
  begin=$EPOCHREALTIME
  kill -STOP "$etcd" && ends 76
  local status=$?
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a > 3 }' || fail "it ran for longer than its lease"
  kill -KILL "$etcd"
  wait "$dev"
  return $status
}

case_lock_passes_signals_on() {
  hold lk/sig -- bash -c 'trap "exit 9" HUP; echo runs; while :; do sleep 0.05; done' && kill -HUP $holder && ends 9
}

case_lock_stays_until_its_input_ends() {
  rm -f "$work/fifo" && mkfifo "$work/fifo"
  : >"$work/held"
  coord lock lk/stay <"$work/fifo" >"$work/held" 2>"$work/held.err" &
  holder=$!
  exec 7>"$work/fifo"
  eventually has_line "$work/held" && grep -Eqx '[0-9]+ lk/stay/[0-9a-f]+' "$work/held" || fail "$(cat "$work/held"*)" || return
  exec 7>&-
  ends 0 && expect 1 coord lock --list lk/stay
}

case_lock_kinds() {
  hold lk/rw --kind read && local reader=$holder &&
    expect 0 coord lock lk/rw --kind read --try -- true && expect 75 coord lock lk/rw --try -- true &&
    expect 75 coord lock lk/rw --try --kind write -- true || return
  hold lk/sem --permits 2 && local first=$holder &&
    expect 0 coord lock lk/sem --permits 2 --try -- coord lock --list lk/sem --permits 2 --json &&
    json '[(each["state"], each["kind"]) for each in os]' '[["holds", "semaphore"], ["holds", "semaphore"]]' || return
  hold lk/sem --permits 2 && expect 75 coord lock lk/sem --permits 2 --try -- true && kill $holder $first $reader &&
    wait $holder $first $reader
}

# The last commands of docs/LOCKS.md, as they are printed.
case_lock_guards_a_write() {
  sed -n '/^A write to etcd/,$p' "${here%/bindings/*}/docs/LOCKS.md" | sed -n '/^```sh/,/^```/p' | sed '/^```/d' >"$work/guard"
  expect 0 bash -euo pipefail "$work/guard" && json 'o["succeeded"]' true && expect 0 coord get report &&
    [[ $out == "written by token "* ]] || fail "printed $out"
}

case_lock_usage() {
  usage_fault "NAME is missing" lock && usage_fault "NAME is missing" lock -- true && usage_fault "behind --" lock a true &&
    usage_fault "no command behind" lock a -- && usage_fault "NAME is empty" lock "" && usage_fault lock.kind lock a --kind x &&
    usage_fault lock.ttl.s lock a --ttl 0 && usage_fault "exclude each other" lock --list a -- true &&
    usage_fault "--also is empty" lock a --also "" && usage_fault "--ttl is empty" lock a --ttl= &&
    usage_fault --delay lock a --delay soon && usage_fault "takes one NAME" lock --list a --also b
}

# ---- elect -------------------------------------------------------------------------------------

case_elect_leads_while_a_command_runs() {
  # shellcheck disable=SC2016
  expect 7 coord elect el/run me -- sh -c 'echo "$COORD_ELECTION_NAME $COORD_ELECTION_KEY $COORD_ELECTION_TOKEN"
    coord elect --leader el/run; exit 7' && silent &&
    { [[ $out =~ ^el/run\ el/run/[0-9a-f]+\ [0-9]+.me$ ]] || fail "printed $out"; } &&
    expect 1 coord elect --leader el/run && says "nobody leads" && begin elect el/lost --json &&
    expect 0 coord elect --leader el/lost && prints "$(id -un)@$(uname -n):$holder" &&
    expect 75 coord elect el/lost --timeout 200ms -- true && expect 0 coord elect --leader el/lost --json &&
    json 'o["leader"]["key"], o["leader"]["create_revision"]' "$(j 'o["key"], o["token"]' <"$work/held")" &&
    coord lease revoke "$(j 'o["lease"]' <"$work/held")" --quiet && ends 76 && expect 1 coord elect --leader el/lost
}

observed() { [ "$(j '[e["leader"] and e["leader"]["value"] for e in os]' <"$work/seen")" = "$1" ]; }
case_elect_is_observed() {
  : >"$work/seen"
  coord elect --observe el/obs --json >"$work/seen" 2>"$work/seen.err" &
  local observer=$! first
  eventually observed '[null]' && begin elect el/obs one && first=$holder && eventually observed '[null, "one"]' ||
    fail "$(cat "$work/seen"* "$work/held.err")" || return
  coord elect el/obs two -- cat "$work/held" >"$work/second" 2>&1 &
  eventually stands_in el/obs 2 && kill -TERM $first && ends 0 && wait $! || fail "$(cat "$work/second")" || return
  eventually observed '[null, "one", "two", null]' || fail "it saw $(cat "$work/seen")" || return
  kill $observer
}

case_elect_usage() {
  usage_fault "NAME is missing" elect && usage_fault "no command behind" elect a -- && usage_fault "behind --" elect a b c &&
    usage_fault "NAME is empty" elect "" && usage_fault "exclude each other" elect a --leader --observe &&
    usage_fault "take NAME alone" elect a b --leader && usage_fault "take NAME alone" elect a --observe -- true &&
    usage_fault lock.ttl.s elect a --ttl 0
}

# ---- config and env ----------------------------------------------------------------------------

case_config_layers_come_together() {
  expect 0 coord config set cf1 level '"environment"' && expect 0 coord config set cf1.app port 1 && silent &&
    expect 0 coord config get cf1.app && prints $'level\n"environment"\nport\n1' &&
    expect 0 coord config get cf1.app --json &&
    json '[(e["key"], e["value"], e["version"] > 0) for e in os]' '[["level", "environment", false], ["port", 1, true]]' &&
    expect 0 coord config get cf1.app level && prints '"environment"' &&
    expect 1 coord config get cf1.app none && says 'no layer has "none"' &&
    expect 0 coord config get cf1.app none --default '[1]' && prints '[1]' &&
    expect 0 coord config get cf1.app port --default 2 --json && json 'o["value"]' 1 &&
    expect 1 coord config get cf1x && expect 0 coord config list cf1.app && [[ $out == VERSION*' port  1' ]] &&
    expect 0 coord --option config.manual=true config set a k 1 --prefix cf1/own && expect 0 coord get cf1/own/a/k && prints 1 &&
    expect 0 coord config get a --prefix cf1/own && prints $'k\n1'
}

case_config_takes_json_alone() {
  local text
  for text in hello "'x'" NaN '[1,]' '{"a":' 01 1. '"\x"' '1 2' '{"a" 1}' -; do
    expect 2 coord config set cf2 k -- "$text" && says "is not JSON at column" || return
  done
  expect 2 coord config set cf2 k hello && says "a string has quotes: '\"hello\"'" &&
    expect 2 coord config get cf2 k --default red && says "'\"red\"'" &&
    expect 2 coord config set cf2 k "" && says "is empty" || return
  printf '{"a": 1,\n "b": nope}\n' >"$work/value"
  expect 2 coord config set cf2 k --file "$work/value" && says "value is not JSON at line 2, column 7" &&
    expect 2 coord config set cf2 k --file "$work/no such file" && says "no such file" || return
  for text in null -5e+3 '"\u00e4\n"' '[[], {}, 0.5]' '{"a":{"b":[true,false,null]}}' '12345678901234567890.10'; do
    expect 0 coord config set cf2 k -- "$text" && expect 0 coord config get cf2 k && prints "$text" || return
  done
  printf '\n {"a": [1,\n2], "b  c": "d  e"} \n' | coord config set cf2 k - >"$work/out" &&
    expect 0 coord get config/cf2/k && prints $'{"a": [1,\n2], "b  c": "d  e"}' &&
    expect 0 coord config list cf2 && [[ $out == *'  k  {"a":[1,2],"b  c":"d  e"}' ]] || fail "printed $out" || return
  coord put config/cf2/bad '{x' && expect 0 coord config list cf2 --json && json 'o["text"]' '{x' &&
    expect 1 coord config get cf2 bad && says 'config/cf2/bad" at revision' && says 'no JSON'
}

case_config_compares_versions() {
  local first second
  expect 0 coord config cas cf3 k 0 1 && first=$out && expect 75 coord config cas cf3 k 0 2 && says "(CONFLICT)" &&
    expect 0 coord config cas cf3 k "$first" 2 --json && second=$(j 'o["version"]' <"$work/out") &&
    expect 75 coord config cas cf3 k "$first" 3 && says "is at version $second; $first was expected" &&
    expect 0 coord config history cf3 k && silent && prints "$(printf '%-12s%s\n' VERSION VALUE "$second" 2 "$first" 1)" &&
    expect 0 coord config history cf3 k --most 1 --json && json 'len(os), o["value"], o["version"]' $'1\n2\n'"$second" &&
    says "There were older ones" &&
    expect 75 coord config delete cf3 k --if-version "$first" && expect 0 coord config delete cf3 k --if-version "$second" &&
    expect 75 coord config delete cf3 k --if-version "$second" && says "is not there" &&
    expect 1 coord config delete cf3 k && expect 1 coord config history cf3 k && expect 1 coord config list cf3
}

# How many reads and watches the server was asked for.
reads() {
  curl -sf "http://$COORD_ENDPOINTS/metrics" | sed -nE 's/^grpc_server_started_total\{.*grpc_method="(Range|Watch)",grpc_service="etcdserverpb.* ([0-9]+)$/\2/p' |
    awk '{ n += $1 } END { print n, NR }'
}
case_config_writes_read_nothing() {
  local before what
  before=$(reads)
  [[ $before == *' 2' ]] || fail "the server does not count: $before" || return
  for what in "set cf6.app k 1" "cas cf6.app n 0 1" "delete cf6.app k"; do
    # shellcheck disable=SC2086
    expect 0 coord config $what && [ "$(reads)" = "$before" ] || fail "config $what has read: $before, $(reads)" || return
  done
}

case_config_says_its_name_once() {
  coord config set cf7 k 1 >"$work/out" && expect 75 coord config cas cf7 k 1 2 && [[ $err != *'config: config:'* && $err != *cas:*config:* ]] &&
    says 'coord: config cas: "config/cf7/k" is at version' || fail "it says $err" || return
  coord put cf7/lock 1 && coord put config/cf7/bad '{' && expect 0 coord config get cf7 &&
    says 'coord: config get: "config/cf7/bad" at revision'
}

case_config_waits_no_longer_than_the_timeout() {
  local begin=$EPOCHREALTIME verb
  for verb in "config get a" "config watch a" "config set a k 1" "env a -- true"; do
    # shellcheck disable=SC2086
    expect 3 coord --endpoints $dead --option connect.lazy=true --timeout 200ms $verb || return
  done
  # Each that reads would wait for 5 s by itself.
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a > 14 }' || fail "it waited longer than --timeout"
}

case_config_watch_tells_sets_of_changes() {
  coord config set cf4.app a 1 >"$work/out"
  coord config watch cf4.app --limit 3 --json >"$work/watched" 2>"$work/watch.err" &
  local all=$! one
  coord config watch cf4.app b --limit 1 >"$work/watched.b" 2>"$work/watch.b" &
  one=$!
  eventually grep -q Watching "$work/watch.err" && eventually grep -q Watching "$work/watch.b" || fail "$(cat "$work"/watch.*)" || return
  coord put config/cf4.app/a '{' && eventually grep -q 'config/cf4.app/a" at revision.*no JSON.*(INVALID)' "$work/watch.err" ||
    fail "$(cat "$work/watch.err")" || return
  echo '{"then":[{"put":{"key":"config/cf4.app/a","value":"2"}},{"put":{"key":"config/cf4.app/b","value":"[3]"}}]}' | coord txn >"$work/out" &&
    eventually grep -q '"b"' "$work/watched" && coord config set cf4 b 4 >"$work/out" && coord config delete cf4.app b &&
    eventually grep -q '"value":4' "$work/watched" && coord config delete cf4.app a && wait "$all" && wait "$one" ||
    fail "$(cat "$work"/watch*)" || return
  [ "$(j '[[(c["type"], c["key"], c.get("value"), c.get("prev")) for c in e["changes"]] for e in os]' <"$work/watched")" = \
    '[[["put", "a", 2, 1], ["put", "b", [3], null]], [["put", "b", 4, [3]]], [["delete", "a", null, 2]]]' ] ||
    fail "it printed $(cat "$work/watched")" || return
  [ "$(cat "$work/watched.b")" = $'REVISION '"$(j 'o["revision"]' <"$work/watched")"$'\nPUT\nb\n[3]' ] ||
    fail "it printed $(cat "$work/watched.b")"
}

# edits CODE EDITOR KEY: what stays of the text is in $kept
edits() {
  unset VISUAL
  EDITOR=$2 expect "$1" coord config edit cf5.app "$3" || return
  kept=$(cat "$TMPDIR"/coord-config-*.json 2>/dev/null)
  rm -f "$TMPDIR"/coord-config-*
}

case_config_edit() {
  local kept
  coord config set cf5 k '{"a": 10}' >"$work/out" && edits 0 'sed -i s/10/20/' k &&
    expect 0 coord config list cf5.app && [[ $out == *'  k  {"a":20}' && -z $kept ]] || fail "printed $out, kept $kept" || return
  edits 0 true k && says "It is as it was" && [ -z "$kept" ] && edits 0 'stat -c %a' k && prints 600 &&
    VISUAL='sed -i s/20/30/' EDITOR=false expect 0 coord config edit cf5.app k && expect 0 coord config get cf5.app k && prints '{"a": 30}' &&
    edits 0 'echo 1 >' new && expect 0 coord config get cf5.app new && prints 1 &&
    edits 2 'sed -i s/30/x/' k && says "not JSON" && says "The text is in $TMPDIR/coord-config-" && [ "$kept" = '{"a": x}' ] &&
    edits 5 'false' k && says '"false" ended with exit code 1' && [ -z "$kept" ] &&
    edits 75 'coord config set cf5.app k 7; sed -i s/30/40/' k && says '(CONFLICT)' && says "Somebody else changed it" &&
    [ "$kept" = '{"a": 40}' ] && expect 0 coord config get cf5.app k && prints 7 || fail "kept $kept" || return
  coord put config/cf5.app/bad '{x' && edits 0 'echo null >' bad && expect 0 coord config get cf5.app bad && prints null
}

case_config_usage() {
  usage_fault "one of get, set, cas" config && usage_fault "none of get" config put && usage_fault "too few" config set a &&
    usage_fault "APP is empty" config get "" && usage_fault "KEY is empty" config set a "" 1 && usage_fault "one argument too many" config list a b &&
    usage_fault "VERSION is that" config cas a k x 1 && usage_fault "exclude each other" config set a k 1 --file f &&
    usage_fault "--most" config history a k --most 1001 && usage_fault "--most is not for config list" config list a --most 1 &&
    usage_fault "--default needs a KEY" config get a --default 1 && usage_fault "--prefix is empty" config get a --prefix= &&
    usage_fault "has a slash" config get a/b && usage_fault "empty part" config set a..b k 1 &&
    expect 3 coord --endpoints $dead config get a && expect 3 coord --endpoints $dead env a -- true
}

case_env_runs_a_command() {
  coord config set ev1 only '"the environment"' >"$work/out" && coord config set ev1.app http.port 8080 >"$work/out" &&
    coord config set ev1.app on-Ä '{"a": [1, "b  c"]}' >"$work/out" && coord config set ev1.app text '"two\nlines \"\u00e4\""' >"$work/out" || return
  OTHER=kept ONLY=replaced expect 7 coord env ev1.app -- sh -c 'echo "$ONLY|$HTTP_PORT|$ON___|$TEXT|$OTHER"; exit 7' && silent &&
    prints $'the environment|8080|{"a":[1,"b  c"]}|two\nlines "ä"|kept' &&
    expect 0 coord env ev1.app --prefix-var My_ -- sh -c 'echo "$My_HTTP_PORT,$HTTP_PORT"' && prints 8080, &&
    expect 127 coord env ev1.app -- no-such-command-anywhere && says no-such-command-anywhere &&
    expect 143 sh -c 'coord env ev1.app -- sh -c "kill -TERM \$\$"; exit $?' && expect 0 coord env ev1.none -- true &&
    expect 9 coord env ev1.app --restart -- sh -c 'exit 9' && expect 127 coord env ev1.app --restart -- no-such-command-anywhere || return
  coord config set ev1.app http-port 1 >"$work/out" && expect 2 coord env ev1.app -- true && says 'the keys "http-port" and "http.port" would both be the variable HTTP_PORT' ||
    return
  coord config delete ev1.app http-port && coord config set ev1.app nul '"a\u0000"' >"$work/out" &&
    expect 2 coord env ev1.app -- true && says 'the value of "nul" has a NUL'
}

case_env_restarts_its_command() {
  local pid
  coord config set ev2 n 1 >"$work/out"
  # shellcheck disable=SC2016
  begin env ev2 --restart --grace 200ms -- bash -c 'echo "n=$N"; trap "" TERM; [ $N = 1 ] || trap "echo term; exit 5" TERM
    trap "echo hup" HUP; while :; do sleep 0.02; done' && pid=$holder && coord config set ev2 n 2 >"$work/out" || return
  eventually grep -q n=2 "$work/held" || fail "printed $(cat "$work/held"*)" || return
  kill -HUP "$pid" && eventually grep -q hup "$work/held" || fail "HUP does not arrive" || return
  coord config set ev2 N 2 >"$work/out" && eventually grep -q "both be the variable N" "$work/held.err" || fail "$(cat "$work/held.err")" || return
  coord put config/ev2/n '{' && eventually grep -q "no JSON" "$work/held.err" || fail "$(cat "$work/held.err")" || return
  coord config delete ev2 N && coord config set ev2 n ' 2 ' >"$work/out" && coord config set ev2 n 3 >"$work/out" &&
    eventually grep -q n=3 "$work/held" && kill -TERM "$pid" && ends 5 || return
  [ "$(tr '\n' ' ' <"$work/held")" = "n=1 n=2 hup term n=3 term " ] || fail "printed $(cat "$work/held")"
}

case_env_usage() {
  usage_fault "APP is missing" env -- true && usage_fault "behind --: coord env a -- CMD" env a && usage_fault "behind --: coord env a -- b" env a b &&
    usage_fault "no command behind" env a -- && usage_fault "--prefix-var" env a --prefix-var 1a -- true &&
    usage_fault "--grace goes with --restart" env a --grace 1s -- true && usage_fault "APP is empty" env "" -- true
}

# The commands of the guide's section on configuration, as they are printed.
case_config_of_the_guide() {
  sed -n '/^## Configuration/,/^## /p' "${here%/bindings/*}/docs/GUIDE.md" | sed -n '/^```sh/,/^```/p' | sed '/^```/d' >"$work/commands"
  [ -s "$work/commands" ] || fail "the guide has no commands for configuration" || return
  EDITOR='sed -i s/8080/8081/' expect 0 bash -euo pipefail "$work/commands" && [[ $out == *"listens on 8081"* ]] || fail "printed $out"
}

# ---- register, discover, services --------------------------------------------------------------

# A prefix for each case, of what `coord register` and its like see.
reg() { coord "$1" --option "registry.prefix=$prefix" "${@:2}"; }
instances() { reg discover web --json --quiet | j "$1"; }
seen_as() { [ "$(instances '[(e["id"], e["status"]) for e in os]')" = "$1" ]; }

case_register_runs_a_command() {
  local prefix=rg/run
  # shellcheck disable=SC2016
  expect 7 reg register web --address 10.0.0.7 --port 80 --id a --meta zone=eu --meta e= --weight 3 --program 1.2 -- sh -c '
    echo "$COORD_INSTANCE_NAME $COORD_INSTANCE_ID $COORD_INSTANCE_ADDRESS $COORD_INSTANCE_PORT"
    coord get rg/run/ --prefix; exit 7' && silent &&
    prints $'web a 10.0.0.7 80\nrg/run/web/a\n{"name":"web","address":"10.0.0.7","id":"a","version":"1.2","port":80,"weight":3,"metadata":{"zone":"eu","e":""},"status":"up"}' &&
    expect 1 coord get rg/run/ --prefix && expect 1 reg discover web && says "has no instance" &&
    expect 1 reg services && says "no service" && expect 1 reg services --quiet && silent &&
    expect 127 reg register web --address h -- no-such-command-anywhere && says no-such-command-anywhere &&
    expect 143 reg register web --address h -- sh -c 'kill -TERM $$' &&
    expect 3 reg register --endpoints $dead web --address h -- true &&
    expect 0 reg register web --address ::1 --port 80 --format etcd-naming -- coord get rg/run/web/ --prefix &&
    prints $'rg/run/web/[::1]:80\n{"Op":0,"Addr":"[::1]:80","Metadata":null}'
}

case_register_drains_before_it_ends() {
  local prefix=rg/drain begin
  begin register --option registry.prefix=$prefix web --address h --port 1 --drain 300ms -- bash -c 'trap "exit 9" TERM
    echo runs; while :; do sleep 0.02; done' || return
  begin=$EPOCHREALTIME
  kill -TERM "$holder" && eventually seen_as '[["h:1", "draining"]]' || fail "it is $(instances os)" || return
  expect 1 reg discover web --first && says "is up" && ends 9 && expect 1 coord get rg/drain/ --prefix || return
  awk -v a="$begin" -v b="$EPOCHREALTIME" 'BEGIN { exit b - a < 0.3 }' || fail "it did not wait" || return
  begin register --option registry.prefix=$prefix web --address h --drain 60s -- bash -c 'trap "exit 9" TERM
    echo runs; while :; do sleep 0.02; done' || return
  kill -TERM "$holder" && eventually seen_as '[["h", "draining"]]' && kill -TERM "$holder" && ends 9 || return
  begin register --option registry.prefix=$prefix web --address h -- bash -c 'trap "exit 9" HUP
    echo runs; while :; do sleep 0.02; done' && kill -HUP "$holder" && ends 9
}

case_register_stays_until_its_input_ends() {
  local prefix=rg/stay
  rm -f "$work/fifo" && mkfifo "$work/fifo"
  : >"$work/held"
  coord register --option registry.prefix=$prefix web --address h --port 1 --drain none <"$work/fifo" >"$work/held" 2>"$work/held.err" &
  holder=$!
  exec 7>"$work/fifo"
  eventually has_line "$work/held" && [ "$(cat "$work/held")" = web/h:1 ] || fail "$(cat "$work/held"*)" || return
  expect 75 reg register web --address h --port 1 -- true && says "another instance has this id" &&
    expect 0 reg register web --address h --port 1 --replace -- coord discover web --first --option registry.prefix=$prefix && prints h:1 || return
  exec 7>&-
  ends 0 && expect 1 reg discover web
}

case_register_comes_back_unless_another_has_its_id() {
  local prefix=rg/other lease
  begin register --option registry.prefix=$prefix web --address h --ttl 2 -- sh -c 'echo runs; exec sleep 600' || return
  lease=$(coord get rg/other/web/h --json | j 'o["lease"]')
  coord lease revoke "$lease" --quiet && eventually grep -q 'registered, as before' "$work/held.err" &&
    expect 0 coord get rg/other/web/h --json && json 'o["lease"] != "'"$lease"'"' true || fail "it said $(cat "$work/held.err")" || return
  lease=$(j 'o["lease"]' <"$work/out")
  coord put rg/other/web/h '{"address":"x"}' --quiet && coord lease revoke "$lease" --quiet && ends 76 &&
    grep -q '(CONFLICT)' "$work/held.err" || fail "it said $(cat "$work/held.err")" || return
  expect 0 reg discover web --first && prints x
}

case_discover_prints_and_follows() {
  local prefix=rg/see
  begin register --option registry.prefix=$prefix web --address 10.0.0.7 --port 80 --meta zone=eu --json --drain none || return
  local first=$holder
  [ "$(j 'o["id"]' <"$work/held")" = 10.0.0.7:80 ] || fail "printed $(cat "$work/held")" || return
  coord put rg/see/web/none 'no instance' --quiet && coord put rg/see/db/a '{"address":"d","status":"down"}' --quiet &&
    expect 0 reg discover web && [[ $out =~ ^ENDPOINT.*$'\n'10.0.0.7:80\ +up\ +1\ +10.0.0.7:80\ +zone=eu$ ]] || fail "printed $out" || return
  silent && expect 0 reg discover web --first && prints 10.0.0.7:80 && expect 0 reg discover web --json &&
    json 'len(os), o["metadata"]["zone"], o["port"]' $'1\neu\n80' && expect 0 reg discover web --first --json && json 'o["id"]' 10.0.0.7:80 &&
    expect 0 reg services && [[ $out =~ ^INSTANCES.*\ 0\ \ db$'\n'.*1\ +1\ \ web$ ]] || fail "printed $out" || return
  expect 0 reg services --json && json '[(e["name"], e["instances"], e["up"]) for e in os]' '[["db", 1, 0], ["web", 1, 1]]' || return
  reg discover web --watch >"$work/seen" 2>&1 &
  local watcher=$!
  reg discover web --watch --json >"$work/seen.json" 2>&1 &
  local other=$!
  eventually grep -q ^UP "$work/seen" && eventually has_line "$work/seen.json" || fail "it printed $(cat "$work/seen"*)" || return
  coord put rg/see/web/b '{"address":"b"}' --quiet && eventually grep -q '^UP *b' "$work/seen" &&
    coord put rg/see/web/b '{"address":"b","status":"down"}' --quiet && eventually grep -q '^CHANGED *b *down' "$work/seen" &&
    coord del rg/see/web/b --quiet >/dev/null && eventually grep -q '^DOWN *b' "$work/seen" &&
    eventually grep -q '"change":"down"' "$work/seen.json" || fail "it printed $(cat "$work/seen"*)" || return
  kill $watcher $other
  wait $watcher $other
  [ "$(j '[([c["change"] for c in e["changes"]], len(e["instances"]), e["guarded"]) for e in os if e["revision"]]' <"$work/seen.json")" = \
    '[[["up"], 1, false], [["up"], 2, false], [["changed"], 2, false], [["down"], 1, false]]' ] || fail "it printed $(cat "$work/seen.json")" || return
  kill -TERM "$first" && holder=$first && ends 0
}

case_register_discover_services_usage() {
  usage_fault "NAME is missing" register && usage_fault "--address is missing" register web &&
    usage_fault "behind --" register web true --address h && usage_fault "no command behind" register web --address h -- &&
    usage_fault "--address is empty" register web --address= && usage_fault "--id is empty" register web --address h --id= &&
    usage_fault "KEY=VALUE" register web --address h --meta zone && usage_fault "--port takes a number from 0 to 65535" register web --address h --port x &&
    usage_fault "--weight takes" register web --address h --weight -1 && usage_fault "--ttl takes" register web --address h --ttl 0 &&
    usage_fault "--drain takes" register web --address h --drain soon && usage_fault registry.format register web --address h --format xml &&
    expect 2 coord register a/b --address h -- true && says 'field "name"' &&
    usage_fault "too few" discover && usage_fault "too many" discover a b && usage_fault 'without "/"' discover a/b &&
    usage_fault "exclude each other" discover web --watch --first && usage_fault registry.format discover web --format xml &&
    usage_fault "too many" services a && usage_fault registry.format services --format xml
}

# ---- status, members, compact, version ---------------------------------------------------------

case_status_and_members() {
  expect 0 coord status && [[ $out == *revision* || $out == *REVISION* ]] || fail "printed $out" || return
  expect 0 coord status --json && json 'o["version"].split(".")[0]' 3 || return
  expect 0 coord members && [[ $out == *http://127.0.0.1:* ]] || fail "printed $out" || return
  expect 0 coord members --json && json 'len(os)' 1 || return
  usage_fault status status x && usage_fault members members x
}

case_compact() {
  local rev
  coord put comp/a 1 && rev=$(revision_of coord --json put comp/a 2) &&
    expect 0 coord compact "$rev" --physical &&
    expect 4 coord get comp/a --rev $((rev - 1)) && says COMPACTED &&
    expect 4 coord compact "$rev" && says COMPACTED &&
    usage_fault '"x"' compact x && usage_fault '"0"' compact 0 && usage_fault compact compact
}

case_version() {
  expect 0 coord version && [[ $out =~ ^coord\ [0-9]+\.[0-9]+\.[0-9]+ ]] || fail "printed $out" || return
  expect 0 coord --version && [[ $out == coord\ * ]] || fail "printed $out" || return
  expect 0 coord version --json && json '"version" in o' true
}

# ---- usage, connection, output -----------------------------------------------------------------

case_help_of_every_verb() {
  local verb
  expect 0 coord --help && silent && [[ $out == *"Exit codes"* ]] || fail "printed $out" || return
  for verb in get put del txn import export lease lock elect config env register discover services status members compact dev version; do
    [[ $out == *" $verb "* ]] || fail "--help does not list $verb" || return
  done
  for verb in get put del txn import export lease lock elect config env register discover services status members compact dev version; do
    expect 0 coord "$verb" --help && silent && [[ $out == "usage: coord $verb"* ]] || fail "$verb: printed $out" || return
  done
  expect 2 coord && [[ $err == usage:* ]] || fail "said $err"
}

# The lines below "Examples" that begin with $, as they are printed, in a directory of their own, on an etcd of its own.
case_examples_run_as_printed() {
  local verb
  for verb in "" get put del txn import export lease lock elect config env register discover services status members compact version dev; do
    # shellcheck disable=SC2086
    coord $verb --help | sed -n '/^Examples/,/^Flags of/p' | sed -n 's/^  \$ //p; s/^      //p' >"$work/example"
    [ -s "$work/example" ] || fail "$verb has no example" || return
    mkdir "$work/ex"
    (cd "$work/ex" && coord dev -- bash -euo pipefail "$work/example") >"$work/out" 2>"$work/err" </dev/null ||
      fail "an example of $verb: $(cat "$work/err")" || return
    rm -r "$work/ex"
  done
}

case_usage_faults() {
  usage_fault gte gte k && usage_fault KEY get && usage_fault KEY get a b && usage_fault bogus get k --bogus &&
    usage_fault bogus --bogus get k && usage_fault --limit get k --limit x && usage_fault --limit get k --limit -1 &&
    usage_fault --rev get k --rev 1x && usage_fault --sort get k --sort size && usage_fault limit get k --limit &&
    usage_fault --timeout get k --timeout soon && usage_fault --timeout get k --timeout 0 &&
    usage_fault --option get k --option nothing && usage_fault no.such --option no.such=1 get k &&
    usage_fault 70000000000 --option request.timeout.ms=70000000000 get k &&
    usage_fault endpoints --endpoints 'host:port:x' get k && usage_fault --lease put k v --lease xyz &&
    usage_fault VALUE put k v --file f && usage_fault ignore-value put k v --ignore-value &&
    usage_fault "no such file" put k --file "$work/no such file" && usage_fault empty put '' v &&
    usage_fault empty get '' && usage_fault prefix get k --prefix --from-key && usage_fault prefix del k --prefix --range-end z
}

case_flags_may_stand_anywhere() {
  coord put any/a 1 && expect 0 coord get --json any/a && json 'o["value"]' 1 &&
    expect 0 coord --json get any/a && json 'o["value"]' 1 &&
    expect 0 coord get any/a --timeout 5s --endpoints "$COORD_ENDPOINTS" && prints 1 &&
    expect 0 coord put any/b -- --json && expect 0 coord get any/b && prints --json &&
    expect 0 coord put any/c -- -5 && expect 0 coord get any/c && prints -5
}

case_nobody_there_exits_3() {
  expect 3 coord --endpoints $dead get k && says UNAVAILABLE && says "$dead" && prints "" &&
    COORD_ENDPOINTS=$dead expect 3 coord put k v && expect 3 coord --endpoints $dead status &&
    expect 3 coord --endpoints $dead export k && echo '{"key":"k","value":"v"}' >"$work/in" &&
    expect 3 coord --endpoints $dead import "$work/in" &&
    expect 0 coord --endpoints "$dead,$COORD_ENDPOINTS" put k v
}

# The commands of the guide's section on TLS, as they are printed, and then what else the flags can meet.
case_tls() {
  local guide=${here%/bindings/*}/docs/GUIDE.md
  mkdir "$work/tls" && sed -n '/^## TLS/,/^## /p' "$guide" | sed -n '/^```sh/,/^```/p' | sed '/^```/d' >"$work/tls/commands"
  [ -s "$work/tls/commands" ] || fail "the guide has no commands for TLS" || return
  # Its own last line stops the server; the checks come before that.
  {
    echo "trap 'kill \$server' EXIT"
    grep -v '^kill' "$work/tls/commands"
    cat <<-END
	set +e
	echo --- >>results
	ca="--cacert ca.pem" id="--cert client.pem --key client.key"
	check() { local want=\$1 got=0; shift; "\$@" >out 2>&1 || got=\$?; echo "\$want \$got \$(tr '\n' ' ' <out)" >>results; }
	check 0 coord get hello \$ca \$id
	check 0 coord status \$ca \$id
	check 0 coord get hello --insecure-skip-tls-verify \$id
	check 0 coord get hello --option tls.ca=ca.pem --option tls.cert=client.pem --option tls.key=client.key
	check 3 coord get hello \$id
	check 3 coord get hello \$ca
	check 3 coord --endpoints 127.0.0.1:12379 get hello
	check 2 coord get hello --cacert none.pem
	check 2 coord get hello --cacert ca.pem --cert client.pem --key server.key
	check 2 coord get hello --cacert=
	exit 0
END
  } >"$work/tls/all"
  (cd "$work/tls" && timeout 60 bash -euo pipefail all) >"$work/out" 2>"$work/err" </dev/null ||
    fail "the guide's commands fail: $(cat "$work/err")" || return
  [[ $(cat "$work/out") == *world* ]] || fail "the guide's commands print $(cat "$work/out")" || return
  local want got text
  while read -r want got text; do
    [ "$want" = --- ] || [ "$want" = "$got" ] || fail "exit code $got, not $want, with \"$text\"" || return
  done <"$work/tls/results"
  [ "$(wc -l <"$work/tls/results")" = 11 ] || fail "checks are missing"
  grep -q '(TLS)' "$work/tls/results" || fail "no message says TLS"
}

case_silent_server_times_out() {
  local port begin=$SECONDS
  command -v python3 >/dev/null || return 0
  # Accepts and says nothing, until its standard input closes.
  coproc SILENT { exec python3 -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1], flush=True); sys.stdin.read()'; }
  local pid=$SILENT_PID
  read -r port <&"${SILENT[0]}"
  expect 3 coord --endpoints "127.0.0.1:$port" --timeout 300ms get k && says TIMEOUT
  local status=$?
  kill "$pid" && wait "$pid" 2>/dev/null
  [ $((SECONDS - begin)) -le 4 ] || fail "--timeout 300ms took $((SECONDS - begin)) s" || return
  return $status
}

case_too_large_is_refused() {
  head -c 1600000 /dev/zero >"$work/in"
  expect 4 coord put large --file "$work/in" && says TOO_LARGE
}

case_no_colour_in_a_file() {
  coord put colour/a 1 && expect 0 coord get colour/ --prefix && [[ $out != *$'\e'* ]] || fail "printed $out" || return
  command -v script >/dev/null || return 0
  printf '\033[2J\a\xff' | coord put colour/b - &&
    TERM=xterm script -qec "coord get colour/b --no-color" /dev/null </dev/null >"$work/out" 2>&1
  ! grep -q $'\a' "$work/out" && grep -qF '\x1b[2J\x07\xff' "$work/out" ||
    fail "a terminal gets raw control bytes: $(cat -v "$work/out")" || return
  TERM=xterm script -qec "coord get colour/a --prefix" /dev/null </dev/null >"$work/out" 2>&1
  grep -q $'\e\[36m' "$work/out" || fail "a terminal gets no colour: $(cat -v "$work/out")" || return
  TERM=xterm NO_COLOR=1 script -qec "coord get colour/a --prefix" /dev/null </dev/null >"$work/out" 2>&1
  ! grep -q $'\e' "$work/out" || fail "NO_COLOR: $(cat -v "$work/out")"
}

case_errors_have_one_form() {
  run coord --endpoints $dead get k
  [[ $err =~ ^coord:\ [^:]+:\ .*\ \([A-Z_]+\) ]] || fail "said $err" || return
  run coord get
  [[ $err =~ ^coord:\ .*\ \([A-Z_]+\) ]] || fail "said $err"
}

# ---- auth, user, role ---------------------------------------------------------------------------

case_user_add_get_grant_revoke_delete() {
  export COORD_NEW_PASSWORD=pw1
  expect 0 coord user add u-ann && prints "user u-ann added" && silent &&
    expect 0 coord user list && [[ $'\n'$out$'\n' == *$'\nu-ann\n'* ]] &&
    expect 0 coord role add u-dev && prints "role u-dev added" &&
    expect 0 coord user grant u-ann u-dev && prints "user u-ann has the role now" &&
    expect 0 coord user get u-ann && prints u-dev &&
    expect 0 coord user get u-ann --json && json 'o["roles"]' '["u-dev"]' &&
    expect 0 coord user revoke u-ann u-dev && prints "user u-ann has the role no longer" &&
    expect 0 coord user get u-ann && prints "" &&
    expect 0 coord user delete u-ann --json && json 'o["user"]' u-ann && json 'o["revision"] > 0' true &&
    expect 0 coord role delete u-dev --quiet && prints "" &&
    expect 4 coord user get u-ann && says "user name not found (NOT_FOUND)"
}

case_user_takes_passwords_from_files_and_stdin() {
  unset COORD_NEW_PASSWORD
  printf 'one\nrest' >"$work/pw"
  : >"$work/empty"
  expect 0 coord user add u-file --new-password-file "$work/pw" &&
    expect 4 coord user add u-file --new-password-file "$work/pw" && says "already exists (CONFLICT)" &&
    expect 0 bash -c 'echo two | coord user passwd u-file --new-password-file -' &&
    prints "user u-file has a new password" &&
    expect 2 coord user passwd u-file --new-password-file "$work/empty" && says "is empty" &&
    expect 2 coord user passwd u-file --new-password-file "$work/none" && says "No such file" &&
    expect 2 coord user passwd u-file && says "a password is needed: --new-password-file FILE, \$COORD_NEW_PASSWORD" &&
    expect 2 coord user add u-x --no-password --new-password-file "$work/pw" && says "exclude each other" &&
    expect 0 coord user add u-none --no-password
}

# A terminal of its own: what is typed must not be shown.
on_terminal() {
  timeout 20 python3 -c 'import os, pty, sys, time
typed, pid, fd = sys.argv[1].split(","), *pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
seen = b""
try:
    while True:
        got = os.read(fd, 1024)
        if not got:
            break
        seen += got
        if seen.rstrip(b" ").endswith(b":") and typed:
            time.sleep(0.05)
            os.write(fd, typed.pop(0).encode() + b"\n")
except OSError:
    pass
print(seen.decode().replace("\r", ""), end="")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))' "$@"
}

case_user_asks_for_a_password_on_the_terminal() {
  unset COORD_NEW_PASSWORD
  expect 0 on_terminal s3cret,s3cret coord user add u-tty && [[ $out == *"New password of u-tty: "*"Once more: "*"user u-tty added"* ]] &&
    { [[ $out != *s3cret* ]] || fail "the password is shown: $out"; } &&
    expect 2 on_terminal one,two coord user add u-tty2 && [[ $out == *"the two passwords differ"* ]] &&
    expect 2 on_terminal "" coord user add u-tty2 && [[ $out == *"no password was given"* ]]
}

case_role_permissions() {
  expect 0 coord role add r-dev && expect 0 coord role grant r-dev read a && prints "role r-dev has the permission now" &&
    expect 0 coord role grant r-dev write b/ --prefix && expect 0 coord role grant r-dev readwrite c --range-end e &&
    expect 0 coord role grant r-dev read x --from-key && expect 0 coord role grant r-dev read "" --prefix &&
    expect 0 coord role grant r-dev read /w== --key-base64 &&
    expect 0 coord role get r-dev &&
    prints $'read      all keys\nread      a\nwrite     b/ and all that begins so\nreadwrite c to e\nread      x and all from there on\nread      \xff' &&
    expect 0 coord role get r-dev --json && json 'len(o["permissions"])' 6 &&
    json 'o["permissions"][2]' '{"permission": "write", "key": "b/", "range_end": "b0"}' &&
    json 'o["permissions"][5]' '{"permission": "read", "key_base64": "/w=="}' &&
    expect 0 coord role revoke r-dev b/ --prefix && prints "role r-dev has the permission no longer" &&
    expect 4 coord role revoke r-dev b/ && says "permission is not granted" &&
    expect 0 coord role list --json && json '"r-dev" in o["roles"]' true
}

case_auth_user_role_bad_usage() {
  usage_fault 'what to do is missing: one of enable, disable, status' auth &&
    usage_fault '"on" is none of enable, disable, status' auth on &&
    usage_fault '"x" is one argument too many' auth enable x &&
    usage_fault 'too few arguments: coord user add NAME' user add &&
    usage_fault '--no-password is not for user get' user get x --no-password &&
    usage_fault '"all" is no permission: read, write or readwrite' role grant r all k &&
    usage_fault 'exclude each other' role grant r read k --prefix --from-key &&
    usage_fault 'the key is empty' role grant r read "" &&
    usage_fault 'not base64' role grant r read '!' --key-base64 &&
    usage_fault 'user name is empty' user get "" &&
    usage_fault 'is not UTF-8' user get $'\xff' &&
    usage_fault '--user is empty' get a --user= &&
    usage_fault '--password-file needs --user' get a --password-file /dev/null &&
    usage_fault 'a password is needed: --password-file FILE, $COORD_PASSWORD or $ETCDCTL_PASSWORD' get a --user ann
}

case_auth_from_the_switch_to_the_login() {
  # shellcheck disable=SC2016
  expect 0 coord dev -- bash -euc '
    export COORD_NEW_PASSWORD=rootpw
    coord user add root --quiet; coord role add root --quiet; coord user grant root root --quiet
    COORD_NEW_PASSWORD=annpw coord user add ann --quiet
    coord role add dev --quiet; coord role grant dev readwrite app/ --prefix --quiet; coord user grant ann dev --quiet
    coord auth enable
    coord put app/a 1 2>&1 || echo "exit $?"
    ETCDCTL_PASSWORD=annpw coord put app/a 1 --user ann
    printf "annpw\n" | coord get app/a --user ann --password-file -
    COORD_USERNAME=ann COORD_PASSWORD=annpw coord get other 2>&1 || echo "exit $?"
    COORD_PASSWORD=wrong coord get app/a --user ann 2>&1 || echo "exit $?"
    coord get app/a --option username=ann --option password=annpw
    COORD_PASSWORD=rootpw coord auth disable --user root --json
    coord get app/a' && silent
  local want=$'authentication is on\ncoord: put: 127.0.0.1:N: put of "app/a": etcdserver: user name is empty (AUTH)\nexit 4\n1\ncoord: get: 127.0.0.1:N: get of "other": etcdserver: permission denied (AUTH)\nexit 4\ncoord: get: 127.0.0.1:N: login as "ann": etcdserver: authentication failed, invalid user ID or password (AUTH)\nexit 4\n1\n{"enabled":false,"revision":2}\n1'
  out=$(sed 's/127.0.0.1:[0-9]*/127.0.0.1:N/; /^[0-9]* *$/{/^1$/!d}' <<<"$out")
  prints "$want"
}

case_auth_status() {
  run coord auth status
  if [ "$code" = 4 ]; then says UNSUPPORTED; return; fi
  [[ $out == "off, at revision "* ]] || fail "printed $out" || return
  expect 0 coord auth status --json && json 'o["enabled"]' false
}

# ---- coord dev ---------------------------------------------------------------------------------

case_dev_passes_the_exit_code_on() {
  expect 0 coord dev -- true && expect 7 coord dev -- sh -c 'exit 7' &&
    expect 127 coord dev -- no-such-command-anywhere && says no-such-command-anywhere &&
    expect 143 coord dev -- sh -c 'kill -TERM $$' && leaves_nothing
}

case_dev_sets_the_endpoints() {
  # shellcheck disable=SC2016
  expect 0 coord dev -- sh -c 'coord put d 1 && coord get d && echo "$COORD_ENDPOINTS"' &&
    [[ $out =~ ^1$'\n'127\.0\.0\.1:[0-9]+$ ]] || fail "printed $out" || return
  [[ $out != *"$COORD_ENDPOINTS"* ]] || fail "it is the etcd around it" || return
  leaves_nothing
}

case_dev_ignores_settings_of_etcd_in_the_environment() {
  ETCD_DATA_DIR=/nonexistent ETCD_LISTEN_METRICS_URLS=bogus ETCD_CERT_FILE=/nonexistent expect 0 coord dev -- coord put a 1 &&
    leaves_nothing
}

case_dev_usage() {
  usage_fault bogus dev --bogus && expect 2 coord dev --etcd "$work/no such etcd" -- true && says "no such etcd" &&
    leaves_nothing
}

case_dev_with_an_etcd_that_ends() {
  printf '#!/bin/sh\necho the reason >&2\nexit 3\n' >"$work/bad-etcd" && chmod +x "$work/bad-etcd" &&
    expect 5 coord dev --etcd "$work/bad-etcd" -- true && says "the reason" && leaves_nothing
}

# Starts `coord dev` and waits until it has said how to reach it: $dev, $endpoint
dev_start() {
  : >"$work/dev"
  coord --json dev >"$work/dev" 2>"$work/dev.err" &
  dev=$!
  eventually has_line "$work/dev" || fail "coord dev says nothing: $(cat "$work/dev.err")" || return
  endpoint=$(j 'o["endpoints"]' <"$work/dev")
  expect 0 coord --endpoints "$endpoint" put k v
}

dev_ends_by() {
  dev_start || return
  kill "-$1" "$dev"
  eventually gone "$dev" || fail "it survives SIG$1" || return
  code=0
  wait "$dev" 2>/dev/null || code=$?
  expect 3 coord --endpoints "$endpoint" get k
}

case_dev_ends_by_SIGINT() { dev_ends_by INT && leaves_nothing; }
case_dev_ends_by_SIGTERM() { dev_ends_by TERM && leaves_nothing; }

case_dev_killed_leaves_nothing() {
  dev_start && kill -KILL "$dev" && { wait "$dev" 2>/dev/null || true; } && leaves_nothing &&
    expect 3 coord --endpoints "$endpoint" get k
}

case_dev_killed_takes_its_command_along() {
  # shellcheck disable=SC2016
  coord dev -- sh -c 'echo $$ >"'"$work"'/child"; exec sleep 600' &
  local dev=$! child
  rm -f "$work/child"
  eventually has_line "$work/child" || fail "the command does not run" || return
  child=$(cat "$work/child")
  kill -KILL "$dev"
  wait "$dev" 2>/dev/null
  eventually gone "$child" || { kill "$child"; fail "the command runs on"; } || return
  leaves_nothing
}

case_dev_passes_SIGTERM_on() {
  rm -f "$work/child"
  # shellcheck disable=SC2016
  coord dev -- bash -c 'trap "exit 9" TERM; echo $$ >"'"$work"'/child"; while :; do sleep 0.05; done' &
  local dev=$!
  eventually has_line "$work/child" || fail "the command does not run" || return
  kill -TERM "$dev"
  code=0
  wait "$dev" || code=$?
  [ "$code" = 9 ] || fail "exit code $code, not 9" || return
  leaves_nothing
}

case_dev_interrupted_while_it_starts() {
  printf '#!/bin/sh\nexec sleep 600\n' >"$work/slow-etcd" && chmod +x "$work/slow-etcd"
  coord dev --etcd "$work/slow-etcd" >"$work/out" 2>"$work/err" &
  local dev=$!
  eventually dev_directory || fail "it makes no directory" || return
  kill -TERM "$dev"
  eventually gone "$dev" || { kill -KILL "$dev"; fail "it survives SIGTERM"; } || return
  wait "$dev" 2>/dev/null
  leaves_nothing
}
dev_directory() { [ -n "$(ls -A "$TMPDIR")" ]; }

# ---- where the options come from ---------------------------------------------------------------

case_namespace_is_put_before_keys_and_taken_off() {
  expect 0 coord --namespace cns/ put k v && expect 0 coord get cns/k && prints v &&
    expect 0 coord --namespace cns/ get "" --prefix && prints $'k\nv' &&
    COORD_NAMESPACE=cns/ expect 0 coord get k && prints v &&
    COORD_NAMESPACE=other/ expect 0 coord --namespace cns/ get k && prints v &&
    COORD_NAMESPACE=cns/ expect 0 coord --namespace "" get cns/k && prints v
}

case_config_file_and_section() {
  printf 'defaults:\n  endpoints: [%s]\n  namespace: cfg/\nsub:\n  namespace: cfg/sub/\n' \
    "$COORD_ENDPOINTS" >"$work/coord.yaml"
  local own=$COORD_ENDPOINTS
  coord put cfg/k 1 && coord put cfg/sub/k 2 && coord put k 3 || return
  unset COORD_ENDPOINTS
  expect 0 coord --config "$work/coord.yaml" get k && prints 1 &&
    expect 0 coord --config "$work/coord.yaml" --section sub get k && prints 2 &&
    COORD_CONFIG=$work/coord.yaml expect 0 coord get k && prints 1 &&
    COORD_CONFIG=$work/coord.yaml#sub expect 0 coord get k && prints 2 &&
    COORD_CONFIG=$work/coord.yaml expect 0 coord --section sub get k && prints 2 &&
    COORD_CONFIG=$work/none.yaml#x expect 0 coord --config "$work/coord.yaml" get k && prints 1 &&
    COORD_NAMESPACE=cfg/sub/ expect 0 coord --config "$work/coord.yaml" get k && prints 2 &&
    expect 0 coord --config "$work/coord.yaml" --option namespace= get k && prints 3 &&
    COORD_ENDPOINTS=$dead expect 3 coord --config "$work/coord.yaml" get k
  local result=$?
  export COORD_ENDPOINTS=$own
  return $result
}

case_bad_config_is_named() {
  printf 'defaults:\n  request.timeout: 5\n' >"$work/bad.yaml"
  usage_fault 'bad.yaml", line 2, column 3: there is no option "request.timeout"; did you mean request.timeout.ms?' \
    --config "$work/bad.yaml" get k &&
    printf 'defaults: {}\n' >"$work/good.yaml" &&
    usage_fault 'has no section "x"; it has defaults' --config "$work/good.yaml" --section x get k &&
    usage_fault 'cannot be read: No such file' --config "$work/none.yaml" get k &&
    usage_fault '--config is empty' --config "" get k &&
    usage_fault '--section goes with --config or COORD_CONFIG' --section x get k &&
    COORD_CONFIG=$work/none.yaml usage_fault 'variable COORD_CONFIG: options file' get k
}

case_environment_sets_options() {
  local own=$COORD_ENDPOINTS
  expect 0 coord put env/k v &&
    COORD_LOG_LEVEL=loud usage_fault 'variable COORD_LOG_LEVEL: option log.level: "loud"' get k &&
    COORD_ENDPOINT=x usage_fault 'did you mean COORD_ENDPOINTS?' get k &&
    COORD_NAMESPACE=env/ COORD_LOG_LEVEL=debug expect 0 coord get k && prints v && says "debug: get" &&
    ETCDCTL_ENDPOINTS=$dead expect 0 coord get env/k && prints v &&
    COORD_ENDPOINTS="" ETCDCTL_ENDPOINTS=$own expect 0 coord get env/k && prints v &&
    COORD_ENDPOINTS="" ETCDCTL_ENDPOINTS=$dead expect 3 coord get env/k
}

case_endpoints_may_be_a_url() {
  expect 0 coord put url/k v &&
    expect 0 coord --endpoints "etcd://$COORD_ENDPOINTS/url/?request.timeout.ms=3000" get k && prints v &&
    expect 0 coord --endpoints "etcd://$dead,$COORD_ENDPOINTS/url/" get k && prints v &&
    expect 0 coord --endpoints "etcd://$COORD_ENDPOINTS/url/" --namespace "" get url/k && prints v &&
    expect 0 coord --endpoints "etcd://$COORD_ENDPOINTS/url/" --json status && json 'o["endpoint"]' "$COORD_ENDPOINTS" &&
    usage_fault 'holds a password' --endpoints "etcd://u:hunter2@$COORD_ENDPOINTS" get k &&
    { [[ $err != *hunter2* ]] || fail "shows the password"; }
}

# The revision that the newest put has got.
put_rev() { coord --json put "$@" | sed 's/.*"revision":\([0-9]*\).*/\1/'; }

case_watch_tells_the_past_from_a_revision_on() {
  local rev
  rev=$(put_rev watch/a 1) && expect 0 coord put watch/b 2 && expect 0 coord del watch/a &&
    expect 0 coord put elsewhere x &&
    expect 0 coord watch watch/ --prefix --rev "$rev" --limit 3 --quiet &&
    prints $'PUT\nwatch/a\n1\nPUT\nwatch/b\n2\nDELETE\nwatch/a' && silent &&
    expect 0 coord watch watch/b --rev "$rev" --limit 1 --json && json 'o["type"], o["key"], o["value"], o["version"]' $'put\nwatch/b\n2\n1' &&
    expect 0 coord --namespace watch/ watch --rev "$rev" --limit 1 && prints $'PUT\na\n1' &&
    says "Watching what comes after revision $((rev - 1))."
}

case_watch_follows_what_comes() {
  : >"$work/watched"
  coord watch watch/live --prev --json --limit 2 >"$work/watched" 2>"$work/watch.err" &
  local pid=$!
  for _ in $(seq 100); do grep -q Watching "$work/watch.err" && break; sleep 0.05; done
  expect 0 coord put watch/live 1 && expect 0 coord put watch/live 2 && wait "$pid" || fail "it ended with $?"
  [ "$(sed -n 2p "$work/watched" | python3 -c 'import json,sys; o=json.load(sys.stdin); print(o["value"], o["prev"]["value"])')" = "2 1" ] ||
    fail "it printed $(cat "$work/watched")"
}

case_watch_runs_a_command() {
  local rev
  rev=$(put_rev watch/c 'a value') && expect 0 coord del watch/c &&
    expect 0 coord watch watch/c --rev "$rev" --limit 2 --quiet -- sh -c 'echo "$COORD_WATCH_TYPE $COORD_WATCH_KEY $COORD_WATCH_REVISION [$(cat)]"' &&
    prints "put watch/c $rev [a value]"$'\n'"delete watch/c $((rev + 1)) []" &&
    expect 7 coord watch watch/c --rev "$rev" -- sh -c 'exit 7' &&
    expect 127 coord watch watch/c --rev "$rev" -- /no/such/program && says "cannot run /no/such/program"
}

case_watch_is_told_of_compaction() {
  local rev
  rev=$(put_rev watch/d 1) && expect 0 coord put watch/d 2 && expect 0 coord compact "$((rev + 1))" &&
    expect 4 coord watch watch/d --rev "$rev" && says COMPACTED
}

case_watch_usage() {
  usage_fault 'there is no command behind --' watch k -- && usage_fault '"b" too' watch a b &&
    usage_fault --rev watch k --rev 0 && usage_fault --limit watch k --limit x && usage_fault 'need a KEY' watch --from-key &&
    usage_fault 'exclude each other' watch k --json -- true
}

case_help_tells_where_options_come_from() {
  expect 0 coord --help && local flag && for flag in --config --section --namespace COORD_CONFIG COORD_NAMESPACE etcd://; do
    [[ $out == *"$flag"* ]] || fail "--help lacks $flag" || return
  done
}

# ---- all of them -------------------------------------------------------------------------------

bad=0
if [ $# -gt 0 ]; then names=("${@/#/case_}"); else mapfile -t names < <(compgen -A function case_ | sort); fi
for name in "${names[@]}"; do
  why=""
  if "$name" && [ -z "$why" ]; then
    echo "ok ${name#case_}"
  else
    echo "not ok ${name#case_}: $(tr '\n' ' ' <<<"${why:-failed}")"
    bad=1
  fi
done
exit $bad
