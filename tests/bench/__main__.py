"""`python -m tests.bench`: compare with peers, print the table, write it as JSON, judge the budgets.

The exit status is 0 if no budget is missed, 1 if one is, 2 if the options are wrong.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tests.bench.machine import facts, load
from tests.bench.peers import ASKED, PEERS
from tests.bench.rows import ROWS
from tests.bench.rows.arena import Arena
from tests.bench.table import OURS, Table, from_json, markdown, text, to_json

_DEFAULT = tuple(name for name in PEERS if name not in ASKED)


def _names(allowed: Sequence[str]) -> object:
    def read(given: str) -> list[str]:
        names = [name.strip() for name in given.split(",")]
        strange = [name for name in names if name not in allowed]
        if strange:
            raise argparse.ArgumentTypeError(f"{strange[0]!r} is none of: {', '.join(allowed)}")
        return names

    return read


def options(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--size", choices=("short", "full"), default="full", help="short takes seconds a work")
    parser.add_argument("--rounds", type=int, default=3, help="how often each work is done by each (default: 3)")
    parser.add_argument("--workers", type=int, default=2, help="processes, or threads, of each (default: 2)")
    parser.add_argument("--rows", type=_names(tuple(ROWS)), default=list(ROWS), help=f"some of: {', '.join(ROWS)}")
    parser.add_argument(
        "--with", dest="asked", type=_names(sorted(ASKED)), default=[], help="peers that take part only if asked for"
    )
    parser.add_argument("--without", type=_names(_DEFAULT[1:]), default=[], help="peers to leave out")
    parser.add_argument("--json", type=Path, help="where to write the table (default: below .benchmarks)")
    parser.add_argument("--show", type=Path, help="show a table that was written, and measure nothing")
    parser.add_argument("--markdown", action="store_true", help="print the table for the manual")
    return parser.parse_args(arguments)


def measure(chosen: argparse.Namespace, path: Path) -> Table:
    """Do all the work; say on stderr where we are, and write after each work what there is."""
    names = [name for name in (*_DEFAULT, *chosen.asked) if name == OURS or name not in chosen.without]
    arena = Arena(size=chosen.size, rounds=chosen.rounds, workers=chosen.workers, names=names)
    table = Table(facts={**facts(), "size": chosen.size, "rounds": chosen.rounds, "workers": chosen.workers}, rows=[])
    loads: dict[str, list[float]] = {}
    table.facts["load"] = loads
    for name in chosen.rows:
        began, before = time.monotonic(), load()
        table.rows.extend(ROWS[name](arena))
        loads[name] = [before, load()]
        path.write_text(to_json(table))
        print(f"{name}: {time.monotonic() - began:.0f} s, load {loads[name]}", file=sys.stderr, flush=True)
    return table


def main(arguments: Sequence[str]) -> int:
    """Measure or show; print; judge."""
    chosen = options(arguments)
    if chosen.show is not None:
        table = from_json(chosen.show.read_text())
    else:
        path = chosen.json or Path(".benchmarks") / f"peers-{time.strftime('%Y%m%d-%H%M%S')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        table = measure(chosen, path)
        print(f"written to {path}", file=sys.stderr)
    print(markdown(table) if chosen.markdown else text(table))
    return 0 if table.met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
