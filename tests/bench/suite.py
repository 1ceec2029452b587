"""What the suites have in common: their command line, the run from the server's version to the file of figures, the targets."""
import argparse
import datetime
import os

import peers
import report
import server

VERDICT = {True: "met", False: "MISSED", None: "not measured"}


class Suite:
    def __init__(self, name, description, epilog, cases, quick, rounds=None, quick_rounds=1, peer_names=()):
        """`cases`: what each of them is, by name. `rounds`: None for a suite that has none. `quick`: what --quick does."""
        self.name, self.description, self.epilog, self.cases = name, description, epilog, cases
        self.quick, self.rounds, self.quick_rounds, self.peer_names = quick, rounds, quick_rounds, peer_names

    # ---- the command line ----

    def parser(self):
        parser = argparse.ArgumentParser(prog="./dev bench " + self.name, usage="./dev bench %s [options]" % self.name,
                                         description=self.description, epilog=self.epilog,
                                         formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--json", metavar="FILE",
                            help="write all figures here (default .cache/bench/%s.json)" % self.name)
        parser.add_argument("--quick", action="store_true", help=self.quick)
        if self.rounds:
            parser.add_argument("--rounds", type=int, metavar="N", help="rounds of each case, 1 to 99 (default %d, quick %d)"
                                % (self.rounds, self.quick_rounds))
        if len(self.cases) > 1:
            parser.add_argument("--only", action="append", metavar="CASE-GLOB", help="only these cases; may be repeated")
        if self.peer_names:
            parser.add_argument("--peers", metavar="A,B",
                                help="only these of %s; none: ours alone" % ", ".join(self.peer_names))
            parser.add_argument("--refresh", action="store_true", help="build the peers again, with their newest releases")
        parser.add_argument("--etcd", metavar="PATH", help="the etcd to run (default: $COORD_TEST_ETCD, or etcd on PATH)")
        parser.add_argument("--list", action="store_true", help="list the cases and end")
        parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
        return parser

    def parse(self, words, parser=None):
        """Checked; `names` are the cases, `peers` the names of those that were asked for."""
        parser = parser or self.parser()
        args = parser.parse_args(words)
        if self.rounds:
            args.rounds = args.rounds if args.rounds is not None else self.quick_rounds if args.quick else self.rounds
            if not 1 <= args.rounds <= 99:
                parser.error("--rounds is %d; it must be 1 to 99" % args.rounds)
        args.peers = self._peers(parser, getattr(args, "peers", None))
        try:
            args.names = report.matching(list(self.cases), getattr(args, "only", None))
        except ValueError as error:
            parser.error(str(error))
        if args.json and not os.path.isdir(os.path.dirname(os.path.abspath(args.json))):
            parser.error('"%s": there is no such directory' % args.json)
        return args

    def _peers(self, parser, text):
        if text is None:
            return list(self.peer_names)
        names = [name.strip() for name in text.split(",")]
        if names == ["none"]:
            return []
        for name in names:
            if name not in self.peer_names:
                parser.error('--peers names "%s"; there are %s, or none' % (name, ", ".join(self.peer_names)))
        return names

    # ---- the run ----

    def run(self, args, wanted, progress, measure, targets, **more):
        """measure(name, path of etcd, those of the peers `wanted` that are ready): the entry of a case. targets(entries):
        what was required. `more` goes into the file. The exit status."""
        if args.list:
            for name, what in self.cases.items():
                print("%-*s %s" % (max(map(len, self.cases)) + 2, name, what))
            return 0
        os.makedirs(peers.PLACE, exist_ok=True)
        path = server.find(args.etcd)
        ready, left_out = peers.prepare(wanted, getattr(args, "refresh", False), progress)
        with server.Etcd(path, peers.PLACE, False) as etcd:
            version = etcd.version()
        began = datetime.datetime.now(datetime.timezone.utc)
        entries = []
        for name in args.names:
            try:
                entries.append(measure(name, path, ready))
            except (peers.Invalid, server.ServerError, ValueError, KeyError) as error:
                entries.append({"name": name, "invalid": str(error)})
                progress.say("%s: INVALID: %s" % (name, error))
        ended = datetime.datetime.now(datetime.timezone.utc)
        goals = [goal for goal in targets(entries) if goal["name"] in args.names]
        if self.rounds:
            more["rounds"] = args.rounds
        result = {"suite": self.name, "date": began.strftime("%Y-%m-%dT%H:%M:%SZ"),
                  "took_s": round((ended - began).total_seconds()), "machine": report.describe_machine(), "etcd": version,
                  "versions": {peer.name: peer.version for peer in ready}, **more, "left_out": left_out, "cases": entries,
                  "targets": goals}
        json_path = args.json or os.path.join(peers.PLACE, self.name + ".json")
        report.save(result, json_path)
        show(goals, left_out)
        print("etcd %s; %s" % (version, ", ".join("%s %s" % item for item in result["versions"].items())))
        print("\nfigures: %s" % os.path.relpath(json_path))
        if any("invalid" in entry for entry in entries):
            return 3
        return 1 if args.check and any(goal["met"] is False for goal in goals) else 0


def show(goals, left_out):
    rows = [(goal["name"], goal["required"], goal["measured"] or "", VERDICT[goal["met"]]) for goal in goals]
    widths = [max(len(row[i]) for row in rows) + 1 for i in range(3)] if rows else []
    for row in rows:
        print(" ".join("%-*s" % (width, cell) for width, cell in zip(widths, row)), row[3])
    for left in left_out:
        print("left out: %s: %s" % (left["peer"], left["reason"]))
