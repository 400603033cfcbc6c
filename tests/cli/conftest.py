"""A folder with flows in files, and a way to type commands in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ENVIRON = {
    **{name: value for name, value in os.environ.items() if not name.startswith("FLOWCORE_")},
    "PYTHONPATH": str(ROOT), "COLUMNS": "100", "NO_COLOR": "1", "PYTHON_COLORS": "0",
}  # fmt: skip

SWEEP = '''"""A sweep, and the script that runs it."""
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

import flowcore as fc

TALLY = Path(__file__).with_name("tally")


class Speed(Enum):
    FAST = 1
    SLOW = 2


@dataclass(frozen=True)
class Land:
    rate: float
    years: int


def count(what):
    with TALLY.open("a") as file:
        file.write(what + "\\n")


@fc.compute(ignore=("global:TALLY",))
def erode(rate: float, years: int) -> Land:
    count("erode")
    if rate < 0:
        raise ValueError(f"rate {rate} is negative")
    print("eroding")
    return Land(rate, years)


@fc.compute
def height(land: Land) -> float:
    if type(land).__qualname__ != "Land":
        raise TypeError(type(land))
    return land.rate * land.years


@fc.compute
def total(heights: list[float]) -> float:
    return sum(heights)


@fc.flow
def sweep(rates: list[float], years: int = 500, speed: Speed = Speed.FAST, how: Literal["up", "down"] = "up"):
    """Sweep rates.

    Parameters
    ----------
    rates : list of float
        Erodibilities, up to 100% a year.
    """
    return total(fc.gather(height(erode(fc.each(rate=rates), years))))


if __name__ == "__main__":
    print(sweep([0.1, 0.2]).run(progress=False).summary())
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


class Terminal:
    """A folder in which commands are typed, each a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {}

    def write(self, name: str, text: str) -> Path:
        """Put a file into the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def python(self, *arguments: str) -> Typed:
        """Run Python."""
        done = subprocess.run(
            [sys.executable, *arguments], cwd=self.folder, env=ENVIRON | self.environ, capture_output=True,
            encoding="utf-8", timeout=60, check=False,
        )  # fmt: skip
        return Typed(code=done.returncode, out=done.stdout, err=done.stderr)

    def __call__(self, *arguments: str) -> Typed:
        """Type ``flowcore ...``."""
        return self.python("-m", "flowcore", *arguments)

    def tally(self) -> int:
        """Count how often `erode` ran."""
        path = self.folder / "tally"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def flowcore(tmp_path: Path) -> Terminal:
    """Give a terminal in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def swept(flowcore: Terminal) -> Terminal:
    """Give a terminal in a folder with ``sweep.py``."""
    flowcore.write("sweep.py", SWEEP)
    return flowcore
