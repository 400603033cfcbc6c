"""What this observer notes of a run, and that it has a name."""

import json
from pathlib import Path

import pytest

import flowcore as fc
from flowcore_progress_file import ProgressFile


@fc.compute
def inverse(x: float) -> float:
    """Fail at zero."""
    return 1 / x


def test_what_it_notes(tmp_path: Path) -> None:
    """Each node's cells, and how the run ended."""
    flow = fc.Flow("inverses")
    flow.add(inverse, fc.each(x=[0.0, 1.0, 2.0]))
    observer = ProgressFile(tmp_path / "progress.json")
    with pytest.raises(fc.RunFailed):
        flow.run(progress=observer, on_error="continue", store=tmp_path / "store", executor="inline")
    noted = json.loads((tmp_path / "progress.json").read_text())

    assert ("inverses", "failed") == (noted["flow"], noted["status"])
    assert {"inverse": {"cells": 3, "done": 2, "failed": 1}} == noted["nodes"]


def test_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installed, it is known as ``json``, also from outside of a script."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWCORE_PROGRESS", "json")
    flow = fc.Flow("one")
    flow.add(inverse, 4.0)
    flow.run(executor="inline")

    assert "done" == json.loads(Path("progress.json").read_text())["status"]
