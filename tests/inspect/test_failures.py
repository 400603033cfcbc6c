"""Claims about inspect/failures.py: what failed, on one screen, without a value in it."""

from __future__ import annotations

import asyncio
import linecache
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.inspect.failures import FailedCell, Undone, failures_told, quoted
from flowcore.run.cell.failure import describe, restore, sourced
from flowcore.run.job import Failure
from flowcore.run.told import origin
from flowcore.store.history import CellFailed, read_run, run_paths

SECRET = "hunter2-correct-horse"
NUMBER = 271828.1828


class OutOfRange(Exception):
    """Remembers more than its text."""

    def __init__(self, text: str, *, limit: float) -> None:
        super().__init__(text)
        self.limit = limit

    def __reduce__(self) -> tuple[Any, ...]:
        return _out_of_range, (self.args[0], self.limit)


def _out_of_range(text: str, limit: float) -> OutOfRange:
    return OutOfRange(text, limit=limit)


class Homeless(Exception):
    """Cannot travel."""

    def __init__(self) -> None:
        super().__init__("lost on the way")
        self.door = open
        self.step = lambda: None


def deeper(rate: float) -> float:
    """Raise below a task."""
    raise ValueError(f"rate {rate} is too fast")


@fc.compute
def erode(dem: Any, rate: float, password: str, weights: dict[str, Any]) -> float:
    """Fail for one rate."""
    hidden = (dem, password, weights)
    return deeper(rate) if rate > 1 else float(len(hidden))


@fc.io
def on_a_thread(rate: float) -> float:
    """Fail on a thread."""
    return deeper(rate)


@fc.io
async def in_a_loop(rate: float) -> float:
    """Fail in a coroutine."""
    await asyncio.sleep(0)
    return deeper(rate)


@fc.compute(runner="inline")
def here(rate: float) -> float:
    """Fail in the engine's process."""
    return deeper(rate)


@fc.compute
def in_a_worker(rate: float) -> float:
    """Fail in another process."""
    return deeper(rate)


@fc.compute
def total(xs: list[float]) -> float:
    """Sum up."""
    return sum(xs)


@fc.compute
def raising(what: str) -> None:
    """Raise one of several things."""
    if what == "cause":
        try:
            {}["key"]
        except KeyError as cause:
            raise OutOfRange("too far", limit=2.5) from cause
    if what == "group":
        raise ExceptionGroup("two at once", [ValueError("one"), OutOfRange("other", limit=1.0)])
    if what == "homeless":
        raise Homeless
    if what == "library":
        np.linalg.inv(np.zeros((2, 2)))
    if what == "lines":
        raise ValueError("\n".join(f"line {i} of a long story" for i in range(100)))


def fail(flow: fc.Flow, *targets: object, **options: Any) -> fc.RunFailed:
    """Run a flow that fails."""
    with pytest.raises(fc.RunFailed) as caught:
        flow.run(*targets, **({"progress": False, "workers": 1, "on_error": "continue"} | options))
    return caught.value


def eroding(rates: list[float]) -> fc.Flow:
    """Draw a sweep with secrets in it."""
    with fc.Flow("sweep") as flow:
        dem = np.full((40, 50), NUMBER)
        land = erode(dem, fc.each(rate=rates), password=SECRET, weights={"w": np.arange(3), SECRET: 1})
        total(fc.gather(land))
    return flow


@pytest.mark.contract("P4")
def test_one_failure_on_one_screen(store: Path) -> None:
    """The cell, the error, the user's frames, the arguments, what did not run, and the way back: in this order."""
    error = fail(eroding([0.5, 2.0]), store=store)
    lines = [line.strip() for line in str(error).splitlines()]

    assert len(lines) <= 20
    assert f"1 cell failed in run {error.run}; 1 cell that needs what failed did not run: total." == lines[0]
    assert "erode[rate=2.0]" == lines[1]
    assert "ValueError: rate 2.0 is too fast" == lines[2]
    assert ["in erode", "in deeper"] == [line.split(", ")[-1] for line in lines if line.startswith("File ")]
    assert 'raise ValueError(f"rate {rate} is too fast")' in lines
    called = " ".join(lines)
    assert "dem=float64 (40, 50) #" in called
    assert "rate=2.0" in called
    assert "password=str of 21 #" in called
    assert "weights=dict of 2 #" in called
    assert lines[-1].startswith("Every result there is stays")


