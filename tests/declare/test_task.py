"""Claims about declare/task.py, options.py and form.py: what a task is, and which options it takes."""

from __future__ import annotations

import asyncio
import functools
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import cloudpickle
import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.options import OPTION_NAMES, GivenOptions, Limit, TaskOptions
from flowcore.declare.task import Task


@fc.compute
def double(x: float, times: int = 1) -> float:
    """Double a number."""
    return 2 * x * times


@fc.io(retries=3, backoff="1s", timeout="30s", limit=8)
async def fetch(url: str) -> bytes:
    """Pretend to fetch."""
    return url.encode()


tripled = double.options(retries=2)


def test_outside_a_flow_a_task_is_its_function() -> None:
    """A call runs the function, with defaults and keywords as ever."""
    assert 8.0 == double(2.0, times=2)


def test_an_async_task_gives_its_coroutine() -> None:
    """Outside a flow nothing is awaited on the user's behalf."""
    coroutine: Any = fetch("a")

    assert b"a" == asyncio.run(coroutine)


def test_a_task_looks_like_its_function() -> None:
    """Name, docstring, module, signature and the function itself are there."""
    found = (double.__name__, double.__doc__, double.__module__, str(inspect.signature(double)), double.__wrapped__)  # type: ignore[attr-defined]

    assert (
        "double",
        "Double a number.",
        __name__,
        "(x: 'float', times: 'int' = 1) -> 'float'",
        double.function,
    ) == found


