"""What a run found, as text for a terminal and as a plot in SVG."""
import fnmatch
import json
import os
import platform
from xml.sax.saxutils import escape

PEERS = ("h2load", "go", "rust", "python-etcd3", "etcd3gw")
COLOURS = {"coord": "#1f6feb", "h2load": "#8b949e", "go": "#2da44e", "rust": "#bc4c00", "python-etcd3": "#bf8700",
           "etcd3gw": "#8250df"}


def save(result, path):
    with open(path, "w") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


def describe_machine():
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as file:
            model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    return {"cpus": os.cpu_count(), "cpu": model, "system": platform.system() + " " + platform.release()}


def matching(names, patterns):
    """The names that a pattern matches, in their order; all without patterns."""
    for pattern in patterns or ():
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise ValueError('--only "%s" matches no case; --list shows them' % pattern)
    return [name for name in names if not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns)]


def one_line(entry):
    if "invalid" in entry:
        return "%-18s INVALID: %s" % (entry["name"], entry["invalid"])
    if "ratio" in entry:
        ratios = ", ".join("%.2f x %s" % (value, name) for name, value in entry["ratio"].items())
        return "%-18s %9.0f ops/s   %s" % (entry["name"], entry["ops_per_s"], ratios)
    return "%-18s %s" % (entry["name"], ", ".join("%s %g" % item for item in entry.items() if item[0] != "name"))


class Paint:
    def __init__(self, colour):
        self.colour = colour

    def __call__(self, text, code):
        return "\033[%sm%s\033[0m" % (code, text) if self.colour else text


def _ratio_cell(paint, peer, value):
    if value is None:
        return "%13s" % "-"
    cell = "%13s" % ("%.2f" % value)
    good = value >= (0.95 if peer == "h2load" else 1)
    return paint(cell, "32" if good else "33")


def text(result, colour):
    paint = Paint(colour)
    timed = [entry for entry in result["cases"] if "ratio" in entry]
    others = [entry for entry in result["cases"] if "ratio" not in entry]
    names = [name for name in PEERS if name in result["versions"]]
    lines = [""]
    if timed:
        lines.append(paint("%-18s %9s %9s %9s %8s %s" % ("case", "ops/s", "p50 us", "p99 us", "CPU us",
                                                         "".join("%13s" % name for name in names)), "1"))
        for entry in timed:
            if "invalid" in entry:
                lines.append("%-18s %s" % (entry["name"], paint("INVALID: " + entry["invalid"], "31")))
                continue
            cells = "".join(_ratio_cell(paint, name, entry["ratio"].get(name)) for name in names)
            lines.append("%-18s %9.0f %9.0f %9.0f %8.1f %s" % (
                entry["name"], entry["ops_per_s"], entry["p50_us"], entry["p99_us"], entry["client_cpu_us"], cells))
        lines.append("under each peer: our rate over its rate, median of %d round(s); CPU: our process, one op"
                     % result["rounds"])
    if others:
        lines.append("")
        lines += [one_line(entry) for entry in others]
    lines += [""] + _targets(result, paint)
    for entry in timed:
        for name, why in entry["invalid_peers"].items():
            lines.append(paint("invalid: %s in %s: %s" % (name, entry["name"], why), "33"))
    for one in result["left_out"]:
        lines.append(paint("left out: %s: %s" % (one["peer"], one["reason"]), "33"))
    versions = ", ".join("%s %s" % item for item in result["versions"].items())
    lines.append("etcd %s; %s; %d s" % (result["etcd"], versions, result["took_s"]))
    return "\n".join(lines) + "\n"


def _targets(result, paint):
    words = {True: paint("pass", "32"), False: paint("MISS", "31"), None: paint("----", "33")}
    lines = [paint("%-4s  %-30s %-46s %s" % ("", "target", "required", "measured"), "1")]
    for row in result["targets"]:
        lines.append("%s  %-30s %-46s %s" % (words[row["met"]], row["name"], row["required"],
                                            row["measured"] or "not measured in this run"))
    return lines


# ---- failover -------------------------------------------------------------------------------------

def _failover_clients(entry):
    return [("coord", entry)] + ([("go", entry["go"])] if "go" in entry else [])


def failover_line(entry):
    parts = []
    for name, figures in _failover_clients(entry):
        parts.append("%s INVALID: %s" % (name, figures["invalid"]) if "invalid" in figures else
                     "%s %.0f ms, %d + %d errors" % (name, figures["gap_ms"], figures["read_errors"],
                                                     figures["write_errors"]))
    return "%-24s %s" % (entry["name"], "; ".join(parts))


