"""Small deterministic tasks that the checks are made of; importable wherever flowcore is."""

from __future__ import annotations

import functools
import os
import select
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowcore.declare.checkpoint import Checkpoint
from flowcore.errors import Skip

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BIG = 5_000  # elements: 40 kB, more than travels in a message
VAST = 1 << 20  # elements: 8 MiB
TOLD = 3  # steps of a loop before it says that it runs
_PRIME = 1_000_003
_MOMENT = 0.01  # seconds that a step takes whose loop waits for its end


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


def vast(seed: int) -> dict[str, Any]:
    """Give arrays of several MiB inside a container, one of them of columns."""
    import numpy as np

    whole = np.arange(VAST, dtype=np.float64) + seed
    return {"rows": whole.reshape(1024, -1), "columns": np.asfortranarray(whole.reshape(1024, -1) + 1.0), "seed": seed}


def turned(arrays: dict[str, Any]) -> Any:
    """Give the difference of what `vast` gave, the other way round."""
    return (arrays["columns"] - arrays["rows"] + arrays["seed"]).T


def weight(value: object) -> int:
    """Give a number that depends on all of a value, and on the order in it."""
    if isinstance(value, int):
        return value % _PRIME
    if isinstance(value, Mapping):
        return weight([part for item in value.items() for part in item])
    if isinstance(value, str):
        return weight(list(value.encode()))
    if isinstance(value, list | tuple):
        found = len(value)
        for part in value:
            found = (found * 31 + weight(part)) % _PRIME
        return found
    return int((value.astype("int64") * (1 + (value.astype("int64") % 7))).sum()) % _PRIME  # type: ignore[attr-defined]


def mixed(*parts: object, salt: int) -> int:
    """Give a number that depends on everything."""
    return weight([*parts, salt])


def spread(*parts: object, salt: int) -> NDArray[np.int64]:
    """Give an array that depends on everything; some are too big for a message, and some are not."""
    import numpy as np

    size = 3 + (salt % 3) * (BIG // 2)
    return (np.arange(size, dtype=np.int64) * weight([*parts, salt])) % _PRIME


def paired(*parts: object, salt: int) -> dict[str, object]:
    """Give a container of what it is given."""
    return {"salt": salt, "parts": list(parts)}


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


def say(x: int) -> int:
    """Print a line."""
    print(f"x is {x}")  # noqa: T201 - what is printed is what it is about
    return x


def wait_at(gate: tuple[str, int], x: int) -> int:
    """Say by a connection that the cell has begun, and go on when it is closed."""
    with socket.create_connection(gate) as line:
        line.recv(1)
    return x


def wait_if_odd(gate: tuple[str, int], x: int) -> int:
    """Wait like `wait_at`, with an odd number."""
    return wait_at(gate, x) if x % 2 else x


async def await_if_odd(gate: tuple[str, int], x: int) -> int:
    """Wait like `wait_at`, with an odd number, and let others have their turn."""
    if x % 2:
        import asyncio

        reader, writer = await asyncio.open_connection(*gate)
        try:
            await reader.read(1)
        finally:
            writer.close()
    return x


def end_process_if_odd(x: int) -> int:
    """End the process it runs in, with an odd number."""
    if x % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def end_process_once(mark: str, x: int) -> int:
    """End the process it runs in, the first time that anybody comes here with an odd number."""
    if x % 2:
        try:
            os.mkdir(mark)
        except FileExistsError:
            return x
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def count_up(gate: tuple[str, int], steps: int, ckpt: Checkpoint = Checkpoint()) -> int:  # noqa: B008 - asks for one
    """Sum up the numbers of the steps, and say at which it began.

    Whoever is at the gate answers whether to go on quickly: else no more than a hundred steps
    are done in a second, and all of them are in vain once the gate is closed.
    """
    s = ckpt.state(total=0)
    with socket.create_connection(gate) as line:
        company = _Company(line)
        for step in ckpt.steps(steps):
            company.hear(step)
            s.total += step
    return int(s.total)


class _Company:
    """Who is at the gate while a loop runs."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._heard = 0
        self._slow = True

    def hear(self, step: int) -> None:
        """Tell the first step that is begun, and that some were; wait a moment if that is wanted."""
        if not self._heard:
            self._line.sendall(f"{step}\n".encode())
            self._slow = self._line.recv(1) == b"s"
        self._heard += 1
        if not self._slow:
            return
        if self._heard == TOLD:
            self._line.sendall(b"running\n")
        if select.select([self._line], [], [], _MOMENT)[0]:
            raise TimeoutError("nobody has told this loop to stop")


def as_coroutine(function: Callable[..., Any]) -> Callable[..., Coroutine[Any, Any, Any]]:
    """Give a coroutine function that does the same."""

    @functools.wraps(function)
    async def call(*args: object, **kwargs: object) -> Any:
        return function(*args, **kwargs)

    return call