@pytest.mark.parametrize("task", [double, tripled, fetch], ids=["by name", "with options", "async"])
@pytest.mark.parametrize("pickler", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_a_task_survives_pickling(task: Task[..., Any], pickler: Any) -> None:
    """What comes back has the function and the options of what went in."""
    back = pickle.loads(pickler.dumps(task))

    assert (task.function, task.declared, task.name) == (back.function, back.declared, back.name)


SCRIPT = """
import sys, cloudpickle
import flowcore as fc

@fc.compute(version="2")
def inner(x):
    return x + 1

def outer(x):
    return inner(x)

sys.stdout.buffer.write(cloudpickle.dumps((inner, outer)))
"""


def test_a_task_of_a_script_goes_by_value(tmp_path: Path) -> None:
    """In a worker, `__main__` is another module: its tasks bring their function along."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ran = subprocess.run(
        [sys.executable, script], capture_output=True, check=True, env={"PYTHONPATH": str(Path(fc.__file__).parents[1])}
    )

    inner, outer = pickle.loads(ran.stdout)

    assert (4, 4, "2") == (inner(3), outer(3), inner.declared.version)


def test_a_local_task_goes_by_value() -> None:
    """A task without an import path reaches another process too."""
    step = 5

    @fc.compute
    def local(x: int) -> int:
        return x + step

    assert 8 == pickle.loads(cloudpickle.dumps(local))(3)


def test_options_gives_another_task() -> None:
    """The task itself keeps what it was declared with."""
    changed = double.options(retries=1, cache=False)

    assert (0, True, frozenset()) == (double.declared.retries, double.declared.cache, double.declared.given)
    assert (1, False, frozenset({"retries", "cache"})) == (
        changed.declared.retries, changed.declared.cache, changed.declared.given,
    )  # fmt: skip


def test_defaults_differ_by_kind() -> None:
    """Computing is kept and goes to a process; the world may change, and is met in a thread or on the loop."""

    @fc.io
    def load(path: str) -> str:
        return path

    found = [(t.declared.kind, t.declared.cache, t.runner) for t in (double, load, fetch)]

    assert [("compute", True, "process"), ("io", False, "thread"), ("io", False, "async")] == found


def test_options_are_read() -> None:
    """Durations and limits may be text."""
    declared = fetch.declared

    assert (3, 1.0, 30.0, Limit(count=8)) == (declared.retries, declared.backoff, declared.timeout, declared.limit)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ({"cache": "1 day"}, 86400.0), ({"cache": "required"}, "required"), ({"cache": True}, True),
        ({"limit": "db:4"}, Limit(count=4, name="db")), ({"ignore": "x"}, ("x",)),
        ({"ignore": ["global:N"]}, ("global:N",)),
        ({"tracks": len}, (len,)), ({"priority": 2}, 2), ({"cores": 2}, 2), ({"timeout": None}, None),
        ({"runner": "thread"}, "thread"), ({"memory": None}, None), ({"gpus": 0}, 0), ({"gpus": 2}, 2),
        ({"memory": "4 GiB"}, 4 << 30), ({"limit": "10/s"}, Limit(count=10, period=1.0)),
        ({"limit": "db:100/min"}, Limit(count=100, name="db", period=60.0)), ({"place": None}, None),
    ],
)  # fmt: skip
def test_each_option_has_its_forms(written: dict[str, Any], read: object) -> None:
    """Every documented way to write an option is read to one value."""
    ((name, _),) = written.items()
    task = fc.compute(**written)(lambda x: x)

    assert read == getattr(task.declared, name)


def test_the_typed_options_are_the_record() -> None:
    """What may be written and what is kept have the same names."""
    assert set(OPTION_NAMES) == set(GivenOptions.__annotations__)
    assert set(OPTION_NAMES) == set(get_type_hints(GivenOptions))


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "written",
    [
        {"retries": -1}, {"retries": True}, {"retries": 1.5}, {"backoff": "soon"}, {"timeout": 0}, {"timeout": -1},
        {"cores": 0}, {"limit": 0}, {"limit": "db:"}, {"limit": ":3"}, {"limit": "10/"}, {"limit": "/s"},
        {"limit": "10/2s"},
        {"limit": "0/s"}, {"limit": "10/fortnight"}, {"memory": 0}, {"memory": "much"}, {"gpus": -1}, {"version": 2},
        {"cache": "maybe"}, {"cache": None}, {"priority": "high"}, {"runner": ""}, {"ignore": 3}, {"ignore": "y"},
        {"runner": "async"},
    ],
    ids=str,
)  # fmt: skip
def test_an_unreadable_option_is_refused(written: dict[str, Any]) -> None:
    """The error names the option, what was found, and the line."""
    with pytest.raises(fc.BadOption) as caught:
        fc.compute(**written)(lambda x: x)

    assert next(iter(written)) == caught.value.option
    assert "test_task.py:" in caught.value.at


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("decorate", "written"),
    [
        (fc.compute, {"place": "driver"}), (fc.compute, {"place": "worker"}), (fc.io, {"place": "cluster"}),
        (fc.compute, {"place": "worker", "runner": "thread"}), (fc.io, {"place": "worker", "runner": "thread"}),
        (fc.io, {"gpus": 1}), (fc.compute, {"gpus": 1, "runner": "thread"}),
    ],
)  # fmt: skip
def test_an_option_without_effect_is_refused(decorate: Callable[..., Any], written: dict[str, Any]) -> None:
    """What could do nothing there is never ignored in silence."""
    with pytest.raises(fc.BadOption) as caught:
        decorate(**written)(lambda x: x)

    assert caught.value.option in written
    assert "test_task.py:" in caught.value.at


@pytest.mark.contract("E2")
def test_a_coroutine_has_no_place_but_the_driver() -> None:
    """The event loop is where coroutines run, on the driver."""
    with pytest.raises(fc.BadOption, match="place"):
        fetch.options(place="worker")


def lengthened(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Count."""
    return sum(1 for _ in ckpt.steps(n))


@pytest.mark.contract("E2", "K24")
@pytest.mark.parametrize(
    ("function", "written", "expected"),
    [
        (abs, {"extend": "n"}, "a parameter of abs"), (len, {"keep": 3}, "with a checkpoint"),
        (lambda n: n, {"extend": "n"}, "with a checkpoint"), (lengthened, {"extend": "years"}, "a parameter of"),
        (lengthened, {"keep": 3}, "together with extend"), (lengthened, {"keep": 0, "extend": "n"}, "every so many"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)  # fmt: skip
def test_what_cannot_be_lengthened_is_refused(function: Any, written: dict[str, Any], expected: str) -> None:
    """A simulation is lengthened by a parameter it has, from states that it keeps."""
    with pytest.raises(fc.BadOption, match=expected):
        fc.compute(**written)(function)


@pytest.mark.contract("E2")
def test_all_bad_options_are_told_at_once() -> None:
    """Two mistakes are two errors, and a misspelt name is recognised."""
    wrong: dict[str, Any] = {"retires": 3, "timeout": "later"}
    with pytest.raises(ExceptionGroup) as caught:
        fc.compute(**wrong)

    errors: Any = caught.value.exceptions
    assert [("retires", ("retries",)), ("timeout", ())] == [(e.option, e.near) for e in errors]


def test_an_async_function_cannot_be_compute() -> None:
    """A coroutine function has no place in a process."""

    async def wait() -> None: ...

    with pytest.raises(fc.BadOption, match="not io"):
        fc.compute(wait)


def test_only_functions_can_be_tasks() -> None:
    """Decorating a value says so."""
    value: Any = 3
    with pytest.raises(fc.BadOption, match="a function"):
        fc.compute(value)


def test_what_is_written_out_outlives_defaults() -> None:
    """A flow's defaults fill in only what a task leaves open."""
    own = fc.compute(retries=1)(lambda x: x).declared
    defaults = fc.compute(retries=5, cores=2)(lambda x: x).declared

    merged = own.over(defaults)

    assert (1, 2) == (merged.retries, merged.cores)


@pytest.mark.parametrize(
    ("function", "args"),
    [(functools.partial(pow, 2), (3,)), (lambda x: x + 5, (3,)), (np.add, (3, 5)), (max, (8, 3))],
    ids=["partial", "lambda", "ufunc", "builtin"],
)
def test_anything_callable_can_be_a_task(function: Any, args: tuple[Any, ...]) -> None:
    """Functions without a signature, and without a name, too."""
    task = fc.compute(function)
    with fc.Flow() as flow:
        task(*args)

    assert 8 == task(*args)
    assert [task.name.isidentifier()] == [node.name.isidentifier() for node in flow.nodes]


@dataclass(frozen=True)
class Model:
    """Has a task for a method."""

    rate: float

    @fc.compute
    def grow(self, years: int) -> float:
        """Give the growth."""
        return self.rate * years


def test_a_task_in_a_class_is_a_method() -> None:
    """The instance is the first argument, outside a flow and in it."""
    model = Model(0.5)
    bound: Any = model.grow
    with fc.Flow() as flow:
        bound(4)

    assert 2.0 == bound(4)
    assert {"self": model, "years": 4} == {name: form.value for name, form in flow.nodes[0].arguments.items()}  # type: ignore[union-attr]


def test_a_task_is_declared_with_the_record() -> None:
    """Options are one frozen record."""
    assert isinstance(double.declared, TaskOptions)
    with pytest.raises(AttributeError):
        double.declared.retries = 3  # type: ignore[misc]


def test_a_flow_stands_for_its_result_in_an_annotation() -> None:
    """What is unpacked, and what fits a parameter, is what the cells give."""

    @fc.compute
    def pair() -> tuple[int, str] | fc.Flow:
        return 1, "a"

    @fc.compute
    def never() -> fc.Flow:
        return fc.Flow()

    with fc.Flow():
        first, second = pair()

    assert (tuple[int, str], inspect.Parameter.empty) == (pair.form.returns, never.form.returns)
    assert [0, 1] == [part._node.key for part in (first, second)]  # type: ignore[attr-defined]
