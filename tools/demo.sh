#!/usr/bin/env bash
# Real data through libcoord into a real etcd and back, compared byte by byte; a race of compare-and-set; then five
# processes, one lock, one file, and what is left of it when a holder is killed or stopped; then a service of which an
# instance is killed while it is called, and a configuration that reaches all who use it.
#
# usage: tools/demo.sh [FILE]      FILE: in the form of dpkg's status file, which is the default
#
# `./dev demo` builds what this needs and calls it. COORD_BIN, COORD_RACE, COORD_LOCK_EXAMPLE and COORD_CALL_SERVICE name the
# `coord` command and the examples counter_race, lock and call_service to use; COORD_TEST_ETCD and COORD_TEST_ETCDCTL name the server and its own client,
# otherwise those on PATH are taken. Writes only to a temporary directory, which it removes.
set -euo pipefail
export LC_ALL=C # points in numbers, whatever the user's language

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
threads=8 increments=500 page=100 gets=20
lock=/demo/lock ttl=2 workers=5 rounds=8 calls=25

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
guarded=$(program "lock example" "${COORD_LOCK_EXAMPLE:-$root/build/release/examples/c/lock}")
caller=$(program "call_service example" "${COORD_CALL_SERVICE:-$root/build/release/examples/c/call_service}")
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
tidy() {
  local left
  mapfile -t left < <(jobs -p)
  [ ${#left[@]} = 0 ] || { kill -KILL "${left[@]}" && wait; } 2>/dev/null || true
  rm -rf "$work"
}
trap tidy EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cd "$work"
mkdir bin
ln -s "$coord" bin/coord
ln -s "$race" bin/counter_race
ln -s "$guarded" bin/lock
ln -s "$caller" bin/call_service
ln -s "$etcdctl" bin/etcdctl
ln -s "$python" bin/python3
unset "${!ETCDCTL_@}"
export PATH=$work/bin:$PATH ETCDCTL_API=3 ETCDCTL_ENDPOINTS=$COORD_ENDPOINTS

# ---- how it is told ----------------------------------------------------------------------------

steps=0

heading() {
  steps=$((steps + 1))
  printf '%s\n' "${bold}$steps  $1${plain}  ${dim}\$ $2${plain}"
}

# A heading, the command as it is run (in the temporary directory), and running it.
step() {
  heading "$1" "$2"
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

# One more line with a number that is one greater, written as a whole new file: of two at a time, one would be lost.
cat >bin/add_line <<'SH'
#!/bin/sh
set -e
n=$(tail -n 1 shared | cut -d ' ' -f 1)
{ cat shared; echo "$((${n:-0} + 1)) token $COORD_LOCK_TOKEN worker $1"; } >"shared.$1"
mv "shared.$1" shared
SH
# Holds the lock for as long as it lives, and says who it is.
cat >bin/hang <<'SH'
#!/bin/sh
echo "$PPID" >victim.new
mv victim.new victim
exec sleep 600
SH
chmod +x bin/add_line bin/hang

# Worker 1 does half of its rounds, and is then stuck.
worker() {
  local i
  for ((i = 1; i <= rounds; i++)); do
    if [ "$1" = 1 ] && [ "$i" -gt $((rounds / 2)) ]; then
      { coord lock --quiet $lock --ttl $ttl -- hang; } 2>hang.err || return 0
    fi
    coord lock --quiet $lock --ttl $ttl -- add_line "$1" || return
  done
}
contend() {
  local i
  : >shared
  for ((i = 1; i <= workers; i++)); do worker "$i" & pids+=($!); done
}
# Waits until a command succeeds: SECONDS CMD...
until_true() {
  local until=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$until" ] || return 1
    sleep 0.02
  done
}
grown() { [ "$(wc -l <shared)" -gt "$1" ]; }
waiting() { [ "$(coord lock --list $lock --json --quiet | grep -c '"state":"waits"')" = $((workers - 1)) ]; }
stopped() { [[ $(ps -o stat= -p "$1") == T* ]]; }

pids=()
heading "$workers processes, one file, one lock" "coord lock $lock --ttl $ttl -- add_line WORKER"
note "each again and again; add_line reads the file, and writes it anew with one line more"
contend
until_true 30 test -s victim || fail "worker 1 does not come to hold the lock"
until_true 30 waiting || fail "the others do not wait for worker 1"
lines=$(wc -l <shared)
begin=$EPOCHREALTIME
step "One is killed while it holds" 'kill -KILL "$(cat victim)"'
until_true 30 grown "$lines" || fail "nobody takes over"
takeover=$(seconds_since "$begin")
for pid in "${pids[@]}"; do wait "$pid" || fail "a worker failed"; done
expected=$(((workers - 1) * rounds + rounds / 2))
same "lines in the file" $expected "$(wc -l <shared)"
awk '$1 != NR || $3 + 0 <= last { exit 1 } { last = $3 + 0 }' shared || fail "a line is lost, or a token does not grow"
awk -v t="$takeover" -v ttl=$ttl 'BEGIN { exit t > ttl + 2 }' || fail "the next one took over after $takeover s"
good "the next one had the lock $takeover s later, when the lease of $ttl s had ended; of $expected lines none is lost"

lock /demo/guard /demo/number --ttl $ttl --stop >stale.out 2>stale.err &
stale=$!
until_true 10 stopped $stale || fail "the example does not stop itself: $(cat stale.err)"
step "A holder is stopped before it writes; the next" "lock /demo/guard /demo/number --ttl $ttl >next.out"
note "$(cat next.out)"
step "The stopped one goes on and writes" "kill -CONT $stale"
status=0
wait $stale || status=$?
same "exit code of the stale holder" 1 $status
grep -q '^lock: refused' stale.err || fail "the stale holder says: $(cat stale.err)"
same "the number" 1 "$(coord get --print-value-only /demo/number)"
good "etcd refuses: the write is bound to the lock by coord_op_if_held, whatever the process believes"

# An instance of the service web: takes a free port, registers it, and serves there what it is called. Killing `coord
# register` kills the server too, as the end of a machine would.
cat >bin/instance <<'PYTHON'
#!/usr/bin/env python3
import http.server, os, socket, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        me = os.environ["COORD_INSTANCE_ID"]
        with open("calls." + me, "a") as log:
            log.write("call\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write((me + "\n").encode())

    def log_message(self, *_):
        pass

if sys.argv[1] == "serve":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
    server.socket = socket.socket(fileno=int(sys.argv[2]))
    server.serve_forever()
port = socket.create_server(("127.0.0.1", 0), backlog=64)
port.set_inheritable(True)
os.execvp("coord", ["coord", "register", "--quiet", "web", "--id", sys.argv[1], "--address", "127.0.0.1", "--port",
                    str(port.getsockname()[1]), "--ttl", sys.argv[2], "--drain", "100ms", "--",
                    "instance", "serve", str(port.fileno())])
PYTHON
chmod +x bin/instance

# How many calls an instance has had, by its own count.
served() { cat "calls.$1" 2>/dev/null | wc -l; }
served_by() { # MORE ID...: each so many
  local id more=$1
  shift
  for id in "$@"; do [ "$(served "$id")" -ge "$more" ] || return 1; done
}
up() { [ "$(coord discover web --json --quiet | grep -c '"status":"up"')" = "$1" ]; }
# What the caller says: a number in the line of an instance or of all.
said() { sed -nE "s/^$1\$/\1/p" called; }

declare -A instances
heading "Three instances of a service" "coord register web --id ID --address 127.0.0.1 --port PORT --ttl $ttl -- serve"
for id in a b c; do
  instance "$id" $ttl 2>"instance.$id" &
  instances[$id]=$!
done
until_true 30 up 3 || fail "three instances do not come up: $(cat instance.?)"
coord discover web | sed 's/^/   | /'
heading "A caller, round robin" "call_service web"
call_service web >called 2>call.err &
calling=$!
until_true 30 served_by $calls a b c || fail "the caller does not call all: $(cat called call.err)"
begin=$EPOCHREALTIME
step "One is killed while it is called" "kill -KILL ${instances[b]}"
wait "${instances[b]}" 2>/dev/null || true
until_true 30 grep -q '^b is gone' called || fail "the instance stays in the registry: $(cat called call.err)"
lost=$(seconds_since "$begin")
at=$(($(served a) + $(served c)))
until_true 30 served_by $((at / 2 + calls)) a c || fail "the others are not called: $(cat called call.err)"
kill -TERM $calling
wait $calling || fail "the caller saw errors: $(cat called call.err)"
sed 's/^/   | /' called
same "calls that failed" 0 "$(said '([0-9]+) calls failed.*')"
same "calls that the killed one served afterwards" 0 "$(said 'b served [0-9]+ calls, and ([0-9]+) after.*')"
for id in a b c; do
  [ "$(said "$id served ([0-9]+) calls.*")" -ge $((calls / 2)) ] || fail "$id was hardly called before: $(cat called)"
  [ $id = b ] || [ "$(said "$id served [0-9]+ calls, and ([0-9]+) after.*")" -ge $calls ] || fail "$id was hardly called after"
done
up 2 || fail "two instances should be left"
good "no call failed; the killed one was out of all discovery $lost s later, when its lease of $ttl s had ended"
kill -TERM "${instances[a]}" "${instances[c]}"
wait "${instances[a]}" "${instances[c]}" || true
[ -z "$(coord services --quiet)" ] || fail "instances that ended are registered still"

# Tells what it was started with, and when.
cat >bin/app <<'SH'
#!/usr/bin/env bash
echo "$LEVEL $EPOCHREALTIME" >"app.$1.new"
mv "app.$1.new" "app.$1"
exec sleep 600
SH
chmod +x bin/app
all_have() { [ "$(cat app.[0-9] 2>/dev/null | grep -c "^$1 ")" = $workers ]; }

pids=()
coord config set prod level '"info"' >written
heading "$workers applications, one configuration" "coord env prod.appN --restart -- app N"
for ((i = 1; i <= workers; i++)); do
  coord env --quiet prod.app$i --restart -- app $i 2>"env.$i" &
  pids+=($!)
done
until_true 30 all_have info || fail "not all have the configuration: $(cat env.? app.?)"
note "each has what is set for prod.appN, and else what is set for prod"
begin=$EPOCHREALTIME
step "A change of it" "coord config set prod level '\"debug\"' >written"
until_true 30 all_have debug || fail "the change does not reach all: $(cat env.? app.?)"
reached=$(cat app.[0-9] | awk -v a="$begin" '$2 > last { last = $2 } END { printf "%.3f", last - a }')
good "all $workers run with it $reached s after \`coord config set\` began, each started anew"
kill -TERM "${pids[@]}"
wait "${pids[@]}" || true

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
row "lock: killed holder to next one" "lease of $ttl s" "$takeover" "" ""
row "caller: killed to undiscovered" "lease of $ttl s" "$lost" "" ""
row "configuration: set to running" "$workers processes" "$reached" "" ""
printf '\n%s\n' "${green}All as it should be${plain}, in $(seconds_since "$started") s. \
\`coord dev\` now stops the etcd and removes its data."
