"""``python -m tests.soak``: for so many minutes, or so many runs; ``make soak`` is ten minutes of it."""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.soak.soak import Soak

ENOUGH = 10.0  # minutes whose figures are worth keeping


def main() -> int:
    """Soak; say every minute how it goes, and at the end what it came to. 0: without a mistake."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (default: 10)")
    parser.add_argument("--runs", type=int, default=0, help="how many runs instead")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="what is made up (default: any)")
    parser.add_argument("--at-once", type=int, default=4, help="runs at once (default: 4)")
    parser.add_argument("--sabotage", default="", help="a saboteur's name: flowcore is broken in every run")
    parser.add_argument("--first", action="store_true", help="end at the first mistake")
    parser.add_argument("--write", type=Path, help=f"a file for the figures, from {ENOUGH:g} minutes on")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flowcore-soak-"))
    print(f"seed {given.seed}, {given.at_once} runs at once, in {folder}", flush=True)
    soak = Soak(
        folder, seed=given.seed, slots=given.at_once, sabotage=given.sabotage, tell=lambda s: print(s, flush=True)
    )
    began = told = time.monotonic()

    def more() -> bool:
        nonlocal told
        now = time.monotonic()
        if now - told > 60.0:
            told = now
            print(f"{(now - began) / 60:.0f} min: {soak.score.line()}", flush=True)
        if given.first and (soak.score.mistakes or soak.score.leftovers):
            return False
        return soak.score.counts["runs"] < given.runs if given.runs else now - began < 60.0 * given.minutes

    soak.go_on(more)
    minutes = (time.monotonic() - began) / 60
    print(f"{minutes:.1f} min: {soak.score.line()}")
    if soak.score.mistakes or soak.score.leftovers:
        again = f"python -m tests.soak --seed {given.seed} --at-once {given.at_once}"
        print(f"Everything is kept in {folder}. Once more, but for what the machine does: {again}")
        return 1
    if given.write and given.minutes >= ENOUGH and not given.runs:
        figures = {
            "date": datetime.now(UTC).date().isoformat(), "minutes": round(minutes, 1), "at once": given.at_once,
            "seed": given.seed, "python": platform.python_version(), "cores": os.cpu_count(),
            **soak.score.figures(),
        }  # fmt: skip
        given.write.write_text(json.dumps(figures, indent=1) + "\n")
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
