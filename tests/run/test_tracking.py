"""Claims about plan/tracking.py and what a run does with it: results are kept only under what they were made from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore import clock
from flowcore.plan import tracking
from flowcore.plan.tracking import described, watch


def aged(path: Path) -> None:
    """Make a file look long untouched, as far as its own times go."""
    os.utime(path, ns=(10**18, 10**18))


@pytest.mark.contract("F32")
def test_a_watch_tells_what_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file by its content, a variable by its value; what is only touched has not changed."""
    path = tmp_path / "data.txt"
    path.write_text("one")
    monkeypatch.setenv("FLOWCORE_TEST_TRACKED", "a")
    tracks = (path, "env:FLOWCORE_TEST_TRACKED", "numpy")
    watching = watch(tracks, [described(one) for one in tracks])
    assert watching is not None
    told = [watching.changed()]
    aged(path)
    told.append(watching.changed())
    path.write_text("two")
    told.append(watching.changed())
    path.write_text("one")
    monkeypatch.setenv("FLOWCORE_TEST_TRACKED", "b")
    told.append(watching.changed())
    path.unlink()
    monkeypatch.setenv("FLOWCORE_TEST_TRACKED", "a")
    told.append(watching.changed())

    assert ["", "", str(path), "env:FLOWCORE_TEST_TRACKED", str(path)] == told
    assert watch(("numpy",), []) is None


@pytest.mark.contract("F32")
def test_a_file_written_just_now_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times that are recent tell nothing: an edit in the same tick leaves them as they are (git's racy rule)."""
    path = tmp_path / "data.txt"
    path.write_text("one")
    told = []
    for age in (0.0, 1000.0):
        times = (int((clock.wall() - age) * 1e9), 0, 3, 1, 1)
        monkeypatch.setattr(tracking, "file_times", lambda _, times=times: times)
        path.write_text("one")
        watching = watch((path,), [described(path)])
        assert watching is not None
        watching.changed()
        path.write_text("two")
        told.append(watching.changed())

    assert [str(path), ""] == told


def reading(path: Path, during: str, **options: Any) -> fc.Flow:
    """Draw a task that tracks a file, and in whose cell somebody writes to it."""

    def read() -> str:
        if during:
            path.write_text(during)
        return path.read_text()

    flow = fc.Flow("reading")
    task = fc.compute(tracks=(path,), runner="inline", **options)(read)
    flow.result = flow.add(task, name="read")
    return flow


@pytest.mark.contract("F32")
def test_a_result_of_other_content_is_not_kept(tmp_path: Path) -> None:
    """The file is edited while the cell has it: the value is passed on, and the old key does not answer."""
    path = tmp_path / "data.txt"
    path.write_text("one")
    with pytest.warns(fc.FileChanged, match="changed while read had it"):
        edited = reading(path, "two").run(store=tmp_path / "store", progress=False)
    path.write_text("one")
    again = reading(path, "two").plan(store=tmp_path / "store")

    assert "two" == edited["read"]
    assert {"cached": 0, "runs": 1, "depends": 0} == again.counts


@pytest.mark.contract("F32")
def test_a_result_that_must_be_kept_fails_then(tmp_path: Path) -> None:
    """``cache="required"`` makes it an error."""
    path = tmp_path / "data.txt"
    path.write_text("one")
    with pytest.raises(fc.RunFailed, match="changed while read had it"):
        reading(path, "two", cache="required").run(store=tmp_path / "store", progress=False)


def test_what_stays_as_it_is_is_kept(tmp_path: Path) -> None:
    """Looking again costs nothing that is seen."""
    path = tmp_path / "data.txt"
    path.write_text("one")
    reading(path, "").run(store=tmp_path / "store", progress=False)

    assert 1 == reading(path, "").run(store=tmp_path / "store", progress=False).counts("read").hit
