"""Claims about flowcore/collector.py: when Python looks for reference cycles, and that it does again."""

from __future__ import annotations

import gc
import os
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
