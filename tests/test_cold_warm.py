"""Claims about every kind of value: what comes back from the store is what was given to it, keys included (KT5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.plan import numeric
from flowcore.plan.encode import BadRecord, NoEncoding, decode, encode
from flowcore.plan.kinds import WRITERS
from tests import everything
from tests.plan.corpus import Memory

VALUES = everything.values()


def draw(runner: str) -> fc.Flow:
    """Draw one flow of all values, each made by one cell and looked at by another, and all of them gathered."""
    with fc.Flow("everything") as flow:
        flow.options(runner=runner)
        made = everything.given(fc.each(name=list(VALUES)))
        everything.seen(made)
        everything.seen_gathered(fc.gather(made))
    return flow


@pytest.mark.contract("KT5", "K29")
@pytest.mark.parametrize("runner", ["process", "thread", "inline"])
def test_cold_is_warm(runner: str, store: Path) -> None:
    """Whoever is given a value sees class, dtype, layout, flags and bits of the fresh one, today and from the store.

    Three runs: cold; the consumers alone computed again, from what the store gives; all
    warm, in which nothing runs, because every key downstream is the same.
    """
    flow = draw(runner)
    options: dict[str, Any] = {"store": store, "progress": False, "workers": 2}
    cold = flow.run(*flow.nodes, **options)
    again = flow.run(*flow.nodes, refresh=["seen", "seen_gathered"], **options)
    warm = flow.run(*flow.nodes, **options)
    expected = [everything.described(value) for value in VALUES.values()]

    told = [run["seen"].values() for run in (cold, again)]
    assert [] == [name for name, want, *got in zip(VALUES, expected, *told, strict=True) if [want, want] != got]
    assert expected == cold["seen_gathered"] == again["seen_gathered"]
    distinct = len({lines[-1] for lines in expected})  # equal ones have one key
    assert (0, distinct) == (again.counts("given").done, again.counts("seen").done)
    assert distinct > 500
    assert [(0, len(VALUES))] * 2 + [(0, 1)] == [
        (warm.counts(name).done, warm.counts(name).hit) for name in ("given", "seen", "seen_gathered")
    ]


def identity(value: object) -> bytes:
    """Give the component of a value."""
    return encode(value, put=Memory().put).component


def drift(identity: Callable[[Any], object] = identity) -> Iterator[str]:
    """Yield what is different about values once they have been in a store."""
    for name, value in VALUES.items():
        home = Memory()
        try:
            back = decode(encode(value, put=home.put).record, fetch=home.fetch)
            same = identity(back) == identity(value) and everything.described(back) == everything.described(value)
        except (NoEncoding, BadRecord, ValueError, TypeError, AttributeError) as error:
            yield f"{name}: {error}"
            continue
        if not same:
            yield name


@pytest.mark.contract("KT5")
def test_nothing_drifts() -> None:
    """Neither identity nor anything that can be seen changes on the way through the store; arrays can be written to."""
    home = Memory()
    back = [decode(encode(value, put=home.put).record, fetch=home.fetch) for value in VALUES.values()]

    assert [] == list(drift())
    assert all(array.flags.writeable for array in back if isinstance(array, np.ndarray))


@pytest.mark.contract("KT5")
def test_a_tuple_that_comes_back_as_a_list_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees a class that changes."""
    monkeypatch.setitem(WRITERS, tuple, lambda value, w: w.sequence(value))

    assert list(drift())


@pytest.mark.contract("KT5")
def test_hashing_before_making_contiguous_is_found_out() -> None:
    """The check sees an identity that is made of other bytes than those that are kept."""

    def hashed_first(value: Any) -> object:
        if type(value) is not np.ndarray or value.dtype.kind == "T":
            return b""
        return value.shape, value.ravel(order="K").tobytes()

    assert list(drift(hashed_first))


@pytest.mark.contract("KT5")
def test_an_order_that_is_lost_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check sees a layout that changes: what is Fortran's comes back as C."""
    plain = numeric.over
    monkeypatch.setattr(numeric, "over", lambda *facts: np.array(plain(*facts), order="C"))

    assert list(drift())
