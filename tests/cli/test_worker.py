"""Claims about `flowcore worker`: where it looks for what it is to do."""

from __future__ import annotations

from pathlib import Path

from flowcore.run.pilots.executor import box_of
from tests.cli.conftest import Terminal


def test_it_may_come_before_the_store(flowcore: Terminal, tmp_path: Path) -> None:
    """A folder that is not there yet is a store, whose runs will look for workers in its box."""
    told = flowcore("worker", "-w", "1", "--idle", "0s", "--spool", str(tmp_path / "new"))

    assert 0 == told.code
    assert f"out of {box_of(str(tmp_path / 'new'))}\n" in told.err


def test_a_box_is_a_box(flowcore: Terminal, tmp_path: Path) -> None:
    """What a batch system is told, the box itself, is taken as it stands, there or not."""
    box = box_of(str(tmp_path / "new"))
    told = flowcore("worker", "-w", "1", "--idle", "0s", "--spool", box)

    assert 0 == told.code
    assert f"out of {box}\n" in told.err
