"""Bad inputs, each in a flow of a thousand nodes: what the snapshots are of."""

from __future__ import annotations

import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc

MANY = 1000  # nodes of a flow beside those that are wrong


class Model:
    """Something without an encoding."""

    def __init__(self, net: object) -> None:
        self.net = net


@fc.compute
def half(x: float) -> float:
    """Halve."""
    return x / 2


@fc.compute
def text() -> str:
    """Give text."""
    return "text"


@fc.compute
def pair() -> tuple[float, float]:
    """Give two numbers."""
    return 1.0, 2.0


@fc.compute
def erode(dem: Any, rate: float, years: int = 100, *, temperature: float = 0.0) -> float:
    """Erode."""
    return rate * years + temperature


@fc.compute
def total(xs: list[float]) -> float:
    """Sum up."""
    return sum(xs)


@fc.compute
def train(model: Any, rate: float) -> float:
    """Take something that may have no encoding."""
    return rate


@fc.compute(cache=True)
def train_kept(model: Any) -> float:
    """Take it, and ask for the result to be kept."""
    return 1.0


@fc.compute
def stream(rate: float) -> Iterator[float]:
    """Give what can be passed on, and not kept."""
    return iter([rate])


@fc.compute(cache="required")
def stream_kept(rate: float) -> Iterator[float]:
    """Give the same, and ask for it to be kept."""
    return iter([rate])


@fc.compute
def locked(rate: float) -> dict[str, Any]:
    """Give what cannot leave the process."""
    return {"rate": rate, "db": {"lock": threading.Lock()}}


