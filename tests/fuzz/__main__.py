"""Fuzz the readers, and tell how it went.

    python -m tests.fuzz [READER ...] [--inputs N] [--seed N] [--at-once N] [--folder F] [--figures FILE]

Each reader has a process of its own, two of them at a time. What it takes to go on lies in
the folder: a campaign that was cut short is begun again where it was, and one that is done
costs nothing. Ends with 1 if there was a mistake; the inputs lie in ``tests/fuzz/found``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.fuzz.child import held, keep
from tests.fuzz.readers import READERS

_ROOT: Final = Path(__file__).parents[2]
_PATIENCE: Final = 600.0  # seconds without another input after which a reader hangs, in code that no signal interrupts
_DEATHS: Final = 20  # of one reader's process, after which it is given up


@dataclass(slots=True)
class Fuzzed:
    """A reader, and the process in which it is fuzzed."""

    name: str
    process: subprocess.Popen[bytes]
    hand: bytes = b""
    since: float = 0.0


def main(arguments: list[str]) -> int:
    """Fuzz; give the exit status."""
    given = _given(arguments)
    folder = Path(given.folder)
    folder.mkdir(parents=True, exist_ok=True)
    waiting, running, deaths = list(given.readers), list[Fuzzed](), dict[str, int]()
    while waiting or running:
        while waiting and len(running) < given.at_once:
            running.append(_start(waiting.pop(0), folder, given))
        time.sleep(0.5)
        for one in list(running):
            if not _ended(one, folder):
                continue
            running.remove(one)
            if one.process.returncode:
                deaths[one.name] = deaths.get(one.name, 0) + 1
                _bury(one, folder)
                if deaths[one.name] < _DEATHS:
                    waiting.append(one.name)
    found = {name: _figures(name, folder, deaths) for name in READERS if (folder / f"{name}.figures").exists()}
    sys.stdout.write(table(found))
    if given.figures:
        _write(Path(given.figures), found, given.seed)
    return 1 if any(one["mistakes"] for one in found.values()) else 0


def _given(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__.partition("\n")[0])
    parser.add_argument("readers", nargs="*", metavar="READER", default=list(READERS), choices=list(READERS))
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--folder", default=str(_ROOT / "build" / "fuzz"))
    parser.add_argument("--figures", default="")
    return parser.parse_args(arguments)


def _start(name: str, folder: Path, given: argparse.Namespace) -> Fuzzed:
    line = [sys.executable, "-m", "tests.fuzz.child", name, str(folder), str(given.inputs), str(given.seed)]
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(line, cwd=_ROOT, env=environment, stdout=log, stderr=log)
    return Fuzzed(name, process, since=time.monotonic())


def _ended(one: Fuzzed, folder: Path) -> bool:
    """Tell whether a process has ended; one that is at the same input for long is ended."""
    if one.process.poll() is not None:
        return True
    path = folder / f"{one.name}.hand"
    hand = held(path) if path.exists() else b""
    if hand != one.hand:
        one.hand, one.since = hand, time.monotonic()
    elif time.monotonic() - one.since > _PATIENCE:
        one.process.kill()
    return False


def _bury(one: Fuzzed, folder: Path) -> None:
    """Keep the input that ended a process; it is read no more."""
    data = held(folder / f"{one.name}.hand")
    path = keep(one.name, data)
    (folder / f"{one.name}.avoid.{path.stem}").write_bytes(data)
    sys.stderr.write(f"{one.name}: ended with {one.process.returncode}\n    {path}\n")


def _figures(name: str, folder: Path, deaths: dict[str, int]) -> dict[str, Any]:
    found = json.loads((folder / f"{name}.figures").read_text())
    mistakes = dict(found["mistakes"])
    if deaths.get(name):
        mistakes["the process ended"] = deaths[name]
    return {
        "inputs": found["inputs"],
        "outcomes": len(found["outcomes"]),
        "lines": found["lines"],
        "slowest": found["slowest"],
        "largest": found["largest"],
        "mistakes": mistakes,
    }


def table(found: dict[str, dict[str, Any]]) -> str:
    """Give the figures as a table."""
    head = (
        f"{'reader':10} {'inputs':>10} {'outcomes':>9} {'lines':>7} {'slowest':>10} {'largest':>11} {'mistakes':>9}\n"
    )
    rows = [
        f"{name:10} {one['inputs']:>10,} {one['outcomes']:>9} {one['lines']:>7} {one['slowest'] * 1e3:>7.1f} ms"
        f" {one['largest'] / 1024:>7.0f} KiB {sum(one['mistakes'].values()):>9}\n"
        for name, one in found.items()
    ]
    told = [
        f"  {name}: {mistake}, {count} times\n"
        for name, one in found.items()
        for mistake, count in one["mistakes"].items()
    ]
    return "".join([head, *rows, *told])


def _write(path: Path, found: dict[str, dict[str, Any]], seed: int) -> None:
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "seed": seed,
        "readers": {name: _row(one) for name, one in found.items()},
    }
    path.write_text(json.dumps(content, indent=1) + "\n")


def _row(one: dict[str, Any]) -> dict[str, object]:
    return {
        "inputs": one["inputs"], "ways to end": one["outcomes"], "lines": one["lines"],
        "slowest, ms": round(one["slowest"] * 1e3, 1), "largest, KiB": one["largest"] // 1024,
        "mistakes": sum(one["mistakes"].values()),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
