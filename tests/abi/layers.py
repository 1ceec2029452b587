"""A file includes its own layer and those below it: base < net < rpc < etcd < coord < api.

The message structs belong to the etcd layer; public headers may be included everywhere; the command-line tool and the
other bindings see public headers alone.
"""

import re

import report
from surface import HEADERS, ROOT

SOURCE = ROOT / "core" / "src"
LAYERS = ["base", "net", "rpc", "etcd", "coord", "api"]
GENERATED = {"etcd.pb-c.h": "etcd"}


def includes(path):
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def layer_of(path, name):
    """Layer of the file that path includes as name; None for a public header or a table of core/spec."""
    if name in GENERATED:
        return GENERATED[name]
    places = [place for place in (path.parent / name, SOURCE / name) if place.exists()]
    public = name in HEADERS
    assert not (places and public), f"\"{name}\" is a public and a private header"
    if public or (ROOT / "core" / "spec" / name).exists():
        return None
    assert places, f"\"{name}\" is no header of this project; write system headers in <>"
    return places[0].resolve().relative_to(SOURCE).parts[0]


def check(layer):
    def case():
        faults = []
        for path in sorted((SOURCE / layer).rglob("*.[ch]")):
            for number, name in includes(path):
                where = f"{path.relative_to(ROOT)}:{number}"
                try:
                    other = layer_of(path, name)
                except AssertionError as why:
                    faults.append(f"{where}: {why}")
                    continue
                if other is not None and LAYERS.index(other) > LAYERS.index(layer):
                    faults.append(f"{where}: {layer} includes \"{name}\" of the layer {other} above it")
        assert not faults, "\n".join(faults)

    return case


def every_file_is_in_a_layer():
    stray = [str(path.relative_to(ROOT)) for path in SOURCE.rglob("*.[ch]")
             if path.relative_to(SOURCE).parts[0] not in LAYERS or len(path.relative_to(SOURCE).parts) != 2]
    assert not stray, f"not in core/src/LAYER/: {', '.join(stray)}"


def public_headers_include_public_headers():
    for header in HEADERS:
        for number, name in includes(ROOT / "core" / "include" / header):
            assert name in HEADERS, f"{header}:{number}: includes \"{name}\", which is not public"


def bindings_see_public_headers_alone():
    faults = []
    for path in sorted((ROOT / "bindings").rglob("*.[ch]")):
        for number, name in includes(path):
            if name not in HEADERS and not (path.parent / name).exists() and (
                    (SOURCE / name).exists() or name in GENERATED):
                faults.append(f"{path.relative_to(ROOT)}:{number}: includes \"{name}\", which is not public")
    assert not faults, "\n".join(faults)


report.run([(f"layer_{layer}", check(layer)) for layer in LAYERS] + [(f.__name__, f) for f in (
    every_file_is_in_a_layer, public_headers_include_public_headers, bindings_see_public_headers_alone)])
