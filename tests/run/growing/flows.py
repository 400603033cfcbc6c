"""Tasks that return flows, and those that these are made of; each leaves a line where the environment says."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np

import flowcore as fc

LOG = "FLOWCORE_TEST_GROWTH"
HERE = threading.Lock()  # what no pickle can carry


def called(text: str) -> None:
    """Leave a line; by the environment, which enters no key."""
    path = os.getenv("FLOWCORE_TEST_GROWTH", "")
    if path:
        with open(path, "a") as file:
            file.write(f"{text}\n")


@fc.compute
def better(x: float) -> float:
    """Take a step towards the root of two."""
    called(f"better {x:.4f}")
    return (x + 2.0 / x) / 2


@fc.compute
def refine(x: float, left: int = 4) -> float | fc.Flow:
    """Take steps until there are none left."""
    called(f"refine {left}")
    if not left:
        return x
    with fc.Flow() as flow:
        flow.result = refine(better(x), left - 1)
    return flow


@fc.compute
def add(a: float, b: float) -> float:
    """Add."""
    called(f"add {a} {b}")
    return a + b


@fc.compute
def climb(x: int, left: int) -> int | fc.Flow:
    """Count up, one step after the other."""
    if not left:
        return x
    with fc.Flow() as flow:
        flow.result = climb(add(x, 1), left - 1)
    return flow


@fc.compute
def fib(n: int) -> int | fc.Flow:
    """Recurse, twice."""
    called(f"fib {n}")
    if n < 2:
        return n
    with fc.Flow() as flow:
        flow.result = add(fib(n - 1), fib(n - 2))
    return flow


@fc.compute
def halve(first: int, last: int) -> int | fc.Flow:
    """Recurse, twice, and never with the same arguments."""
    if last - first == 1:
        return first
    with fc.Flow() as flow:
        flow.result = add(halve(first, (first + last) // 2), halve((first + last) // 2, last))
    return flow


@fc.compute
def flat(parts: list[Any]) -> float:
    """Sum up lists in lists."""
    return float(sum(flat(part) if isinstance(part, list) else part for part in parts))


@fc.compute
def build(program: tuple[Any, ...]) -> Any:
    """Carry out a program, each of its parts in a flow of its own."""
    kind, *parts = program
    called(f"build {program}")
    if kind == "value":
        return parts[0]
    with fc.Flow() as flow:
        made = [build(part) for part in parts]
        flow.result = flat(made) if kind == "sum" else made
    return flow


@fc.compute
def found(values: dict[int, int]) -> list[int]:
    """Give what is there."""
    return list(values.values())


@fc.compute
def parts(n: int) -> dict[str, Any] | fc.Flow:
    """Give a flow whose result has a shape, grids and constants in it."""
    with fc.Flow() as flow:
        grid = better(fc.each(x=[float(i + 1) for i in range(n)]))
        flow.result = {"grid": grid, "pair": (1, [add(1, 2), "text"]), "array": np.arange(3)}
    return flow


@fc.compute
def split(n: int) -> tuple[int, dict[str, int]]:
    """Give two parts."""
    called(f"split {n}")
    return n // 2, {"rest": n - n // 2}


@fc.compute
def parted(n: int) -> list[int] | fc.Flow:
    """Draw what takes parts of a value."""
    called(f"parted {n}")
    with fc.Flow() as flow:
        first, rest = split(n)
        flow.result = [add(first, rest["rest"]), first]
    return flow


@fc.compute
def upto(n: int) -> list[float]:
    """Give a list whose length is known only in the run."""
    return [float(i + 1) for i in range(n)]


@fc.compute
def total(values: list[float]) -> float:
    """Sum up."""
    called(f"total {len(values)}")
    return float(sum(values))


@fc.compute
def dynamic(n: int) -> float | fc.Flow:
    """Draw along an axis of unknown length."""
    with fc.Flow() as flow:
        flow.result = total(fc.gather(better(fc.each(x=upto(n)))))
    return flow


@fc.compute
def listed(n: int) -> list[float] | fc.Flow:
    """Give a grid, which becomes a list."""
    with fc.Flow() as flow:
        flow.result = better(fc.each(x=[float(i + 1) for i in range(n)]))
    return flow


@fc.compute
def plainly(n: int) -> list[float]:
    """Give the same list without a flow."""
    return [(x + 2.0 / x) / 2 for x in (float(i + 1) for i in range(n))]


@fc.compute
def constant() -> list[object] | fc.Flow:
    """Give a flow that has no nodes."""
    with fc.Flow() as flow:
        flow.result = [1, "x"]
    return flow


@fc.compute
def positive(n: int) -> bool:
    """Tell."""
    return n > 0


@fc.compute
def boom(n: int) -> int:
    """Fail."""
    called(f"boom {n}")
    raise ValueError(f"no {n}")


@fc.compute
def chosen(n: int) -> float | fc.Flow:
    """Draw a choice."""
    with fc.Flow() as flow:
        flow.result = fc.choose(positive(n), add(n, 1), boom(n))
    return flow


@fc.compute
def fails(n: int) -> int | fc.Flow:
    """Draw what fails."""
    with fc.Flow() as flow:
        flow.result = add(boom(n), 1)
    return flow


@fc.compute
def nothing(n: int) -> int:
    """Skip."""
    called(f"nothing {n}")
    raise fc.Skip(f"nothing at {n}")


@fc.compute
def skips(n: int) -> int | fc.Flow:
    """Draw what is skipped."""
    called(f"skips {n}")
    with fc.Flow() as flow:
        flow.result = add(nothing(n), 1)
    return flow


@fc.compute
def besides(n: int) -> int | fc.Flow:
    """Draw what nobody takes the value of; it is done all the same."""
    with fc.Flow() as flow:
        add(n, 40)
        flow.result = add(n, 1)
    return flow


@fc.compute
def beside_boom(n: int) -> int | fc.Flow:
    """Draw, besides, what fails."""
    with fc.Flow() as flow:
        boom(n)
        flow.result = add(n, 1)
    return flow


@fc.io
def world(n: int) -> int:
    """Meet the world, which says what the environment says."""
    called(f"world {n}")
    return n + int(os.getenv("FLOWCORE_TEST_WORLD", "0"))


@fc.compute
def below(n: int) -> int | fc.Flow:
    """Draw what meets the world."""
    called(f"below {n}")
    with fc.Flow() as flow:
        flow.result = add(world(n), 1)
    return flow


@fc.compute
def two_below(n: int) -> float | fc.Flow:
    """Draw what draws what meets the world."""
    called(f"two_below {n}")
    with fc.Flow() as flow:
        flow.result = add(better(float(n)), below(n))
    return flow


@fc.compute
def above(n: int, more: int) -> int | fc.Flow:
    """Draw what draws what meets the world; the same for every `more`."""
    with fc.Flow() as flow:
        flow.result = add(below(n), more)
    return flow


@fc.compute(cache="required")
def required(n: int) -> int | fc.Flow:
    """Have to be kept, above what is not."""
    with fc.Flow() as flow:
        flow.result = add(world(n), 1)
    return flow


@fc.io
async def on_the_loop(n: int) -> int | fc.Flow:
    """Draw on the event loop."""
    with fc.Flow() as flow:
        flow.result = add(slowly(n), n)
    return flow


@fc.io
async def slowly(n: int) -> int:
    """Wait a turn of the loop."""
    return n


@fc.io
def in_a_thread(n: int) -> int | fc.Flow:
    """Draw in a thread, also what only this process can call."""

    def held() -> int:
        return n + HERE.locked()

    with fc.Flow() as flow:
        flow.result = add(flow.add(held, kind="io"), on_the_loop(n))
    return flow


@fc.compute
def inside() -> list[Any]:
    """Give a flow in a list."""
    with fc.Flow() as flow:
        flow.result = add(1, 2)
    return [0, {"flow": flow}]


@fc.compute
def forever(n: int) -> int | fc.Flow:
    """Draw the same again."""
    with fc.Flow() as flow:
        flow.result = forever(n)
    return flow


@fc.compute
def ping(n: int) -> int | fc.Flow:
    """Draw what draws this."""
    with fc.Flow() as flow:
        flow.result = pong(n)
    return flow


@fc.compute
def pong(n: int) -> int | fc.Flow:
    """Draw what draws this."""
    with fc.Flow() as flow:
        flow.result = ping(n)
    return flow


@fc.compute
def noise(n: int, *, rng: np.random.Generator = fc.rng()) -> float:
    """Draw a number."""
    return float(rng.random()) + n


@fc.compute
def noises(n: int) -> list[float] | fc.Flow:
    """Draw what draws numbers."""
    with fc.Flow() as flow:
        flow.result = [noise(n), noise(n + 1)]
    return flow


@fc.compute
def moved(field: Any) -> Any:
    """Move an array on."""
    return field + 1.0


@fc.compute
def drift(field: Any, left: int) -> Any:
    """Take steps with an array, which is an argument of each."""
    if not left:
        return field
    with fc.Flow() as flow:
        flow.result = drift(moved(field), left - 1)
    return flow


@dataclass
class Point:
    """A value of the user's."""

    x: int

    def twice(self) -> int:
        """Compute with it."""
        return 2 * self.x


@fc.compute
def points(n: int) -> list[Any] | fc.Flow:
    """Give values of the user's, constants and not."""
    with fc.Flow() as flow:
        flow.result = [Point(n), add(n, 1)]
    return flow


@fc.compute
def measured(values: list[Any]) -> int:
    """Take one."""
    return int(values[0].twice()) + int(values[1])


class Opaque:
    """What has no encoding."""

    def __init__(self, n: int) -> None:
        self.n = n


@fc.compute
def opaque(n: int) -> Opaque:
    """Give what can only be passed on."""
    called(f"opaque {n}")
    return Opaque(n)


@fc.compute
def unwrap(value: Opaque) -> int:
    """Take what can only be passed on."""
    called(f"unwrap {value.n}")
    return value.n


@fc.compute
def passing(n: int) -> Opaque | fc.Flow:
    """Draw what can only be passed on."""
    called(f"passing {n}")
    with fc.Flow() as flow:
        flow.result = opaque(n)
    return flow