@fc.compute
def killed(rate: float) -> float:
    """Lose the process."""
    sys.stderr.write("the last thing it said\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return rate


@fc.compute(timeout=0.2)
def endless(rate: float) -> float:
    """Never return."""
    threading.Event().wait()
    return rate


@fc.compute
def forgetful(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Change two variables that no state has."""
    flux, highest = 0.0, []
    for step in ckpt.steps(n):
        flux = flux + step
        highest.append(flux)
    return flux


class Interrupted(Exception):  # noqa: N818 - what happens in a scene
    """Something that has nothing to do with flowcore."""


@fc.compute
def advanced(dem: Any, rate: float, *, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Advance a land, and be interrupted once it is saved."""
    s = ckpt.state(z=dem)
    for step in ckpt.steps(9):
        s.z = s.z + rate
        if step == 6:
            ckpt.save()
        if step == 7 and rate < 0.15:
            raise Interrupted
    return float(s.z.sum())


wrong: Any = erode  # calls that a type checker would refuse


@contextmanager
def crowd(name: str = "crowd") -> Iterator[fc.Flow]:
    """Draw a flow in which what is wrong stands between a thousand nodes that are not."""
    with fc.Flow(name) as flow:
        for i in range(MANY // 2):
            half(float(i))
        yield flow
        for i in range(MANY // 2):
            half(float(i))


def caught(act: Callable[[], object]) -> BaseException:
    """Give what a call raises."""
    try:
        act()
    except (fc.FlowcoreError, ExceptionGroup) as error:
        return error
    raise AssertionError("nothing was raised")


def drawn(act: Callable[[], object]) -> BaseException:
    """Give what a call raises while a large flow is drawn; its other nodes stay."""
    with crowd() as flow:
        error = caught(act)
    assert len(flow.nodes) >= MANY
    return error


def circle() -> BaseException:
    """Draw three nodes that wait for each other."""
    with crowd() as flow:
        flow.add(half, 1.0, name="a", after="c")
        flow.add(half, flow["a"], name="b")
        flow.add(half, flow["b"], name="c")
    raise AssertionError("nothing was raised")


def twice() -> object:
    """Give one name to two nodes."""
    flow = fc.Flow("names")
    flow.add(half, 1.0, name="dem")
    return flow.add(half, 2.0, name="dem")


def unpack() -> object:
    """Unpack two values into three names."""
    one, two, three = pair()  # type: ignore[misc]
    return one, two, three


def strange() -> object:
    """Use a reference of another flow."""
    with fc.Flow("other"):
        dem = half(1.0)
    with fc.Flow("this"):
        return half(dem)


def hidden() -> object:
    """Hide a reference in a set."""
    return total({half(1.0)})  # type: ignore[arg-type]


def bad_options() -> object:
    """Misspell an option, and give an unreadable duration."""
    return fc.compute(retrys=2, timeout="soon")(half.function)  # type: ignore[call-overload]


DRAWING: dict[str, tuple[pytest.MarkDecorator, Callable[[], BaseException]]] = {
    "E1_circle": (pytest.mark.contract("E1"), lambda: caught(circle)),
    "E2_unknown_parameter": (pytest.mark.contract("E2"), lambda: drawn(lambda: wrong(1.0, 0.1, temprature=2.0))),
    "E2_nothing_like_it": (pytest.mark.contract("E2"), lambda: drawn(lambda: wrong(1.0, 0.1, colour="red"))),
    "E2_missing_arguments": (pytest.mark.contract("E2"), lambda: drawn(lambda: wrong())),
    "E2_several_at_once": (pytest.mark.contract("E2"), lambda: drawn(lambda: wrong(rat=0.1, colour="red"))),
    "E2_options": (pytest.mark.contract("E2"), lambda: caught(bad_options)),
    "E2_run_options": (pytest.mark.contract("E2"), lambda: caught(lambda: fc.Flow().run(worker=2, on_error="panic"))),
    "E3_lengths": (pytest.mark.contract("E3"), lambda: drawn(
        lambda: erode(half(fc.each(rate=[1.0, 2.0])), half(fc.each(rate=[1.0, 3.0])))
    )),
    "E3_no_such_axis": (pytest.mark.contract("E3"), lambda: drawn(
        lambda: total(fc.gather(half(fc.each(rate=[1.0])), over="rat"))
    )),
    "E4_types": (pytest.mark.contract("E4"), lambda: drawn(lambda: half(text()))),  # type: ignore[arg-type]
    "E4_unpacking": (pytest.mark.contract("E4"), lambda: drawn(unpack)),
    "E4_one_name_twice": (pytest.mark.contract("E4"), lambda: caught(twice)),
    "E5_truth": (pytest.mark.contract("E5"), lambda: drawn(lambda: bool(half(1.0)))),
    "E5_sum": (pytest.mark.contract("E5"), lambda: drawn(lambda: half(1.0) + 1.0)),
    "E5_array": (pytest.mark.contract("E5"), lambda: drawn(lambda: np.asarray(half(1.0)))),
    "E5_attribute": (pytest.mark.contract("E5"), lambda: drawn(lambda: text().strip)),
    "E5_loop": (pytest.mark.contract("E5"), lambda: drawn(lambda: list(total([1.0])))),  # type: ignore[call-overload]
    "E5_inside_an_object": (pytest.mark.contract("E5"), lambda: drawn(hidden)),
    "E13_unsaved": (pytest.mark.contract("E13"), lambda: drawn(lambda: forgetful(3))),
    "E5_of_another_flow": (pytest.mark.contract("E5"), lambda: caught(strange)),
}  # fmt: skip


OTHERS = {f"half_{i + 1}": i / 2 for i in (1, 2, 17, 400)}


@dataclass(frozen=True)
class Ran:
    """What became of a run with something wrong in it."""

    error: BaseException | None  # of the run
    warned: tuple[warnings.WarningMessage, ...]
    finished: dict[str, float]  # values of nodes that have nothing to do with it


def ran(act: Callable[[], object], store: Path, **options: Any) -> Ran:
    """Run what is drawn by `act` among some of a thousand other nodes, one worker."""
    with crowd() as flow:
        made: Any = act()
        made = made if isinstance(made, list) else [made]
    others = list(OTHERS)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        run = flow.start(*others, *made, store=store, progress=False, on_error="continue", **({"workers": 1} | options))
        error: BaseException | None = None
        try:
            run.wait()
        except fc.RunFailed as failed:
            error = failed
    return Ran(error, tuple(warned), {name: run[name] for name in others})


def closed_over() -> object:
    """Draw a function that holds what cannot travel."""
    lock = threading.Lock()

    def guarded(x: float) -> float:
        with lock:
            return x

    return fc.compute(guarded)(0.5)


FAILING: dict[str, tuple[pytest.MarkDecorator, Callable[[], object]]] = {
    "E6_asked_to_be_kept": (pytest.mark.contract("E6"), lambda: train_kept(Model([half.function, threading.Lock]))),
    "E6_generator": (pytest.mark.contract("E6"), lambda: train(np.random.default_rng(7), 0.1)),
    "E7_argument": (pytest.mark.contract("E7", "F9"), lambda: train({"cfg": Model({"lock": [threading.Lock()]})}, 0.1)),
    "E5_in_an_object": (pytest.mark.contract("E5", "F9"), lambda: erode(Model({"net": half(1.0)}), 0.1)),
    "E7_function": (pytest.mark.contract("E7", "F9"), closed_over),
    "E7_result": (pytest.mark.contract("E7", "F10"), lambda: locked(0.5)),
    "E8_required": (pytest.mark.contract("E8"), lambda: stream_kept(0.5)),
    "E9_killed": (pytest.mark.contract("E9"), lambda: killed(0.5)),
    "E9_timeout": (pytest.mark.contract("E9", "F12"), lambda: endless(0.5)),
}
WARNING: dict[str, tuple[pytest.MarkDecorator, Callable[[], object]]] = {
    "E6_warned": (
        pytest.mark.contract("E6"),
        lambda: [train(Model({"net": object()}), 0.1), train(Model({"net": object()}), 0.2)],
    ),
    "E8_warned": (pytest.mark.contract("E8"), lambda: [stream(0.5), stream(0.6)]),
}
