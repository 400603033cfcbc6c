"""Claims about flowcore/collector.py: when Python looks for reference cycles, and that it does again."""

from __future__ import annotations

import gc
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

import flowcore as fc
from flowcore.collector import at_rest

NODES = 3_000


@fc.compute
def after(x: int) -> int:
    """Give the number behind one."""
    return x + 1


@pytest.fixture(autouse=True)
def _collector_as_before() -> Iterator[None]:
    gc.enable()
    yield
    gc.enable()


def _chain() -> fc.Flow:
    with fc.Flow("chain") as flow:
        x = 0
        for _ in range(NODES):
            x = after(x)
        flow.result = x
    return flow


def test_graph_is_not_gone_through_while_it_is_made(tmp_path: Path) -> None:
    """A run of many nodes makes the collector look at old objects a few times, however many nodes there are."""
    flow, passes = _chain(), list[int]()

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] > 0:
            passes.append(info["generation"])

    gc.callbacks.append(note)
    try:
        flow.run(store=tmp_path, progress=False)
    finally:
        gc.callbacks.remove(note)

    assert NODES // 250 > len(passes)
    assert gc.isenabled()


@pytest.mark.usefixtures("nothing_set_aside")
def test_graph_is_not_gone_through_while_it_is_drawn() -> None:
    """Though the user's code runs in between, and the collector may look at what that has made."""
    passes: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] > 0:
            passes.append(info["generation"])

    gc.callbacks.append(note)
    try:
        flow = _chain()
    finally:
        gc.callbacks.remove(note)

    assert NODES == len(list(flow.nodes))
    assert [] == passes


def test_collector_rests_until_the_last_one_is_done() -> None:
    """Who rests within another's rest does not end it."""
    with at_rest:
        with at_rest:
            pass
        within = gc.isenabled()

    assert [False, True] == [within, gc.isenabled()]


def test_collector_rests_until_the_last_thread_is_done() -> None:
    """A thread that rests meanwhile, and ends first, does not end it either."""

    def rest() -> None:
        with at_rest:
            pass

    with at_rest:
        other = Thread(target=rest)
        other.start()
        other.join()
        within = gc.isenabled()

    assert [False, True] == [within, gc.isenabled()]


def test_collector_that_is_off_stays_off() -> None:
    """A program that has switched it off finds it off."""
    gc.disable()
    with at_rest:
        pass

    assert not gc.isenabled()


def test_forked_child_has_its_collector() -> None:
    """What another thread was at when a process was forked is not at anything in the child."""
    with at_rest:
        child = os.fork()
        if not child:
            with at_rest:
                pass
            os._exit(0 if gc.isenabled() else 1)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Knot:
    """Refers to itself: only the collector finds that it is garbage."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def nothing_set_aside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The tests' process has frozen what it began with."""
    monkeypatch.setattr(at_rest, "_left_alone", False)
    gc.unfreeze()
    gc.collect()  # so that it is not about to go through all by itself
    yield
    gc.freeze()


@pytest.mark.usefixtures("nothing_set_aside")
def test_what_a_rest_has_made_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """The collector does not go through it once more in each of the younger generations."""
    monkeypatch.setattr("flowcore.collector._LEAST", 1 << 30)
    with at_rest:
        made = [[place] for place in range(2_000)]
    young = [*gc.get_objects(0), *gc.get_objects(1)]

    assert not {*map(id, made)} & {*map(id, young)}


@pytest.mark.usefixtures("nothing_set_aside")
def test_what_was_made_in_rests_is_gone_through_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage that a rest has let grow old is found once as many objects have been made as there were."""
    monkeypatch.setattr("flowcore.collector._LEAST", 1_000)
    monkeypatch.setattr(at_rest, "_kept", 0)
    with at_rest:
        knot = weakref.ref(Knot())
    kept: list[list[int]] = []
    for _ in range(20):
        with at_rest:
            kept += [[place] for place in range(200)]

    assert 4_000 == len(kept)
    assert knot() is None


def test_what_was_set_aside_for_good_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that has frozen what it shares with its children finds it frozen."""
    monkeypatch.setattr(at_rest, "_left_alone", False)
    gc.freeze()
    frozen = gc.get_freeze_count()
    with at_rest:
        made = [[place] for place in range(2_000)]

    assert frozen == gc.get_freeze_count() > 0 < len(made)


@pytest.mark.usefixtures("nothing_set_aside")
def test_finalizers_may_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that run when garbage is found may themselves call what rests, without a lock in the way."""
    monkeypatch.setattr("flowcore.collector._LEAST", 0)
    monkeypatch.setattr(at_rest, "_kept", 0)
    rested = []

    class Restless(Knot):
        def __del__(self) -> None:
            with at_rest:
                rested.append(1)

    with at_rest:
        Restless()
        made = [[place] for place in range(100)]

    assert [1] == rested
    assert 100 == len(made)