@pytest.mark.contract("S11")
def test_no_values_in_messages(store: Path) -> None:
    """Secrets in arguments and in frames are in no message, no failure, and no journal's failure record."""
    error = fail(eroding([0.5, 2.0]), store=store)
    (path,) = run_paths(store).values()
    records = [told.facts for told in read_run(path) if isinstance(told, CellFailed)]

    assert 1 == len(records)
    for text in (str(error), repr(error.failures), repr(records), repr(error)):
        assert SECRET not in text
        assert str(NUMBER) not in text


@pytest.mark.contract("S11")
def test_what_an_exception_says_of_itself_is_told() -> None:
    """Its own text is the user's affair."""
    failure = describe(ValueError(SECRET))

    assert SECRET in failures_told([FailedCell(cell="a", node="a", labels={}, attempts=1, error=failure)],
                                   run="r", rest=Undone())  # fmt: skip


@pytest.mark.parametrize("task", [on_a_thread, in_a_loop, here, in_a_worker])
def test_tracebacks_look_like_local_ones(task: Any, store: Path) -> None:
    """Wherever a cell runs, its traceback is that of a plain call: the user's frames with their source."""
    with fc.Flow() as flow:
        task(2.0)
    found = fail(flow, store=store).failures[0].error
    try:
        call = task.function(2.0)
        asyncio.run(call)
    except ValueError as error:
        plain = [f for f in traceback.extract_tb(error.__traceback__)[1:] if "asyncio" not in f.filename]

    assert isinstance(found, Failure)
    assert "".join(traceback.format_list(plain)) == found.traceback


def test_source_of_functions_that_travel_by_value(store: Path) -> None:
    """A function of a notebook has its line of source, although no file holds it."""
    source = "import flowcore as fc\n@fc.compute\ndef cell(x: int) -> int:\n    return x // 0\n"
    name = "<notebook cell 7>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(source, name, "exec"), space)
    with fc.Flow() as flow:
        space["cell"](1)
    error = fail(flow, store=store)

    assert f'File "{name}", line 4, in cell\n      ' in str(error).replace("        return", "      return")
    assert "return x // 0" in str(error)


def test_source_that_nobody_has() -> None:
    """A frame without source stays a frame."""
    text = '  File "<nowhere>", line 3, in lost\n  File "<nowhere>", line 4, in lost\n'
    failure = Failure(type="ValueError", text="x", traceback=text)

    assert text == sourced(failure).traceback


@pytest.mark.contract("F29")
def test_five_thousand_failures_are_one_entry(store: Path) -> None:
    """Failures of one kind are told once, and counted; all of them are in `failures`."""
    error = fail(eroding([2.0 + i for i in range(5000)]), store=store)

    assert len(str(error).splitlines()) <= 20
    assert len(str(error)) <= 2000
    assert "5000 cells failed" in str(error)
    assert "and 4999 more in the same way" in str(error)
    assert 5000 == len(error.failures) == len({failed.cell for failed in error.failures})


def test_kinds_are_told_apart(store: Path) -> None:
    """Several kinds: each once, three in full, still one screen."""
    with fc.Flow() as flow:
        for what in ("cause", "group", "homeless", "library", "lines"):
            raising(what)
    error = fail(flow, store=store)
    lines = str(error).splitlines()

    assert 5 == len(error.failures)
    assert len(lines) <= 40
    assert "... and 2 more kinds of failure: see run.failures." in lines[-2]


