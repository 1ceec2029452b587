#!/usr/bin/env bash
# Real data through libcoord into a real etcd and back, compared byte by byte; then a race of compare-and-set.
#
# usage: tools/demo.sh [FILE]      FILE: in the form of dpkg's status file, which is the default
#
# `./dev demo` builds what this needs and calls it. COORD_BIN and COORD_RACE name the `coord` command and the
# counter_race example to use; COORD_TEST_ETCD and COORD_TEST_ETCDCTL name the server and its own client, otherwise
# those on PATH are taken. Writes only to a temporary directory, which it removes.
set -euo pipefail
export LC_ALL=C # points in numbers, whatever the user's language

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
threads=8 increments=500 page=100 gets=20

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' red=$'\e[31m' plain=$'\e[0m'
else
  bold="" dim="" green="" red="" plain=""
fi

fail() {
  printf '%s\n' "${red}demo: FAILED: $*${plain}" >&2
  exit 1
}

# Prints the absolute path of a program: $1 what it is, $2 its path or name.
program() {
  local path
  path=$(command -v -- "$2") || fail "there is no $1 at \"$2\"; ./dev demo provides it"
  realpath -s -- "$path"
}

coord=$(program "coord command" "${COORD_BIN:-$root/build/release/bindings/cli/coord}")
race=$(program "counter_race example" "${COORD_RACE:-$root/build/release/examples/c/counter_race}")
etcd=$(program etcd "${COORD_TEST_ETCD:-etcd}")
etcdctl=$(program etcdctl "${COORD_TEST_ETCDCTL:-etcdctl}")
python=$(program python3 python3)

# The first time around: start a throwaway etcd and do the rest under it. It is stopped when that ends.
if [ "${1:-}" != --inside ]; then
  [ $# -le 1 ] || fail "takes one FILE, got $# arguments"
  data=${1:-/var/lib/dpkg/status}
  if [ ! -f "$data" ] || [ ! -r "$data" ]; then
    fail "cannot read \"$data\"; name another file of that form, such as a Packages file of apt"
  fi
  exec "$coord" dev --etcd "$etcd" -- "$root/tools/demo.sh" --inside "$(realpath -- "$data")"
fi
data=$2
started=$EPOCHREALTIME

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$work"
mkdir bin
ln -s "$coord" bin/coord
ln -s "$race" bin/counter_race
ln -s "$etcdctl" bin/etcdctl
ln -s "$python" bin/python3
unset "${!ETCDCTL_@}"
export PATH=$work/bin:$PATH ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$COORD_ENDPOINTS

# ---- how it is told ----------------------------------------------------------------------------

steps=0

# A heading, the command as it is run (in the temporary directory), and running it.
step() {
  steps=$((steps + 1))
  printf '%s\n' "${bold}$steps  $1${plain}  ${dim}\$ $2${plain}"
  eval "$2" || {
    [[ $2 != *' 2>'* ]] || cat "${2##* 2>}" >&2
    fail "step $steps, ${1,}: the command above"
  }
}

note() { printf '   %s\n' "$*"; }
good() { printf '   %s\n' "${green}ok${plain}  $*"; }

# A number in a file with one JSON object: FILE NAME
number() {
  local value
  value=$(sed -n 's/^{.*"'"$2"'": *\([-+.0-9eE]*\).*/\1/p' "$1" | tail -n 1)
  [ -n "$value" ] || fail "$1 does not say \"$2\""
  printf '%s\n' "$value"
}

same() { [ "$2" = "$3" ] || fail "$1: $2 expected, $3 found"; }

seconds_since() { awk -v a="$1" -v b="$EPOCHREALTIME" 'BEGIN { printf "%.3f", b - a }'; }

# ---- records and JSON lines --------------------------------------------------------------------

cat >records.py <<'PYTHON'
"""cut FILE ORDER > LINES     a JSON line for each record; ORDER keeps what joins them again
join ORDER < LINES > FILE  the records from such lines, or from what `etcdctl get -w json` writes"""
import base64, collections, json, re, sys

def member(o, name, data):
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        o[name + "_base64"] = base64.b64encode(data).decode()
    else:
        o[name] = text

def content(o, name):
    if name + "_base64" in o:
        return base64.b64decode(o[name + "_base64"], validate=True)
    return o[name].encode("utf-8")

def field(record, name):
    found = re.search(rb"^" + name + rb": *(\S+)", record, re.M)
    if not found:
        sys.exit("records: a record has no field %s: %r" % (name.decode(), record[:80]))
    return found.group(1)

def cut(path, order):
    # A record ends with its last line end; the blank lines after it belong to no record.
    parts = re.split(rb"(?<=\n)(\n+)", open(path, "rb").read())
    records, blanks = parts[0::2], parts[1::2]
    if not records[-1]:
        records.pop()
    blanks += [b""] * (len(records) - len(blanks))
    names = [field(r, b"Package") for r in records]
    count = collections.Counter(names)
    keys = [b"/packages/" + (n if count[n] == 1 else n + b":" + field(r, b"Architecture"))
            for n, r in zip(names, records)]
    for key, n in collections.Counter(keys).items():
        if n > 1:
            sys.exit("records: %s occurs %d times" % (key.decode(), n))
    with open(order, "w", encoding="utf-8") as out:
        for key, record, blank in zip(keys, records, blanks):
            o = {}
            member(o, "key", key)
            member(o, "value", record)
            print(json.dumps(o, ensure_ascii=False))
            print(key.decode(), len(blank), sep="\t", file=out)

def join(order):
    found = {}
    for line in sys.stdin:
        o = json.loads(line)
        if "kvs" in o:
            pairs = [(base64.b64decode(kv["key"]), base64.b64decode(kv["value"])) for kv in o["kvs"]]
        else:
            pairs = [(content(o, "key"), content(o, "value"))]
        for key, value in pairs:
            if key in found:
                sys.exit("records: %s came twice" % key.decode())
            found[key] = value
    for line in open(order, encoding="utf-8"):
        key, blanks = line.split("\t")
        if key.encode() not in found:
            sys.exit("records: %s is missing" % key)
        sys.stdout.buffer.write(found.pop(key.encode()) + b"\n" * int(blanks))
    if found:
        sys.exit("records: there is also %s" % next(iter(found)).decode())

sys.stdin.reconfigure(encoding="utf-8")
sys.stdout.reconfigure(encoding="utf-8")
{"cut": cut, "join": join}[sys.argv[1]](*sys.argv[2:])
PYTHON

# ---- the story ---------------------------------------------------------------------------------

printf '%s\n\n' "${bold}Every package record of this machine goes through libcoord into a real etcd and back.${plain}"

step "A throwaway etcd" "coord --json status >status.json"
version=$(sed -n 's/.*"version":"\([^"]*\)".*/\1/p' status.json)
note "etcd $version at $COORD_ENDPOINTS, started by \`coord dev\`, with its data in a temporary directory"

step "A copy of the data" "cp $(printf %q "$data") source"
note "$(wc -c <source) bytes: records of several lines, a blank line after each"

step "A key for each record" "python3 records.py cut source order >packages.jsonl"
keys=$(wc -l <order)
[ "$keys" -gt 0 ] || fail "$data holds no record"
note "$keys keys, from $(head -n 1 order | cut -f 1) to $(tail -n 1 order | cut -f 1)"

step "Into etcd" "coord --json import packages.jsonl >import.json"
same "keys imported" "$keys" "$(number import.json keys)"
good "$keys keys: independent puts, many under way at once on one connection"

step "Back, page by page" "coord --json export --page $page /packages/ >export.jsonl 2>export.err"
same "keys exported" "$keys" "$(number export.err keys)"
good "$keys keys, $page at a time, all as they were at one revision"

step "Every byte compared" "python3 records.py join order <export.jsonl >restored && cmp source restored"
good "the file put together from the export is the source: $(wc -c <restored) bytes, $(sha256sum <restored | cut -c 1-16)..."

step "Another client agrees" "etcdctl --command-timeout=30s get /packages/ --prefix -w json >etcdctl.json 2>etcdctl.err"
same "keys that etcdctl counts" "$keys" "$(number etcdctl.json count)"
python3 records.py join order <etcdctl.json >restored || fail "etcdctl reads other records"
cmp source restored || fail "etcdctl reads other bytes"
good "etcdctl counts $keys keys and reads the same bytes"

first=$(sed -n 's/^\(\/packages\/dpkg\)\t.*/\1/p' order)
first=${first:-$(head -n 1 order | cut -f 1)}
step "One of them" "coord get --print-value-only $(printf %q "$first") >one"
head -n 3 one | cut -c 1-90 | sed 's/^/   | /'
begin=$EPOCHREALTIME
for ((i = 0; i < gets; i++)); do
  coord get --print-value-only "$first" >again || fail "coord get $first"
  cmp one again || fail "coord get $first differs from the time before"
done
get_seconds=$(seconds_since "$begin")
good "and the same, $gets times over"

step "A race for one counter" \
  "counter_race --json --threads $threads --increments $increments --key /race >race.json"
same "the counter at the end" $((threads * increments)) "$(number race.json final)"
same "increments lost" 0 "$(number race.json lost)"
same "the counter as etcdctl reads it" $((threads * increments)) \
  "$(etcdctl get /race --print-value-only 2>etcdctl.err)"
good "$threads threads added one $increments times each, the counter is $((threads * increments)): no increment was lost"

# ---- the table ---------------------------------------------------------------------------------

# WHAT AMOUNT SECONDS RATE RATE
row() { printf '   %-29s %20s %8s s %14s  %s\n' "$@" | sed 's/ *$//'; }

# BYTES SECONDS, and so on: awk does the arithmetic.
megabytes() { awk -v n="$1" 'BEGIN { printf "%.2f MB", n / 1e6 }'; }
rate() { awk -v n="$1" -v s="$2" 'BEGIN { printf "%.0f", n / (s > 0 ? s : 1e-6) }'; }
megabyte_rate() { awk -v n="$1" -v s="$2" 'BEGIN { printf "%.1f MB/s", n / 1e6 / (s > 0 ? s : 1e-6) }'; }
short() { awk -v s="$1" 'BEGIN { printf "%.3f", s }'; }

transfer() {
  local bytes seconds
  bytes=$(number "$2" bytes)
  seconds=$(number "$2" seconds)
  row "$1" "$keys keys, $(megabytes "$bytes")" "$(short "$seconds")" "$(rate "$keys" "$seconds") keys/s" \
    "$(megabyte_rate "$bytes" "$seconds")"
}

printf '\n'
transfer "import (JSON lines to etcd)" import.json
transfer "export (etcd to JSON lines)" export.err
row "coord get, each a process" "$gets runs" "$get_seconds" "$(rate "$gets" "$get_seconds") gets/s" ""
took=$(number race.json seconds)
conflicts=$(number race.json conflicts)
row "race: increments, $threads threads" "$((threads * increments))" "$(short "$took")" \
  "$(rate $((threads * increments)) "$took") /s" ""
row "race: conflicts, tried again" "$conflicts" "$(short "$took")" "$(rate "$conflicts" "$took") /s" ""
printf '\n%s\n' "${green}All as it should be${plain}, in $(seconds_since "$started") s. \
\`coord dev\` now stops the etcd and removes its data."
