"""What the kv suite measures: cases by name, and what they must reach."""
import fnmatch
import re
from dataclasses import dataclass

KEY_BYTES = 16
LARGE_BYTES = 16384  # from here on a value counts as large: fewer ops, and etcd keeps a shorter log

# verb.mode.n.bytes: n is ops in flight (async), threads (sync) or ops of one call (many).
CASES = (
    "put.async.1.3", "put.async.64.3", "put.async.128.3",
    "get.async.1.3", "get.async.64.3", "get.async.128.3",
    "put.sync.1.3", "put.sync.8.3", "put.sync.64.3",
    "get.sync.1.3", "get.sync.8.3", "get.sync.64.3",
    "put.many.128.3", "get.many.128.3",
    "put.async.64.1024", "get.async.64.1024",
    "put.async.32.65536", "get.async.32.65536",
)
SPECIAL = {
    "mem.million": "resident memory after a million puts, against that after the first 100,000",
    "rss.idle": "resident memory of a process with one idle client",
    "size.so": "size of the stripped libcoord.so",
}
# The cases that a target needs: what --quick runs.
QUICK = ("put.async.64.3", "put.async.128.3", "get.async.64.3", "get.async.128.3", "put.sync.1.3", "put.sync.64.3",
         "get.async.32.65536")


@dataclass(frozen=True)
class Case:
    name: str
    verb: str
    mode: str
    n: int
    size: int

    @property
    def key(self):
        """One key for each size, the same for every peer: "bench/" and ten digits, 16 bytes."""
        return "bench/%010d" % self.size

    @property
    def large(self):
        return self.size >= LARGE_BYTES


def parse(name):
    """The case of that name, or None when no case can be called so."""
    match = re.fullmatch(r"(put|get)\.(async|sync|many)\.([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,6})", name)
    if not match or int(match[4]) > 1048576:
        return None
    return Case(name, match[1], match[2], int(match[3]), int(match[4]))


def choose(patterns, quick):
    """Names of the cases to run, and of the special ones. A full name need not be in the list."""
    names = list(QUICK if quick else CASES)
    special = list(SPECIAL)
    if not patterns:
        return names, special
    chosen = []
    for pattern in patterns:
        found = [name for name in list(CASES) + special if fnmatch.fnmatchcase(name, pattern)]
        if not found and parse(pattern):
            found = [pattern]
        if not found:
            raise ValueError('--only "%s" matches no case; --list shows them, or name one as verb.mode.n.bytes, '
                             'for example put.async.64.3' % pattern)
        chosen += [name for name in found if name not in chosen]
    return [name for name in chosen if name not in SPECIAL], [name for name in chosen if name in SPECIAL]


# ---- targets ------------------------------------------------------------------------------------

GROWTH_KIB = 256  # less than a third of a byte for each of 900,000 puts


def _ratio(results, case, peer, field="ratio"):
    entry = results.get(case)
    return entry.get(field, {}).get(peer) if entry else None


def _field(results, case, field):
    entry = results.get(case)
    return entry.get(field) if entry else None


def _target(name, required, value, shown, met):
    return {"name": name, "required": required, "measured": None if value is None else shown(value),
            "met": None if value is None else bool(met(value))}


def _at_least(name, bound, value, what):
    return _target(name, "at least %.2f x %s" % (bound, what), value, lambda v: "%.3f x" % v, lambda v: v >= bound)


def targets(results):
    """One entry a target; "measured" and "met" are None where the run has no figure for it."""
    rows = []
    for case in ("put.async.64.3", "put.async.128.3", "get.async.64.3", "get.async.128.3"):
        rows.append(_at_least(case + " rate", 0.95, _ratio(results, case, "h2load"), "h2load"))
        if case.startswith("put"):
            rows.append(_at_least(case + " rate", 1.3, _ratio(results, case, "go"), "Go"))
    rows.append(_target("put.async.64.3 client CPU", "at most 8 us a put",
                        _field(results, "put.async.64.3", "client_cpu_us"), lambda v: "%.2f us" % v, lambda v: v <= 8))
    rows.append(_target("put.sync.1.3 p50", "at most 1.25 x h2load",
                        _ratio(results, "put.sync.1.3", "h2load", "p50_ratio"),
                        lambda v: "%.3f x" % v, lambda v: v <= 1.25))
    rows.append(_target("put.sync.1.3 p50", "below Go", _ratio(results, "put.sync.1.3", "go", "p50_ratio"),
                        lambda v: "%.3f x" % v, lambda v: v < 1))
    rows.append(_at_least("put.sync.64.3 rate", 0.75, _ratio(results, "put.sync.64.3", "h2load"), "h2load"))
    rows.append(_target("get.async.32.65536 p99 / p50", "below 20",
                        _field(results, "get.async.32.65536", "p99_over_p50"), lambda v: "%.1f" % v, lambda v: v < 20))
    rows.append(_at_least("get.async.32.65536 rate", 1.0, _ratio(results, "get.async.32.65536", "go"), "Go"))
    rows.append(_target("size.so", "at most 400 KiB", _field(results, "size.so", "kib"),
                        lambda v: "%.1f KiB" % v, lambda v: v <= 400))
    rows.append(_target("rss.idle", "at most 12 MiB", _field(results, "rss.idle", "rss_kib"),
                        lambda v: "%.1f MiB" % (v / 1024), lambda v: v <= 12 * 1024))
    rows.append(_growth(results))
    return rows


def _growth(results):
    growth = _field(results, "mem.million", "growth_kib")
    row = _target("mem.million", "at most %d KiB growth after 100,000 puts" % GROWTH_KIB, growth,
                  lambda v: "%+d KiB" % v, lambda v: v <= GROWTH_KIB)
    ops = _field(results, "mem.million", "ops")
    if ops is not None and ops < 1000000:  # too short to judge
        row["measured"] += " after %d puts" % ops
        row["met"] = None
    return row
