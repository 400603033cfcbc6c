"""Claims about run/cell/failure.py: what is told of an exception, and when it comes back itself."""

from __future__ import annotations

import threading

import pytest

from flowcore.run.cell.failure import describe, restore, users_stack
from flowcore.run.job import Failure


class Plain(ValueError):
    """An exception as most are."""


class Lossy(Exception):
    """One that does not take back its own arguments."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


class Rude(Exception):
    """One that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    """Give an exception as caught."""
    try:
        raise error from cause
    except BaseException as caught:  # noqa: BLE001 - any is
        return caught


@pytest.mark.contract("F11")
def test_an_exception_comes_back() -> None:
    """Type, text, notes, and the exception itself."""
    error = raised(Plain("no"))
    error.add_note("look here")
    failure = describe(error)
    back = restore(failure)

    assert ("no", ("look here",), Plain, "no") == (failure.text, failure.notes, type(back), str(back))
    assert failure.type.endswith("test_failure.Plain")
    assert "builtins.ValueError" in failure.bases or "ValueError" in failure.bases
    assert failure.at.startswith("test_failure.py:")


@pytest.mark.contract("F11")
@pytest.mark.parametrize(
    "error", [Lossy(1, 2), Rude(), Plain(threading.Lock()), RecursionError("deep"), KeyError("k" * 10**6)]
)
def test_what_cannot_travel_is_described(error: BaseException) -> None:
    """Nothing that user code does in an exception harms who describes it; the text is bounded."""
    failure = describe(raised(error))

    assert None is restore(failure)
    assert type(error).__name__ in failure.type
    assert len(failure.text) <= 10_000


@pytest.mark.contract("F11")
def test_causes_and_groups_are_told() -> None:
    """Each once, also in a circle."""
    first, second = Plain("first"), Plain("second")
    group = raised(ExceptionGroup("several", [raised(first), raised(second)]), KeyError("because"))
    first.__context__ = second
    second.__context__ = first
    failure = describe(group)

    assert ["'because'", "first"] == [cause.text for cause in failure.causes][:2]
    assert failure == Failure.unpack(failure.pack())


def test_a_message_is_the_same_after_a_message() -> None:
    """All fields survive packing."""
    failure = describe(raised(Plain("no"), KeyError("because")))

    assert failure == Failure.unpack(failure.pack())


def test_the_stack_is_that_of_the_thread_that_crashed() -> None:
    """Others are written down as well; who only waited is not to blame."""
    waited = 'Thread 0x1 (most recent call first):\n  File "/lib/threading.py", line 3 in wait\n\n'
    crashed = 'Current thread 0x2 (most recent call first):\n  File "/home/me/model.py", line 7 in step\n\n'
    written = f"Fatal Python error: Aborted\n\n{waited}{crashed}Extension modules: x\n"

    assert 'File "/home/me/model.py", line 7 in step' == users_stack(written)
    assert 'File "/home/me/model.py", line 7 in step' == users_stack('  File "/home/me/model.py", line 7 in step\n')
