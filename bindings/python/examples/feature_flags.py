"""Feature flags that change while the program runs: typed, validated, read in nanoseconds.

Run:  python feature_flags.py --etcd localhost:2379
and change one from elsewhere:  python feature_flags.py --etcd localhost:2379 --set dark=true
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from typing import Optional

import coord
from coord.config import Config
from coord.view import View


@dataclass
class Flags:
    dark: bool = False
    checkout: str = "classic"
    share: int = 0
    """Percent of the visitors who see the new checkout."""


def has_a_share(flags: Flags) -> bool:
    return 0 <= flags.share <= 100


def watch_flags(config: Config) -> View[Flags]:
    flags = config.view(Flags, validators=[has_a_share])

    @flags.on_change
    def changed(new: Flags, old: Flags) -> None:
        print(f"flags: {old} -> {new}", flush=True)

    return flags


def page(flags: Flags, visitor: int) -> str:
    """What every request does: it takes one object, whose fields belong together."""
    checkout = "new" if visitor % 100 < flags.share else flags.checkout
    return f"{'dark' if flags.dark else 'light'} page, {checkout} checkout"


def main(words: Optional[list[str]] = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--etcd", default="localhost:2379")
    parser.add_argument("--set", metavar="FLAG=JSON", help="set one and end")
    args = parser.parse_args(words)
    with coord.Client(args.etcd) as client, client.config("example-shop", environment="prod") as config:
        if args.set:
            flag, _, value = args.set.partition("=")
            config.set(flag, json.loads(value))
            return
        flags = watch_flags(config)
        print(page(flags.value, visitor=7), flush=True)
        config.run()  # calls what on_change has named, until Ctrl-C


if __name__ == "__main__":
    main()
