"""Claims about runs inside the tasks of runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.cell.nesting import DEEPEST


def descend(levels: int, store: str) -> int:
    """Run a flow whose only task does the same, `levels` deep; give the number of levels below."""
    if levels == 0:
        return 0
    with fc.Flow(f"level {levels}") as flow:
        below = flow.add(descend, levels - 1, store, name="below")
    value: int = flow.run(store=store, workers=1, progress=False)[below]
    return value + 1


@pytest.mark.contract("F15")
def test_runs_nest(store: Path) -> None:
    """A task may run a flow, whose task may run a flow, and so on, each in a process of its own."""
    assert DEEPEST + 1 == descend(DEEPEST + 1, str(store))


def goes_elsewhere(folder: str, store: str) -> tuple[str, str]:
    """Go to another directory, and run a flow on threads there; tell where that was, and where this is after it."""
    os.chdir(folder)
    with fc.Flow("inner") as flow:
        place = flow.add(os.getcwd, kind="io")
    return flow.run(store=store, progress=False)[place], os.getcwd()


@pytest.mark.contract("F15", "P4")
def test_a_run_in_a_cell_leaves_what_the_cell_has_changed(store: Path, tmp_path: Path) -> None:
    """What is put back between the cells of the outer run is not put back by those of the inner one."""
    with fc.Flow("outer") as flow:
        places = flow.add(goes_elsewhere, str(tmp_path), str(store))

    assert (str(tmp_path),) * 2 == flow.run(store=store, workers=1, progress=False)[places]


@pytest.mark.contract("F15")
def test_too_many_levels_are_refused(store: Path) -> None:
    """One level more fails clearly in the innermost task, and every level above says why."""
    with pytest.raises(fc.RunFailed, match="failed") as failed:
        descend(DEEPEST + 2, str(store))

    error = failed.value
    for _ in range(DEEPEST):
        inner = error.failures[0].exception
        assert isinstance(inner, fc.RunFailed)
        error = inner
    assert "TooDeeplyNested" in str(error.failures[0].error) or "nested in" in str(error)


@pytest.mark.contract("F15")
def test_an_inner_run_lives_on_the_cores_of_its_cell(store: Path) -> None:
    """However many workers it asks for, it gets what its cell has."""

    def inner(root: str) -> int:
        with fc.Flow("inner") as flow:
            one = flow.add(abs, -1)
        run = flow.run(store=root, workers=8, progress=False)
        assert run[one] == 1
        return run._session.settings.workers

    with fc.Flow("outer") as flow:
        workers = flow.add(inner, str(store), name="workers")

    assert 1 == flow.run(store=store, workers=2, progress=False)[workers]
