"""Claims about ``fc.choose`` in runs: one branch runs, and the choice is what that branch gives (contract K32)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc

pytestmark = pytest.mark.contract("K32")
LOG = "FLOWCORE_TEST_CHOICES"


def called(text: str) -> None:
    """Leave a line; by the environment, which enters no key."""
    with open(os.environ["FLOWCORE_TEST_CHOICES"], "a") as file:
        file.write(f"{text}\n")


@fc.compute
def rest(n: int, by: int) -> int:
    """Be the condition."""
    called(f"rest {n} {by}")
    return n % by


@fc.compute
def half(n: int) -> int:
    """Be a branch."""
    called(f"half {n}")
    return n // 2


@fc.compute
def other(n: int) -> int:
    """Be the other branch, which gives the same for 0 to 3."""
    called(f"other {n}")
    return n // 2 if n < 4 else 3 * n


@fc.compute
def use(n: int) -> int:
    """Take the choice."""
    called(f"use {n}")
    return n


@fc.compute
def boom(n: int) -> int:
    """Fail."""
    raise ValueError(n)


@fc.compute
def none(n: int) -> int:
    """Skip."""
    raise fc.Skip("none")


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Give the calls since they were asked for, sorted."""
    path = tmp_path / "calls"
    monkeypatch.setenv(LOG, str(path))

    def since() -> list[str]:
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return sorted(lines)

    return since


def run(n: Any, by: int, store: Path, **options: Any) -> fc.Run:
    """Halve where something is left."""
    with fc.Flow() as flow:
        flow.result = use(fc.choose(rest(n, by), half(n), other(n)))
    return flow.run(store=store, progress=False, **options)


@pytest.mark.parametrize("executor", ["process", "inline"])
def test_one_branch_runs_and_answers_later(executor: str, store: Path, calls: Callable[[], list[str]]) -> None:
    """A second run calls nothing, of either branch."""
    options: dict[str, Any] = {} if executor == "process" else {"executor": executor}
    first = run(5, 2, store, **options)
    cold = calls()
    again = run(5, 2, store, **options)

    assert (2, 2) == (first["use"], again["use"])
    assert (["half 5", "rest 5 2", "use 2"], []) == (cold, calls())


def test_the_condition_enters_nowhere_else(store: Path, calls: Callable[[], list[str]]) -> None:
    """Another condition that takes the same branch runs, and nothing below it."""
    run(5, 2, store, executor="inline")
    calls()
    run(5, 3, store, executor="inline")

    assert ["rest 5 3"] == calls()


def test_the_other_branch_is_another_answer_only_if_its_value_is(store: Path, calls: Callable[[], list[str]]) -> None:
    """What is below is keyed by the value, whichever branch gave it."""
    run(3, 2, store, executor="inline")
    run(5, 2, store, executor="inline")
    calls()
    run(3, 3, store, executor="inline")
    same = calls()
    run(5, 5, store, executor="inline")

    assert (["other 3", "rest 3 3"], ["other 5", "rest 5 5", "use 15"]) == (same, calls())


def test_each_cell_chooses(store: Path, calls: Callable[[], list[str]]) -> None:
    """Along an axis some take one branch and some the other."""
    chosen = run(fc.each(n=[4, 5, 6]), 2, store, executor="inline")

    assert [12, 2, 18] == chosen["use"].array().tolist()
    assert ["half 5", "other 4", "other 6"] == [line for line in calls() if line.split()[0] in ("half", "other")]


@pytest.mark.parametrize(("condition", "state"), [(boom, "blocked"), (none, "skipped")])
def test_a_condition_without_a_value(condition: Any, state: str, store: Path, calls: Callable[[], list[str]]) -> None:
    """Takes neither branch, and the choice is as the condition is."""
    with fc.Flow() as flow:
        flow.result = fc.choose(condition(1), half(1), other(1))
    started = flow.start(store=store, progress=False, executor="inline", on_error="continue")
    try:
        started.wait()
    except fc.RunFailed:
        assert condition is boom

    assert ([], state) == (calls(), fc.open_run(started.id, store).cell("choose").state)


@pytest.mark.contract("F1")
def test_a_run_that_was_stopped_between_goes_on(store: Path, calls: Callable[[], list[str]]) -> None:
    """The condition that was there is not asked again, and the branch falls as it did."""
    with fc.Flow() as flow:
        condition = rest(5, 2)
        flow.result = use(fc.choose(condition, half(5), other(5)))
    flow.run(condition, store=store, progress=False, executor="inline")
    calls()
    flow.run(store=store, progress=False, executor="inline")

    assert ["half 5", "use 2"] == calls()


@dataclass
class Point:
    """A value of the user's."""

    x: int


@fc.compute
def point(x: int) -> Point:
    """Give one."""
    return Point(x)


@fc.compute
def abs_of(n: int) -> int:
    """Give a number."""
    return abs(n)


@pytest.mark.contract("K10")
def test_classes_in_a_branch_come_with_the_choice(store: Path) -> None:
    """Also where the branch is a list with nodes in it: what takes the choice is keyed by their code."""
    with fc.Flow() as flow:
        flow.result = [fc.choose(True, [point(1), point(2)], None), fc.choose(True, [Point(3), abs_of(-1)], None)]
    chosen = flow.run(store=store, progress=False, executor="inline")
    met = [chosen._session.books.values.classes(flow[name].number, 0) for name in ("choose", "choose_2")]

    assert [[Point(1), Point(2)], [Point(3), 1]] == chosen[flow.result]
    assert [["tests.run.outcomes.test_choices:Point"]] * 2 == [[name for name, _ in classes] for classes in met]
