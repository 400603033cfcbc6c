"""Small deterministic tasks that the checks are made of; importable wherever flowcore is."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from flowcore.errors import Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BIG = 5_000  # elements: 40 kB, more than travels in a message


def plus(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


def total(values: Sequence[int]) -> int:
    """Sum up, weighted by place, so that order counts."""
    return sum(place * value for place, value in enumerate(values, start=1))


def labelled(values: dict[object, int]) -> list[tuple[object, int]]:
    """Give labels and values, in order."""
    return list(values.items())


def field(seed: int) -> NDArray[np.float64]:
    """Give an array that is too big for a message."""
    import numpy as np

    return np.arange(BIG, dtype=np.float64) * (seed + 1)


def overwritten(array: NDArray[np.float64]) -> float:
    """Give the sum of an array, and write into it: nobody else may see that."""
    found = float(array.sum())
    array[:] = -1.0
    return found


def refuse_odd(x: int) -> int:
    """Raise for an odd number."""
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def skip_odd(x: int) -> int:
    """Skip an odd number."""
    if x % 2:
        raise Skip(f"{x} is odd")
    return x


def wait_at(gate: tuple[str, int], x: int) -> int:
    """Say by a connection that the cell has begun, and go on when it is closed."""
    with socket.create_connection(gate) as line:
        line.recv(1)
    return x


def as_coroutine(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Give a coroutine function that does the same."""

    @functools.wraps(function)
    async def call(*args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    return call
