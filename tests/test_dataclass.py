"""Claims about flowcore/dataclass.py: late, and otherwise as the standard one."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from flowcore import dataclass as room
from flowcore.dataclass import dataclass

STANDARD = dataclasses.dataclass  # by another name, so that a checker does not take one for the other
FACTS = dict[str, Any]


def draw(decorator: Callable[..., Any]) -> type[Any]:
    """Give a class with most of what a record can have."""

    @decorator(frozen=True, slots=True, kw_only=True)
    class Point:
        """A point."""

        unit: ClassVar[str] = "m"
        x: int
        y: int = 2
        rest: list[int] = dataclasses.field(default_factory=list, repr=False, compare=False)

        def length(self) -> int:
            return self.x + self.y

        @property
        def area(self) -> int:
            return self.x * self.y

    return Point  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A record that travels; nothing else calls it."""

    x: int
    y: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOn(Sent):
    """One that is derived from it."""

    z: int = 3


@dataclass(kw_only=True, eq=False)
class Trouble(ValueError):
    """An error with facts."""

    at: str
    near: list[str] = dataclasses.field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.at}: {self.near}"


def facts(kind: type[Any]) -> FACTS:
    """Give what can be seen of a class and one of its objects."""
    one = kind(x=1)
    return {
        "fields": [(f.name, f.type, f.repr, f.compare, f.kw_only) for f in dataclasses.fields(kind)],
        "slots": kind.__slots__, "signature": str(inspect.signature(kind)), "doc": kind.__doc__,
        "names": (kind.__name__, kind.__qualname__.partition(".")[0], kind.__init__.__qualname__),
        "attributes": sorted(set(vars(kind)) - {"__weakref__"}), "match": kind.__match_args__, "unit": kind.unit,
        "text": repr(one), "equal": (one == kind(x=1, rest=[4]), one == kind(x=2)),
        "hash": hash(one) == hash(kind(x=1)),
        "replaced": repr(dataclasses.replace(one, y=5)), "apart": one.rest is not kind(x=1).rest,
        "does": (one.length(), one.area), "copy": copy.copy(one) == one, "dict": dataclasses.asdict(one),
    }  # fmt: skip


def refusals(kind: type[Any]) -> list[str]:
    """Give how wrong use is answered."""
    wrong: list[Callable[[], object]] = [
        kind, lambda: kind(1), lambda: kind(x=1, w=2), lambda: setattr(kind(x=1), "x", 2),
        lambda: delattr(kind(x=1), "y"),
    ]  # fmt: skip
    told = []
    for call in wrong:
        with pytest.raises(Exception) as refused:  # noqa: PT011 - the kind is what is compared
            call()
        told.append(f"{refused.type.__name__} {refused.value}")
    return told


def test_it_is_as_the_standard_one() -> None:
    """Fields, methods, slots, texts, equality, copies: nobody can tell which of the two made a class."""
    assert facts(draw(STANDARD)) == facts(draw(dataclass))


def test_it_refuses_as_the_standard_one() -> None:
    """Missing, unknown and positional arguments, and writing into a frozen object."""
    assert refusals(draw(STANDARD)) == refusals(draw(dataclass))


def test_nothing_is_compiled_before_the_first_call() -> None:
    """A class that is never called costs its slots."""
    kind = draw(dataclass)

    assert isinstance(vars(kind)["__dataclass_fields__"], room._Later)
    assert "__eq__" not in vars(kind)
    assert 3 == kind(x=1).length()
    assert isinstance(vars(kind)["__dataclass_fields__"], dict)


@pytest.mark.parametrize(
    "ask", [dataclasses.is_dataclass, dataclasses.fields, inspect.signature, lambda kind: kind(x=1)]
)
def test_whoever_asks_finds_a_dataclass(ask: Callable[[type[Any]], object]) -> None:
    """Calling it and asking for its fields both make it."""
    kind = draw(dataclass)

    assert ask(kind)
    assert "__eq__" in vars(kind)


def test_an_object_that_arrives_first_is_whole() -> None:
    """What is unpickled was never called: a derived class, of which this process has made neither."""
    code = (
        "import pickle, sys; one = pickle.loads(bytes.fromhex(sys.argv[1])); print(one.z, one == type(one)(x=1), one)"
    )
    sent = pickle.dumps(SentOn(x=1)).hex()

    ran = subprocess.run([sys.executable, "-c", code, sent], capture_output=True, text=True, check=True, timeout=60)

    assert "3 True SentOn(x=1, y=(), z=3)\n" == ran.stdout


def test_errors_keep_their_facts() -> None:
    """An exception has no slots; defaults of its fields are made for each."""
    first, second = Trouble(at="here"), Trouble(at="there", near=["x"])

    assert ("here: []", "there: ['x']") == (str(first), str(second))
    assert first.near is not Trouble(at="here").near
    assert "near" not in vars(Trouble)


def test_threads_that_meet_at_the_first_call_all_get_an_object() -> None:
    """Whoever comes while another thread makes the class finds it unmade or made, never half."""
    found: list[str] = []
    for _ in range(30):
        kind, gate = draw(dataclass), threading.Barrier(4)

        def call(kind: type[Any] = kind, gate: threading.Barrier = gate) -> None:
            gate.wait()
            found.append(repr(kind(x=1)))

        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert 120 == len(found)
    assert 1 == len(set(found))