def failover_text(result, colour):
    paint = Paint(colour)
    columns = ("gap ms", "reads", "writes", "read errors", "write errors", "slowest read", "calls/s")
    lines = ["", paint("%-24s %-6s" % ("case", "client") + "".join("%13s" % name for name in columns), "1")]
    seconds = result["before_s"] + result["after_s"]
    for entry in result["cases"]:
        for name, figures in _failover_clients(entry):
            start = "%-24s %-6s" % (entry["name"] if name == "coord" else "", name)
            if "invalid" in figures:
                lines.append(start + " " + paint("INVALID: " + figures["invalid"], "31"))
                continue
            lines.append(start + "%13.0f%13.0f%13.0f%13d%13d%13.0f%13.0f" % (
                figures["gap_ms"], figures["read_gap_ms"], figures["write_gap_ms"], figures["read_errors"],
                figures["write_errors"], figures["read_slowest_ms"], (figures["reads"] + figures["writes"]) / seconds))
    lines.append("gap: the longest time without a successful call; reads, writes: without a successful one of these")
    lines.append("times are medians of %d round(s), errors are sums" % result["rounds"])
    lines += [""] + _targets(result, paint)
    for entry in result["cases"]:
        for name, figures in _failover_clients(entry):
            lines += ["%s, %s: first %s: %s" % (entry["name"], name, kind.replace("_", " "), figures[kind])
                      for kind in ("read_error", "write_error") if kind in figures]
    for one in result["left_out"]:
        lines.append(paint("left out: %s: %s" % (one["peer"], one["reason"]), "33"))
    versions = ", ".join("%s %s" % item for item in result["versions"].items())
    lines.append("etcd %s; %s; %d s" % (result["etcd"], versions, result["took_s"]))
    return "\n".join(lines) + "\n"


# ---- plot: rate of every client over that of h2load ---------------------------------------------

BAR, GAP, LEFT, WIDTH, RIGHT, TOP = 11, 14, 160, 640, 90, 92


def _scale(groups):
    most = max(value for _, bars in groups for _, value in bars)
    limit = max(1.2, min(most * 1.05, 3.0))
    return limit, (lambda value: WIDTH * min(value, limit) / limit)


def _legend(result, names):
    parts, x = [], LEFT
    for name in names:
        parts.append('<rect x="%d" y="62" width="10" height="10" fill="%s"/>' % (x, COLOURS[name]))
        label = "%s %s" % (name, result["versions"][name])
        parts.append('<text x="%d" y="71">%s</text>' % (x + 14, escape(label)))
        x += 32 + 7 * len(label)
    return parts, x


def svg(result):
    """The plot as text; None when no case has a ratio to h2load."""
    names = [name for name in ("coord",) + PEERS[1:] if name in result["versions"]]
    groups = [(entry["name"], [(name, entry["to_h2load"][name]) for name in names if name in entry["to_h2load"]])
              for entry in result["cases"] if entry.get("to_h2load")]
    groups = [group for group in groups if group[1]]
    if not groups:
        return None
    limit, scale = _scale(groups)
    height = TOP + sum(len(bars) * BAR + GAP for _, bars in groups) + 34
    legend, legend_end = _legend(result, names)
    width = max(LEFT + WIDTH + RIGHT, legend_end)
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
        'font-family="sans-serif" font-size="12" fill="#24292f" role="img">' % (width, height, width, height),
        "<title>Operations per second, relative to h2load</title>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        '<text x="%d" y="24" font-size="16" font-weight="bold">Operations per second, relative to h2load</text>' % LEFT,
        '<text x="%d" y="44">etcd %s, %d CPUs, median of the ratios of %d interleaved rounds; '
        "verb.mode.number.bytes</text>"
        % (LEFT, escape(result["etcd"]), result["machine"]["cpus"], result["rounds"])]
    parts += legend
    bottom = height - 30
    tick = 0.0
    while tick <= limit + 1e-9:
        x = LEFT + scale(tick)
        one = abs(tick - 1) < 1e-9
        parts.append('<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="%s" stroke-width="%s"/>'
                     % (x, TOP - 8, x, bottom, "#57606a" if one else "#d8dee4", "1.5" if one else "1"))
        parts.append('<text x="%.1f" y="%d" text-anchor="middle">%.1f</text>' % (x, bottom + 16, tick))
        tick += 0.2 if limit <= 2 else 0.5
    y = TOP
    for title, bars in groups:
        parts.append('<text x="%d" y="%.1f" text-anchor="end">%s</text>'
                     % (LEFT - 8, y + len(bars) * BAR / 2 + 4, escape(title)))
        for name, value in bars:
            parts.append('<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"><title>%s: %.3f</title></rect>'
                         % (LEFT, y, scale(value), BAR - 1, COLOURS[name], escape(name), value))
            parts.append('<text x="%.1f" y="%d" font-size="9" stroke="#ffffff" stroke-width="2" paint-order="stroke">'
                         "%.2f</text>" % (LEFT + scale(value) + 4, y + BAR - 2, value))
            y += BAR
        y += GAP
    return "\n".join(parts) + "\n</svg>\n"
