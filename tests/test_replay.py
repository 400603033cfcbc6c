"""Claims about calling one cell of a run again: same inputs, seed and state, and nothing written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.errors import FlowcoreWarning
from flowcore.replay import CannotReplay


@fc.io
def field(n: int, path: str) -> Any:
    """Give an array too large for a journal, and different each time the file is."""
    return np.arange(n, dtype=float) + len(Path(path).read_text())


@fc.compute
def drawn(z: Any, rate: float, *, rng: np.random.Generator = fc.rng()) -> float:
    """Give what depends on data, label and stream."""
    return float(z[1] + rate * rng.random())


@fc.compute
def failing(z: Any, rate: float) -> float:
    """Raise for one rate."""
    if rate > 0.15:
        raise ValueError("too high")
    return float(z[0])


@fc.compute
def total(xs: list[float]) -> float:
    """Sum."""
    return sum(xs)


@fc.compute
def halves(n: int) -> list[int]:
    """Give a list to iterate over."""
    return [n, n // 2]


@fc.compute
def twice(x: int) -> int:
    """Double."""
    return 2 * x


STEPS: list[int] = []  # made in this process


@fc.compute(ignore=("global:STEPS",))
def stepping(limit: int, *, ckpt: fc.Checkpoint = fc.Checkpoint(every="0s")) -> int:
    """Fail at a step."""
    s = ckpt.state(made=0)
    for step in ckpt.steps(5):
        STEPS.append(step)
        s.made += 1
        ckpt.save()
        if step == limit:
            raise RuntimeError("stopped here")
    return s.made


@fc.io
async def later(x: int) -> int:
    """Wait, and give what came."""
    await asyncio.sleep(0)
    return x + 1


def files(store: Path) -> dict[str, bytes]:
    """Give all files of a store."""
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.rglob("*")) if path.is_file()}


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """Give a file that an io task reads."""
    path = tmp_path / "world.txt"
    path.write_text("abc")
    return path


def test_a_cell_gives_what_it_gave(tmp_path: Path, world: Path) -> None:
    """With its random stream, its label, and an input that was not kept and is made again; the store stays as it is."""
    store = tmp_path / "store"
    with fc.Flow("draws") as flow:
        cells = drawn(field(100_000, str(world)), fc.each(rate=[0.1, 0.2]))
    run = flow.run(store=store, seed=7, progress=False)
    before = files(store)

    again = run.replay("drawn[rate=0.2]")
    recorded = fc.open_run(run.id, store=store).replay("drawn[rate=0.2]", flow)

    assert [run[cells][0.2]] * 2 == [again, recorded]
    assert before == files(store)


def test_what_is_otherwise_is_told(tmp_path: Path, world: Path) -> None:
    """An input that was not kept may come out otherwise now: the call goes on, and says so."""
    store = tmp_path / "store"
    with fc.Flow("draws") as flow:
        drawn(field(100_000, str(world)), 0.1)
    run = flow.run(store=store, progress=False)
    world.write_text("longer")

    with pytest.warns(FlowcoreWarning, match="field was not kept, and came out otherwise now"):
        run.replay("drawn")


def test_arguments_that_changed_are_told(tmp_path: Path, world: Path) -> None:
    """The flow passed is drawn with another constant."""
    store = tmp_path / "store"
    with fc.Flow("one") as flow:
        drawn(field(100_000, str(world)), 0.1)
    run = flow.run(store=store, progress=False)
    with fc.Flow("one") as other:
        drawn(field(100_000, str(world)), 0.3)

    recorded = fc.open_run(run.id, store=store)
    with pytest.warns(FlowcoreWarning, match=r"argument rate 0\.1 -> 0\.3"):
        recorded.replay("drawn", other)


def test_a_failed_cell_raises_as_it_did(tmp_path: Path, world: Path) -> None:
    """The user's own exception, and not an account of it."""
    with fc.Flow("fails") as flow:
        total(fc.gather(failing(field(100_000, str(world)), fc.each(rate=[0.1, 0.2]))))
    run = flow.start(store=tmp_path / "store", on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()

    with pytest.raises(ValueError, match="too high"):
        run.replay("failing[rate=0.2]")
    with pytest.raises(CannotReplay, match=r"failing\[rate=0\.2\], which it needs, gave no value: it is failed"):
        run.replay("total")


def test_axes_over_values_and_items(tmp_path: Path) -> None:
    """Elements of a value, one of its items, a choice: each is had again from what is kept."""
    with fc.Flow("grown") as flow:
        listed = halves(8)
        grown = twice(fc.each(x=listed))
        chosen = twice(fc.choose(True, listed[1], listed[0]))
    run = flow.run(grown, chosen, store=tmp_path / "store", progress=False)

    assert 8 == run.replay("twice[x=4]")
    assert 8 == run.replay(chosen)
    with pytest.raises(CannotReplay, match="no call of a task"):
        run.replay(listed[1])


def test_a_coroutine_is_waited_for(tmp_path: Path) -> None:
    """Also where a loop turns in the very thread."""
    with fc.Flow("waits") as flow:
        waited = later(1)
    run = flow.run(waited, store=tmp_path / "store", progress=False)

    async def inside() -> object:
        return run.replay(waited)

    assert [2, 2] == [run.replay(waited), asyncio.run(inside())]


def test_a_loop_goes_on_from_a_copy_of_its_state(tmp_path: Path) -> None:
    """It begins where the saved state is, and leaves that as it was."""
    store = tmp_path / "store"
    with fc.Flow("steps") as flow:
        stepping(3)
    run = flow.start(store=store, progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    before = files(store)
    assert any("checkpoints" in name for name in before)

    with pytest.raises(RuntimeError, match="stopped here"):
        run.replay("stepping")

    assert [3] == STEPS
    assert before == files(store)


def test_another_flow_is_refused(tmp_path: Path) -> None:
    """A node that it does not have, and axes that differ."""
    store = tmp_path / "store"
    with fc.Flow("flow") as flow:
        twice(fc.each(x=[1, 2]))
    run = flow.run(store=store, progress=False)
    recorded = fc.open_run(run.id, store=store)
    with fc.Flow("flow") as without:
        halves(1)
    with fc.Flow("flow") as longer:
        twice(fc.each(x=[1, 2, 3]))

    with pytest.raises(CannotReplay, match="no node 'twice'"):
        recorded.replay("twice[x=1]", without)
    with pytest.raises(CannotReplay, match="other axes"):
        recorded.replay("twice[x=1]", longer)


def test_it_is_told_before_it_is_called(tmp_path: Path, world: Path) -> None:
    """Shapes and digests of what it will be called with, and which cells had to run for that."""
    store = tmp_path / "store"
    with fc.Flow("told") as flow:
        failing(field(100_000, str(world)), 0.1)
    run = flow.run(store=store, progress=False)
    recorded = fc.open_run(run.id, store=store)

    ready = recorded.ready_again("failing", flow)

    assert ("failing", ("field",), ()) == (ready.cell, ready.again, ready.differs)
    assert "(100000,)" in ready.arguments["z"]