def only(what: str, store: Path) -> tuple[fc.RunFailed, FailedCell]:
    """Run the one cell that raises so; give its error and its failure."""
    with fc.Flow() as flow:
        raising(what)
    error = fail(flow, store=store)
    return error, error.failures[0]


def test_exceptions_are_restored(store: Path) -> None:
    """The exception itself comes back, with its attributes, its cause, and where it was raised."""
    error, failed = only("cause", store)
    exception = failed.exception

    assert isinstance(exception, OutOfRange)
    assert ("too far", 2.5) == (str(exception), exception.limit)
    assert isinstance(exception.__cause__, KeyError)
    assert "in raising" in exception.__notes__[0]
    assert "because of KeyError: 'key' (test_failures.py:" in str(error)


def test_groups_are_restored(store: Path) -> None:
    """A group comes back with its members, which the message names."""
    error, failed = only("group", store)
    exception = failed.exception

    assert isinstance(exception, ExceptionGroup)
    assert [ValueError, OutOfRange] == [type(member) for member in exception.exceptions]
    assert "holds ValueError: one" in str(error)


def test_what_cannot_travel_is_told(store: Path) -> None:
    """An exception that no process but its own can have is there as text."""
    error, failed = only("homeless", store)

    assert None is failed.exception
    assert "Homeless: lost on the way" in str(error)
    assert "Homeless: lost on the way" in str(error.exceptions[0])


def test_frames_of_libraries_are_left_out(store: Path) -> None:
    """What numpy did inside is no help; the user's line that called it is."""
    error, failed = only("library", store)

    assert "np.linalg.inv(np.zeros((2, 2)))" in str(error)
    assert "_linalg.py" not in str(error)
    assert isinstance(failed.error, Failure)
    assert failed.error.at.startswith("test_failures.py:")


def test_long_stories_are_cut(store: Path) -> None:
    """A message of a hundred lines takes three."""
    error, _ = only("lines", store)

    assert len(str(error).splitlines()) <= 20
    assert "line 0 of a long story" in str(error)


def test_except_star(store: Path) -> None:
    """`group()` is for `except*`; the error itself is no group, so its traceback is one screen."""
    error, _ = only("cause", store)
    caught = []
    try:
        raise error.group() from None
    except* OutOfRange as found:
        caught.append(found)

    assert 1 == len(caught)
    assert not isinstance(error, BaseExceptionGroup)
    assert (OutOfRange,) == tuple(type(e) for e in error.exceptions)


