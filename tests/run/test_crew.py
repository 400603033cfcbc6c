"""Claims about run/crew.py: where cells are carried out, by what their task, the run and this Python say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

import flowcore as fc


def where() -> int:
    """Tell which process this is."""
    return os.getpid()


def is_here(store: Path, runner: str | None, executor: str | None) -> bool:
    """Tell whether a computing cell is carried out in this process."""
    flow = fc.Flow("where")
    node = flow.add(fc.compute(runner=runner)(where) if runner else fc.compute(where))
    return bool(os.getpid() == flow.run(store=store, executor=executor, workers=1, progress=False)[node])


@pytest.mark.parametrize(
    ("gil", "runner", "executor", "expected"),
    [
        (True, None, None, False),
        (True, "thread", None, True),
        (True, "inline", None, True),
        (False, None, None, True),
        (False, "process", None, False),
        (False, None, "process", False),
        (False, None, "thread", True),
    ],
)
def test_cells_compute_on_threads_where_threads_compute_at_once(
    gil: bool, runner: str | None, executor: str | None, expected: bool, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a free-threaded build, unless the task or the run asks for processes."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: gil, raising=False)

    assert expected == is_here(store, runner, executor)
