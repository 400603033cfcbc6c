"""Claims about values that are written into: whoever gets one has it alone, in every executor (contract F31)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.store.verify import verify

LARGE = 9000  # numbers: an array in a file of its own
EXECUTORS = ("process", "thread", "inline", "async")


def made(kind: str) -> Any:
    """Give a value of each sort that a record, a file or a map can hold."""
    array = np.arange(float(LARGE if kind == "large" else 5))
    return {"list": [1, [2, 3]], "dict": {"a": {"b": [1]}}, "within": {"deep": [array]}}.get(kind, array)


def spoilt(value: Any) -> float:
    """Tell what there is, and leave nothing of it."""
    found = weighed(value)
    for array in _arrays(value):
        array[:] = -99.0
    if isinstance(value, list):
        value[1].append(99)
        value.clear()
    if isinstance(value, dict):
        value.clear()
    return found


def weighed(value: Any) -> float:
    """Tell what there is."""
    arrays = _arrays(value)
    return float(sum(array.sum() for array in arrays)) if arrays else float(len(repr(value)))


def _arrays(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = value.get("deep", [])
    return [value] if isinstance(value, np.ndarray) else [each for each in value if isinstance(each, np.ndarray)]


async def made_later(kind: str) -> Any:
    """As `made`, on the event loop."""
    return made(kind)


async def spoilt_later(value: Any) -> float:
    """As `spoilt`, on the event loop."""
    return spoilt(value)


def drawn(executor: str, kind: str) -> fc.Flow:
    """Draw a value with two who spoil it at once and one who comes after them."""
    flow = fc.Flow("shared")
    make, spoil = (made_later, spoilt_later) if executor == "async" else (made, spoilt)

    def add(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        task = fc.io(function, cache=True) if executor == "async" else fc.compute(function, runner=executor)
        return flow.add(task, *args, **options)

    value = add(make, kind, name="value")
    spoilers = [add(spoil, value, name=f"spoils {n}") for n in range(2)]
    add(spoil, value, name="last", after=spoilers)
    return flow


@pytest.mark.contract("F31", "K29", "P2")
@pytest.mark.parametrize("executor", EXECUTORS)
def test_what_is_written_into_a_value_stays_with_who_wrote(executor: str, tmp_path: Path) -> None:
    """Consumers and the user write into lists, dicts and arrays of any size: nobody else, no file, no rerun sees it."""
    for kind in ("list", "dict", "small", "large", "within"):
        store, expected = tmp_path / kind, weighed(made(kind))
        flow = drawn(executor, kind)
        for _ in range(2):
            run = flow.run(*flow.nodes, store=store, workers=2, progress=False)
            spoilt(run["value"])
            found = [run[name] for name in ("spoils 0", "spoils 1", "last")]

            assert [expected] * 4 == [*found, weighed(run["value"])], kind
        assert () == tuple(verify(open_store(store)).flaws)