@pytest.fixture
def prompt(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have runs come from a prompt: no file says how to draw them again, and no command did."""
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    token = origin._typed.set(None)
    yield
    origin._typed.reset(token)


@pytest.mark.usefixtures("prompt")
def test_the_hint_works(store: Path) -> None:
    """What the message says to type runs that cell, and that cell only."""
    flow = eroding([0.5, 2.0, 3.0])
    error = fail(flow, store=store)
    again = error.failures[0].again
    with pytest.raises(fc.RunFailed) as caught:
        eval(again, {"flow": flow})

    assert again in str(error)
    assert [error.failures[0].cell] == [failed.cell for failed in caught.value.failures]


def test_the_hint_spares_the_process(store: Path) -> None:
    """A cell that ended its process is not run in the user's."""

    @fc.compute
    def dying(x: int) -> int:
        os._exit(x)

    with fc.Flow() as flow:
        dying(3)

    assert 'flow.run("dying", workers=1, ' in str(fail(flow, store=store))


@pytest.mark.usefixtures("prompt")
def test_the_hint_of_a_cell_whose_labels_the_run_finds(store: Path) -> None:
    """Labels that are known only in the run name no target; the node does."""

    @fc.compute
    def listed() -> list[float]:
        return [0.5, 2.0]

    @fc.compute
    def picky(x: float) -> float:
        return deeper(x) if x > 1 else x

    with fc.Flow() as flow:
        picky(fc.each(x=listed()))
    error = fail(flow, store=store)

    assert "picky[x=2.0]" == error.failures[0].cell
    assert error.failures[0].again.startswith('flow.run("picky", ')


def test_what_was_not_begun_is_counted(store: Path) -> None:
    """With `on_error="stop"`, what needs the failure and what was never begun are told apart."""

    @fc.compute
    def first(x: int) -> int:
        raise ValueError("at once")

    @fc.compute
    def other(x: int, y: int) -> int:
        return x + y

    with fc.Flow() as flow:
        start = first(1)
        other(start, fc.each(y=[1, 2]))
        step = other(1, 2)
        for _ in range(3):
            step = other(step, 1)
    error = fail(flow, store=store, on_error="stop", executor="inline")

    assert "2 cells that need what failed did not run: other (2 cells)" in str(error)


def test_run_failed_survives_pickling(store: Path) -> None:
    """With its failures and what they describe."""
    error, _ = only("cause", store)
    back = pickle.loads(pickle.dumps(error))

    assert str(error) == str(back)
    assert error.failures == back.failures


def test_the_users_line_ends_the_traceback(store: Path) -> None:
    """One frame of flowcore's: the call that the user wrote."""
    error, _ = only("cause", store)
    files = [Path(frame.filename).name for frame in traceback.extract_tb(error.__traceback__)]

    assert ["test_failures.py", "site.py"] == files
    assert error.__cause__ is None


def test_a_failure_that_cannot_be_read_back() -> None:
    """Bytes that are no exception give none."""
    assert None is restore(Failure(type="X", text="x", traceback="", pickled=b"no pickle"))
    assert None is restore(Failure(type="X", text="x", traceback="", pickled=pickle.dumps("no exception")))


SCRIPT = """
import flowcore as fc

class Boom(Exception):
    def __init__(self, text, code):
        super().__init__(text, code)
        self.code = code

@fc.compute
def bang(x: int):
    raise Boom("no", 7)

with fc.Flow("script") as flow:
    bang(1)
try:
    flow.run(progress=False, workers=1)
except fc.RunFailed as error:
    exception = error.failures[0].exception
    print(type(exception) is Boom, exception.code)
    print(error)
"""


def test_exceptions_of_a_script_are_restored(tmp_path: Path) -> None:
    """A class of `__main__`, which a worker has by value, is the script's own again, and frames have their lines."""
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, timeout=100, check=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip

    assert "True 7" == done.stdout.splitlines()[0]
    assert "__main__.Boom: ('no', 7)" in done.stdout
    assert '  raise Boom("no", 7)' in done.stdout


def test_gathered_arguments_are_counted(store: Path) -> None:
    """What was gathered is told by number and node, whatever its size."""

    @fc.compute
    def one(x: int) -> float:
        return float(x)

    @fc.compute
    def refuse(xs: list[float], by_label: dict[int, float]) -> float:
        return deeper(2.0)

    with fc.Flow() as flow:
        grid = one(fc.each(x=range(50)))
        refuse(fc.gather(grid), fc.gather(grid, labels=True))
    error = fail(flow, store=store)

    assert {"xs": "list of 50 from one", "by_label": "dict of 50 from one"} == error.failures[0].arguments


def test_a_shell_reads_a_cell_id_as_it_is() -> None:
    """Whatever stands in a label, the command that is printed names this cell; usual ids stay readable."""
    ids = [
        "load",
        "load[n=1]",
        "load[path='a b.npz']",
        'load[text="it\'s"]',
        "load[text='$HOME `id` !! \\\\']",
        "load['\n']",
    ]
    typed = f"printf '%s\\0' {' '.join(map(quoted, ids))}"
    read = subprocess.run(["sh", "-c", typed], capture_output=True, text=True, check=True).stdout.split("\0")

    assert ids == read[:-1]
    assert "\"load[path='a b.npz']\"" == quoted(ids[2])
