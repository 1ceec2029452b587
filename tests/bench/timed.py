"""Cases of a length of time, our package beside its peers on one etcd: what the suites of languages have in common."""
import peers
import rounds
import server

SHOWN = "  %-16s %8.0f ops/s, p50 %6.0f us, p99 %6.0f us, CPU %6.1f us%s"


def parse(suite, words):
    """The suite's arguments, and `seconds`."""
    parser = suite.parser()
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="length of one run of one peer, 0.05 to 60 (default 0.9, quick 0.25)")
    args = suite.parse(words, parser)
    args.seconds = args.seconds if args.seconds is not None else 0.25 if args.quick else 0.9
    if not 0.05 <= args.seconds <= 60:
        parser.error("--seconds is %g; it must be 0.05 to 60" % args.seconds)
    return args


def measure(name, case, args, path, storage, able, say):
    """The entry of a case; `able[0]` is ours."""
    with server.Etcd(path, storage, False) as etcd:
        runs = rounds.Rounds(case, etcd, able)
        runs.measure(args.rounds, args.seconds, lambda phase, peer: say("%s: %s, %s" % (name, phase, peer.name), False))
    entry = {"name": name}
    if "coord" in runs.invalid:
        entry["invalid"] = runs.invalid["coord"]
    else:
        entry.update({field: round(runs.of("coord", field), 3) for field in rounds.FIELDS})
    beside = [one.name for one in able[1:] if runs.of(one.name, "ops_per_s") is not None]
    entry["peers"] = {who: {field: round(runs.of(who, field), 3) for field in rounds.FIELDS} for who in beside}
    ratios = {who: runs.against("coord", who, "ops_per_s") for who in beside}
    entry["ratio"] = {who: round(value, 4) for who, value in ratios.items() if value is not None}
    entry["invalid_peers"] = {who: why for who, why in runs.invalid.items() if who != "coord"}
    entry["rounds"] = runs.rounds
    return entry


def show(entry, say):
    say(entry["name"])
    if "invalid" in entry:
        say("  coord            INVALID: %s" % entry["invalid"])
        return
    for who, figures in [("coord", entry), *entry.get("peers", {}).items()]:
        if "ops_per_s" in figures:
            beside = "  %6.2f x" % entry["ratio"][who] if who in entry["ratio"] else ""
            say(SHOWN % (who, figures["ops_per_s"], figures["p50_us"], figures["p99_us"], figures["client_cpu_us"], beside))
        elif "ms" in figures:
            say("  %-16s %8.1f ms" % (who, figures["ms"]))
    for what, value in entry.items():
        if what.endswith("_ns"):
            say("  %-16s %8.0f ns" % (what[:-3].replace("_", " "), value))
    for who, why in entry.get("invalid_peers", {}).items():
        say("  %-16s INVALID: %s" % (who, why))


class Core(peers.Peer):
    """The C library in its own benchmark, of which `program` is the built peer."""
    name = "core"
    first_ops = 1000

    def __init__(self, program):
        self.program = program
        self.version = program.version

    def command(self, case):
        return self.program.command(case)


def goal(name, required, value, text, good):
    """A target and whether it is met; value None: this run has no figure for it."""
    return {"name": name, "required": required, "measured": None if value is None else text % value,
            "met": None if value is None else good(value)}


def ratio(entries, name, least, peer):
    found = {entry["name"]: entry for entry in entries if "invalid" not in entry}
    return goal(name, "at least %g x %s" % (least, peer), found.get(name, {}).get("ratio", {}).get(peer), "%.2f x",
                lambda value: value >= least)
