"""Claims about docs/simulations.md: the program that stands in it was run, and does what the page says."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np

from flowcore.testing import check_resume

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "simulations.md").read_text()
PROGRAM = DOCS / "recorded" / "erosion.py"


def program() -> ModuleType:
    """Import the program of the page."""
    spec = importlib.util.spec_from_file_location("erosion", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["erosion"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_its_program() -> None:
    """The task on the page is the one that was recorded."""
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    assert shown.strip() in PROGRAM.read_text()


def test_the_recorded_simulation_goes_on() -> None:
    """After the kill no loop begins at its first step; the longer run begins where the shorter one ended."""
    screens = [[int(step) for step in re.findall(r"step (\d+) of", screen)] for screen in PAGE.split("```text")[1:]]

    assert [3, 3] == [len(steps) for steps in screens[:2]]
    assert min(screens[1]) > 100
    assert min(screens[2]) >= 1000


def test_the_program_can_be_interrupted() -> None:
    """What the page promises of its task is so."""
    check_resume(program().erode, np.linspace(0.0, 1.0, 5000).reshape(50, 100), 0.1, 12, at=(1, 7))
