"""Dataclasses that are made when the first of their objects is.

Owns `dataclass`, which stands in for the standard one in all rooms. That one writes and
compiles half a dozen methods for each class while its module is imported, about 0.4 ms a
class; flowcore has some two hundred, of which a short run uses a few dozen, in each of
its processes. This one gives a class its slots at once, and has the standard library do
all else when the class is first called or its fields are first asked for. Afterwards
nobody can tell the two apart.
Never: has an option, or a rule, that the standard one has not.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass"]

T = TypeVar("T")

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(*, slots: bool = False, **options: Any) -> Any:
        """Decorate a class as `dataclasses.dataclass` does, later."""

        def made(kind: type[T]) -> type[T]:
            if "__init__" in vars(kind) or not (slots or issubclass(kind, BaseException)):
                return _standard(kind, options | {"slots": slots})  # an object of it may come to be without a call
            return _Later(kind, slots=slots, options=options).kind

        return made


_FIELDS = "__dataclass_fields__"
_SIGNATURE = "__signature__"
_making = threading.RLock()


class _Later:
    """What is still to be done for a class; it stands in the place of its fields, where whoever needs them looks."""

    def __init__(self, kind: type, *, slots: bool, options: dict[str, Any]) -> None:
        self._namespace = {name: part for name, part in vars(kind).items() if name not in ("__dict__", "__weakref__")}
        self._options = options | {"slots": slots}
        self._slots = slots
        self.kind = _slotted(kind, self._namespace, frozen=bool(options.get("frozen"))) if slots else kind
        setattr(self.kind, "__init__", self._init())  # noqa: B010 - on purpose, and as below
        setattr(self.kind, _FIELDS, self)
        setattr(self.kind, _SIGNATURE, _Signature(self))

    def __get__(self, instance: object, kind: type) -> object:
        self.make()
        return getattr(kind, _FIELDS)

    def _init(self) -> Any:
        def __init__(this: Any, /, *given: Any, **named: Any) -> None:  # noqa: N807 - the name that tracebacks show
            self.make()
            self.kind.__init__(this, *given, **named)  # type: ignore[misc]

        return __init__

    def make(self) -> None:
        """Have the standard library make a class like ours, and take over what it wrote."""
        with _making:
            if vars(self.kind)[_FIELDS] is not self:
                return
            twin = type(self.kind)(self.kind.__name__, self.kind.__bases__, dict(self._namespace))
            twin.__qualname__ = self.kind.__qualname__
            written = vars(_standard(twin, self._options))
            if not self._slots:
                for name in [name for name in _own_fields(twin) if name in vars(self.kind) and name not in written]:
                    delattr(self.kind, name)  # `field()`, which was read
            kept = {"__dict__", "__weakref__", "__slots__", *(_own_fields(twin) if self._slots else ())}
            fresh = {n: part for n, part in written.items() if n not in kept and self._namespace.get(n) is not part}
            # Another thread may call the class meanwhile: it gets its fields, and then its start, last.
            for name in (*(name for name in fresh if name not in (_FIELDS, "__init__")), _FIELDS, "__init__"):
                setattr(self.kind, name, fresh[name])
            delattr(self.kind, _SIGNATURE)


class _Signature:
    """Has a class made before `inspect` looks how it is called; there is nothing else to say about that."""

    def __init__(self, later: _Later) -> None:
        self._later = later

    def __get__(self, instance: object, kind: type) -> None:
        self._later.make()


def _standard(kind: type[T], options: dict[str, Any]) -> type[T]:
    import dataclasses  # most processes of a short run have few classes to make

    made: type[T] = dataclasses.dataclass(**options)(kind)
    return made


def _own_fields(kind: type) -> list[str]:
    return [
        name for name, note in vars(kind).get("__annotations__", {}).items() if not str(note).startswith("ClassVar")
    ]


def _slotted(kind: type, namespace: dict[str, Any], *, frozen: bool) -> type:
    """Give the class once more, with slots; its fields' defaults stay in the namespace alone."""
    inherited = {slot for base in kind.__mro__[1:-1] for slot in vars(base).get("__slots__", ())}
    names = _own_fields(kind)
    parts = {name: part for name, part in namespace.items() if name not in names}
    parts["__slots__"] = tuple(name for name in names if name not in inherited)
    if frozen:
        parts.setdefault("__getstate__", _state)
        parts.setdefault("__setstate__", _set_state)
    slotted: type = type(kind)(kind.__name__, kind.__bases__, parts)
    slotted.__qualname__ = kind.__qualname__
    return slotted


def _state(this: Any) -> list[Any]:
    return [getattr(this, name) for name in getattr(this, _FIELDS)]


def _set_state(this: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(this, _FIELDS), state, strict=True):
        object.__setattr__(this, name, value)
