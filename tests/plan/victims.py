"""Classes of a user, with code wherever a reader of records could trip over it; `ran` tells whether one did."""

from __future__ import annotations

import enum
import typing
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

ran: list[str] = []


def note(what: str) -> Any:
    """Tell that code ran."""
    ran.append(what)
    return what


class Setter:
    """A descriptor as a field may have as its default."""

    def __get__(self, instance: object, owner: object = None) -> int:
        return 3

    def __set__(self, instance: object, value: object) -> None:
        note("__set__")


@dataclass
class Described:
    x: Any = Setter()


@dataclass
class Car:
    """The pattern for a field with a property: what is set goes to another field."""

    wheels: int
    _wheels: int = field(init=False, default=0)

    @property  # type: ignore[no-redef]
    def wheels(self) -> int:
        return self._wheels

    @wheels.setter
    def wheels(self, value: int) -> None:
        note("setter")
        self._wheels = value


@dataclass
class Folder:
    """Owns something outside, and lets go of it in the end."""

    path: str

    def __del__(self) -> None:
        note("__del__")


class Closing(typing.NamedTuple):
    path: str


class ClosingSoon(Closing):
    __slots__ = ()

    def __new__(cls, path: str) -> typing.Self:
        note("__new__")
        return super().__new__(cls, path)

    def __del__(self) -> None:
        note("__del__")


@dataclass(eq=False, repr=False)
class Anything:
    """Can be taken for a text, a number, a path, a list, an array, or a table."""

    a: int

    def __str__(self) -> str:
        return str(note("__str__"))

    __repr__ = __str__

    def __index__(self) -> int:
        return len(note("__index__"))

    __int__ = __len__ = __index__

    def __fspath__(self) -> str:
        return str(note("__fspath__"))

    def __iter__(self) -> Iterator[int]:
        return iter(note("__iter__"))

    def __eq__(self, other: object) -> bool:
        return bool(note("__eq__"))

    def __hash__(self) -> int:
        return len(note("__hash__"))

    def __bool__(self) -> bool:
        return bool(note("__bool__"))

    def __getattr__(self, name: str) -> object:
        raise AttributeError(note(name))


class Asking(type):
    """A metaclass that is asked for every attribute of its classes."""

    def __getattribute__(cls, name: str) -> Any:
        note(f"metaclass: {name}")
        return super().__getattribute__(name)


class Plain(metaclass=Asking):
    pass


class Proxy:
    """Says that it is something else, as proxies of other objects do."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        note("__class__")
        return type

    def __getattribute__(self, name: str) -> Any:
        note(f"proxy: {name}")
        return object.__getattribute__(self, name)


proxy = Proxy()


class Colour(enum.Enum):
    RED = 1

    @classmethod
    def _missing_(cls, value: object) -> Colour:
        note("_missing_")
        return cls.RED


class Lenient(enum.Flag):
    """Without members, so others can be made of it."""

    @classmethod
    def _missing_(cls, value: object) -> Any:
        note("_missing_")
        return super()._missing_(value)


class Rights(Lenient):
    READ = 1
    WRITE = 2


class Calling(enum.EnumMeta):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        note("__call__")
        return super().__call__(*args, **kwargs)


class Modes(enum.Flag, metaclass=Calling):
    ON = 1
    OFF = 2


class Sound(enum.Flag):
    """Whose members the library puts together."""

    LOUD = 1
    LONG = 2
