"""`python -m tests.bench.scaling`: measure and simulate, write docs/scaling.json, renew docs/scaling.md's tables."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flowcore as fc
from tests.bench.machine import facts, load
from tests.bench.scaling.measures import campaigns, footprint, forecasts, overheads
from tests.bench.scaling.table import TABLES

FIGURES = Path("docs/scaling.json")
PAGE = Path("docs/scaling.md")
ENGINE = "Dask's executor"  # whose costs a simulated campaign has


def renewed(page: str, found: dict[str, Any]) -> str:
    """Give a page with its tables as the figures are now."""
    parts = re.split(r"(<!-- (\w+) -->\n.*?\n<!-- end -->)", page, flags=re.DOTALL)
    for i in range(1, len(parts), 3):
        name = parts[i + 1]
        parts[i], parts[i + 1] = f"<!-- {name} -->\n{TABLES[name](found[name])}\n<!-- end -->", ""
    return "".join(parts)


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for, beside what is there already."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--parts", default=",".join(TABLES), help="some of: %(default)s; empty: only the page")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured; the least counts")
    chosen = parser.parse_args(arguments)
    found: dict[str, Any] = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    for part in filter(None, chosen.parts.split(",")):
        before = load()
        if part == "campaigns":
            found[part] = list(campaigns(_cluster(found)))
        else:
            found[part] = footprint() if part == "footprint" else list(
                (overheads if part == "overheads" else forecasts)(chosen.rounds)
            )  # fmt: skip
        found.setdefault("facts", {})[part] = {**facts(), "load": [before, load()]}
        FIGURES.write_text(json.dumps(found, indent=1) + "\n")
        print(f"{part}: load {before} to {load()}", file=sys.stderr, flush=True)
    if PAGE.exists():
        PAGE.write_text(renewed(PAGE.read_text(), found))
    return 0


def _cluster(found: dict[str, Any]) -> fc.Cluster:
    row = next(row for row in found["forecasts"] if row["engine"] == ENGINE and row["workers"] == 1)
    return fc.Cluster(**row["cluster"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
