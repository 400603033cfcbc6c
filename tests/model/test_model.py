"""H6, the model test: random drawings, edits, damage, crashes and executors, against an oracle of another make."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from tests.drawings import Step
from tests.model.edits import EDITS, FAMILIES, Scene, files_in
from tests.model.machine import ACTIONS, Machine, live
from tests.model.world import MODULE, World
from tests.programs import examples, programs
from tests.vocabulary import STREAMS

MORE = int(os.environ.get("FLOWCORE_MODEL_FACTOR", "20")) if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1
pytestmark = [
    pytest.mark.filterwarnings("ignore::flowcore.errors.DamagedEntry"),
    pytest.mark.filterwarnings("ignore::flowcore.doubts.RepeatedStream"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of fork, in a process with threads
]


@pytest.fixture(scope="module")
def counter(counter: Path) -> Iterator[Path]:
    """Give the file of executions, beside a folder for streams, and leave no module of the model's behind."""
    streams = counter.with_name("streams")
    streams.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STREAMS, str(streams))
        yield counter
    sys.modules.pop(MODULE, None)


def check(
    counter: Path, steps: list[Step], data: st.DataObject, *, executor: Any = "inline",
    edits: tuple[str, ...] = tuple(EDITS), actions: tuple[str, ...] = tuple(ACTIONS), rounds: int = 4,
    families: tuple[tuple[Any, ...], ...] = FAMILIES, importable: bool = False, most_files: int = 2,
) -> None:  # fmt: skip
    """Let a store live through random edits and actions."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        if importable:
            patch.syspath_prepend(folder)
        files = files_in(Path(folder))[:most_files]
        documents = tuple(fc.File(path) for path in files)
        world = World.of(step.function for step in steps)
        scene = Scene(steps, world, families=(*families, *[documents] * ("write" in edits)), files=files)
        machine = Machine(Path(folder), counter, scene, executor=executor)
        live(machine, data.draw, edits=edits, actions=actions, rounds=data.draw(st.integers(1, rounds)))


@pytest.mark.contract("H6", "P1", "P2", "P7", "P10", "K2", "K31", "K32", "KT4", "KT5", "KT6")
@given(steps=programs(lively=True), data=st.data())
@examples(60, more=MORE)
def test_a_store_through_edits_and_damage(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """Every run gives the right values and executes exactly what has no usable record."""
    check(counter, steps, data)


@pytest.mark.contract("H6", "P1", "P10", "K22", "F27")
@given(steps=programs(most=5, lively=True), data=st.data())
@examples(15, more=MORE)
def test_a_store_and_files_that_change(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """The same, with files for constants, written anew at the same size, in the same tick, and with old times."""
    check(counter, steps, data, edits=("exchange", "write"), actions=("run",), families=())


@pytest.mark.contract("H6", "P1", "P10")
@given(steps=programs(most=6, lively=True), data=st.data())
@examples(12, more=MORE)
def test_a_store_on_threads(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """The same, with cells that end in any order."""
    check(counter, steps, data, executor="thread")


@pytest.mark.contract("H6", "P1", "P10", "F32")
@given(steps=programs(most=5, lively=True), data=st.data())
@examples(6, more=MORE)
def test_a_store_in_processes(counter: Path, steps: list[Step], data: st.DataObject) -> None:
    """The same, in workers that outlive the edits: none of them runs code that is not any more."""
    check(counter, steps, data, executor=None, rounds=3, importable=data.draw(st.booleans()))
