"""The rounds of one case: every client once a round, in changing order, on one etcd."""
import statistics

import peers

FIELDS = ("ops_per_s", "p50_us", "p99_us", "client_cpu_us")
LARGE_OPS = 1000  # most puts of a large value in one run: they stay in etcd's log and database


class Rounds:
    """The rounds of one case: figures of every peer, or why it has none."""

    def __init__(self, case, etcd, contestants):
        self.case = case
        self.etcd = etcd
        self.contestants = list(contestants)
        self.rate = {}
        self.invalid = {}
        self.rounds = []

    def run(self, peer, ops):
        """One run, with the server's own count of writes as the witness that every put was done."""
        before = self.etcd.version_of(self.case.key)
        figures, done = peer.run(self.case, self.etcd.endpoint, ops)
        after = self.etcd.version_of(self.case.key)
        expected = done if self.case.verb == "put" else 0
        if after - before != expected:
            raise peers.Invalid("%d puts reached the server instead of %d" % (after - before, expected))
        self.rate[peer.name] = figures["ops_per_s"]
        return figures

    def attempt(self, peer, ops, into=None):
        try:
            figures = self.run(peer, ops)
            if into is not None:
                into[peer.name] = figures
        except peers.Invalid as error:
            self.invalid[peer.name] = str(error)
            self.contestants.remove(peer)

    def measure(self, count, seconds, note):
        if self.case.verb == "get":
            self.etcd.put(self.case.key, b"v" * self.case.size)
        for peer in list(self.contestants):
            note("warm-up", peer)
            self.attempt(peer, max(peer.first_ops // (4 if self.case.large else 1), 2 * self.case.n))
        for number in range(count):
            figures = {}
            for peer in self.order(number):
                note("round %d of %d" % (number + 1, count), peer)
                self.attempt(peer, self.ops(peer, seconds), figures)
            self.rounds.append(figures)

    def order(self, number):
        """Another one to begin in each round, and every second round backwards: nobody always follows the same peer."""
        turn = number % max(len(self.contestants), 1)
        order = self.contestants[turn:] + self.contestants[:turn]
        return order[::-1] if number % 2 else order

    def ops(self, peer, seconds):
        ops = max(int(self.rate[peer.name] * seconds * peer.pace), 4 * self.case.n, 20)
        return min(ops, LARGE_OPS) if self.case.large and self.case.verb == "put" else ops

    def of(self, peer, field):
        """The median over the rounds; peers that failed in one have no figures."""
        values = [figures[peer][field] for figures in self.rounds if peer in figures]
        return statistics.median(values) if values and peer not in self.invalid else None

    def against(self, ours, theirs, field):
        """The median of the ratios inside one round."""
        if ours in self.invalid or theirs in self.invalid:
            return None
        ratios = [figures[ours][field] / figures[theirs][field] for figures in self.rounds
                  if ours in figures and theirs in figures and figures[theirs][field] > 0]
        return statistics.median(ratios) if ratios else None

    def summary(self, all_names):
        entry = {"name": self.case.name}
        others = [name for name in all_names if name != "coord"]
        if "coord" in self.invalid:
            entry["invalid"] = self.invalid["coord"]
        else:
            entry.update({field: round(self.of("coord", field), 3) for field in FIELDS})
            entry["p99_over_p50"] = round(statistics.median(
                figures["coord"]["p99_us"] / figures["coord"]["p50_us"] for figures in self.rounds), 3)
        sources = {"ratio": "ops_per_s"}
        if self.case.mode != "many":  # whose latencies are those of a batch
            sources["p50_ratio"] = "p50_us"
        for field, source in sources.items():
            found = {name: self.against("coord", name, source) for name in others}
            entry[field] = {name: round(value, 4) for name, value in found.items() if value is not None}
        found = {name: self.against(name, "h2load", "ops_per_s") for name in all_names}
        entry["to_h2load"] = {name: round(value, 4) for name, value in found.items() if value is not None}
        entry["peers"] = {name: {field: round(self.of(name, field), 3) for field in FIELDS}
                          for name in others if self.of(name, FIELDS[0]) is not None}
        entry["invalid_peers"] = {name: why for name, why in self.invalid.items() if name != "coord"}
        entry["rounds"] = [{name: {field: round(value, 3) for field, value in figures.items()}
                            for name, figures in one.items()} for one in self.rounds]
        return entry
