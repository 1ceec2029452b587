"""10,000 leases kept alive by one client, beside Go's clientv3 and the Rust crate. README.md says more."""
import json
import subprocess
import sys

import peers
import server
import suite

CASE = "lease.many"
CPU_PERCENT = 10

HELP = """\
One client makes 10,000 leases with a TTL of 10 s and keeps them alive for 5 minutes on one etcd. Measured: leases that
were lost, by the client's word and by the server's count at the end, and the CPU time of the client in percent of one
core. Go's clientv3 and the Rust crate etcd-client do the same on etcds of their own, afterwards.

examples:
  ./dev bench lease                          about 16 minutes
  ./dev bench lease --quick                  30 s each
  ./dev bench lease --seconds 60 --peers none

exit status: 0 measured; 1 a target was missed and --check was given; 2 a bad argument; 3 something needed is missing
or our run was invalid."""


SUITE = suite.Suite("lease", "Many leases kept alive by one client.", HELP,
                    {CASE: "10,000 leases of one client, TTL 10 s, for 5 minutes"}, "keep them for 30 s",
                    peer_names=("go", "rust"))


def arguments(words):
    parser = SUITE.parser()
    parser.add_argument("--leases", type=int, default=10000, metavar="N", help="1 to 1000000 (default 10000)")
    parser.add_argument("--ttl", type=int, default=10, metavar="S", help="of each lease, 2 to 3600 (default 10)")
    parser.add_argument("--seconds", type=int, metavar="S", help="how long they are kept, 1 to 86400 (default 300)")
    args = SUITE.parse(words, parser)
    args.seconds = args.seconds if args.seconds is not None else 30 if args.quick else 300
    for name, least, most in (("leases", 1, 1000000), ("ttl", 2, 3600), ("seconds", 1, 86400)):
        if not least <= getattr(args, name) <= most:
            parser.error("--%s is %d; it must be %d to %d" % (name, getattr(args, name), least, most))
    return args


def run(args, peer, path):
    """One client on an etcd of its own: its figures. The server's count is the witness."""
    with server.Etcd(path, peers.PLACE, False) as etcd:
        process = subprocess.Popen(
            [peer.lease, "--endpoint", etcd.endpoint, "--leases", str(args.leases), "--ttl", str(args.ttl),
             "--seconds", str(args.seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=peers.environment())
        try:
            line = process.stdout.readline()
            if not line:
                raise peers.Invalid(process.stderr.read().strip()[-300:] or "it ended without figures")
            figures = json.loads(line)
            figures["on_server"] = etcd.leases()
        finally:
            process.kill()
            process.wait()
    figures["lost"] = max(figures["lost"], args.leases - figures["on_server"])
    return figures


def measure(args, path, ready, say):
    entry = {"name": CASE}
    for peer in ready:
        say("%s: %d leases for %d s" % (peer.name, args.leases, args.seconds), False)
        try:
            figures = run(args, peer, path)
        except (peers.Invalid, server.ServerError, ValueError) as error:
            figures = {"invalid": str(error)}
        if peer.name == "coord":
            entry.update(figures)
        else:
            entry[peer.name] = figures
        say("%-12s %s" % (peer.name, describe(figures)))
    return entry


def describe(figures):
    if "invalid" in figures:
        return "INVALID: " + figures["invalid"]
    return "%d lost, %d at risk, %.1f %% of a core, opened in %.1f s" % (
        figures["lost"], figures["at_risk"], figures["client_cpu_percent"], figures["open_s"])


def targets(entries):
    entry = entries[0]
    good = "invalid" not in entry
    return [{"name": CASE, "required": "none lost", "measured": "%d" % entry["lost"] if good else None,
             "met": entry["lost"] == 0 if good else None},
            {"name": CASE, "required": "client below %d %% of a core" % CPU_PERCENT,
             "measured": "%.1f %%" % entry["client_cpu_percent"] if good else None,
             "met": entry["client_cpu_percent"] < CPU_PERCENT if good else None}]


def main(words, progress):
    args = arguments(words)
    return SUITE.run(args, peers.named(args.peers), progress,
                     lambda name, path, ready: measure(args, path, ready, progress.say), targets,
                     leases=args.leases, ttl_s=args.ttl, seconds=args.seconds)


if __name__ == "__main__":
    sys.exit("run ./dev bench lease")
