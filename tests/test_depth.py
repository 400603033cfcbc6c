"""Claims about chains that are longer than the stack is deep: all that is told of them, and what telling costs."""

from __future__ import annotations

import cProfile
import pickle
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import flowcore as fc

SHORT, LONG = 100, 1010  # nodes; the recursion limit is 1000
SMALL = 256 << 10  # bytes of a stack
SLACK = 1.25  # of the calls a node


def begin(x: int, fails: bool) -> int:
    """Give the number, or fail."""
    if fails:
        raise ValueError("first")
    return x


def one_more(x: int) -> int:
    """Count up."""
    return x + 1


def chain(length: int, x: int, *, fails: bool) -> fc.Flow:
    """Draw a chain; its nodes are named by their place."""
    flow = fc.Flow("chain")
    value = flow.add(begin, x, fails, name="n0")
    for i in range(1, length):
        value = flow.add(one_more, value, name=f"n{i}")
    flow.result = value
    return flow


def ended(flow: fc.Flow, store: Path) -> fc.Run:
    """Run to the end, whatever fails."""
    run = flow.start(store=store, executor="inline", progress=False, on_error="continue")
    with suppress(fc.RunFailed):
        run.wait()
    return run


def raised(run: fc.Run) -> str:
    """Give the message of a run that failed, after a trip to another process."""
    with pytest.raises(fc.RunFailed) as failed:
        run.wait()
    return str(pickle.loads(pickle.dumps(failed.value)))


def calls(act: Callable[[], object]) -> int:
    """Count the calls that something makes."""
    profile = cProfile.Profile()
    profile.runcall(act)
    return sum(entry.callcount for entry in profile.getstats())


def tellings(length: int, home: Path) -> dict[str, Callable[[], object]]:
    """Run a chain that fails at its beginning, and two that do not; give all that is told of them."""
    last, store, page = f"n{length - 1}", home / "store", str(home / "page.html")
    failing, flow, other = (chain(length, x, fails=fails) for x, fails in ((0, True), (0, False), (1, False)))
    before = chain(length, 2, fails=False)
    runs = {"failed": ended(failing, store), "done": ended(flow, store), "other": ended(other, store)}
    read = fc.open_run(runs["done"].id, store=store)
    found: dict[str, Callable[[], object]] = {
        "message": lambda: raised(runs["failed"]),
        "plan": lambda: failing.plan(store=store).rows[-1].reasons,
        "why": lambda: before.why(last, store=store).verdict,
        "difference": lambda: fc.diff(runs["done"], runs["other"]),
        "journal": read.summary,
        "graph of the journal": lambda: read.graph,
        "dot": before.to_dot,
    }
    failed, done = runs["failed"], runs["done"]
    found |= {
        "summary": failed.summary, "timeline": failed.timeline, "critical path": done.critical_path,
        "report": lambda: failed.report(page), "graph": lambda: failed.graph,
    }  # fmt: skip
    return found


def told(length: int, home: Path) -> dict[str, int]:
    """Have everything told, on a small stack; give the calls that each telling made."""
    found: dict[str, int] = {}
    problems: list[BaseException] = []

    def tell() -> None:
        try:
            for name, telling in tellings(length, home).items():
                found[name] = calls(telling)
        except BaseException as error:  # noqa: BLE001 - raised by who waits
            problems.append(error)

    before = threading.stack_size(SMALL)
    thread = threading.Thread(target=tell)
    thread.start()
    threading.stack_size(before)
    thread.join()
    for problem in problems:
        raise problem
    return found


def check_depth(less: int, more: int, home: Path) -> None:
    """Tell of a shorter and of a longer chain, and compare what that costs a node."""
    short, long = told(less, home / "short"), told(more, home / "long")
    dear = {name: (short[name], long[name]) for name in long if long[name] / more > SLACK * short[name] / less + 1}

    assert {} == dear, "calls that are not as many a node"
    assert 1000 == sys.getrecursionlimit()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.contract("F30", "P11")
def test_what_is_told_of_a_chain_costs_the_same_a_node(tmp_path: Path) -> None:
    """Failure, report, plan, why, difference and pictures of 1010 nodes in a row, on a small stack."""
    check_depth(SHORT, LONG, tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.contract("F30", "P11")
def test_what_is_told_of_a_very_long_chain_costs_the_same_a_node(tmp_path: Path) -> None:
    """The same for four thousand."""
    check_depth(LONG, 4_000, tmp_path)
