"""Claims about rounds.py: contenders take turns, and one that breaks costs nobody else a round."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.rounds import Refused, Samples, alternate


def test_contenders_alternate() -> None:
    """One call each, round by round; figures stay with their contender."""
    calls: list[str] = []

    def contender(name: str) -> Callable[[], float]:
        def call() -> float:
            calls.append(name)
            return float(len(calls))

        return call

    found = alternate({"a": contender("a"), "b": contender("b")}, times=3)

    assert ["a", "b"] * 3 == calls
    assert {"a": [1.0, 3.0, 5.0], "b": [2.0, 4.0, 6.0]} == {name: s.figures for name, s in found.items()}


def test_one_that_refuses_or_breaks_leaves_the_others_alone() -> None:
    """It is asked once, and what it said stands in its place; half a set of figures is none."""
    turns = iter([2.0])

    def breaks() -> float:
        return next(turns, None) or 1 / 0

    def refuses() -> float:
        raise Refused("no such work")

    found = alternate({"breaks": breaks, "refuses": refuses, "goes on": lambda: 1.0}, times=3)

    assert Samples(refusal="ZeroDivisionError: division by zero") == found["breaks"]
    assert Samples(refusal="no such work") == found["refuses"]
    assert Samples(figures=[1.0, 1.0, 1.0]) == found["goes on"]


def test_best_and_spread() -> None:
    """The least, and how much more the largest is."""
    samples = Samples(figures=[3.0, 2.0, 5.0])

    assert (2.0, 2.5) == (samples.best, samples.spread)
