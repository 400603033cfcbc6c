"""The leaf that keeps a value from travelling: a path to it, and what it is.

Walked only after pickling failed. Owns the wording of such paths:
``args['cfg'].db._lock``. Never changes what it walks.
"""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any, Final

from flowcore.declare.placeholder import Placeholder
from flowcore.plan.extension import kind_name

_DEPTH: Final = 50
_MEMBERS: Final = 10_000  # members of one container that are tried


def find_leaf(value: object, name: str, attempt: Callable[[object], object]) -> tuple[str, str]:
    """Give path and kind of the innermost part of `value` for which `attempt` raises.

    Parameters
    ----------
    value : object
        What could not be pickled.
    name : str
        Where the path begins.
    attempt : callable
        Pickles a part, or raises.
    """
    path = name
    for _ in range(_DEPTH):
        if isinstance(value, Placeholder):  # its inside is flowcore's own
            break
        for step, part in _parts(value):
            if not _travels(part, attempt):
                path, value = path + step, part
                break
        else:
            break
    return path, kind_name(type(value))


def _travels(part: object, attempt: Callable[[object], object]) -> bool:
    try:
        attempt(part)
    except Exception:  # noqa: BLE001 - a user's __reduce__ may raise anything; the answer is just no
        return False
    return True


def _parts(value: Any) -> Iterator[tuple[str, object]]:
    """Yield the parts of a value, each with the step that leads to it."""
    if isinstance(value, dict):
        yield from ((f"[{key!r:.60}]", item) for key, item in list(value.items())[:_MEMBERS])
        yield from ((f" key {kind_name(type(key))}", key) for key in list(value)[:_MEMBERS])
    elif isinstance(value, (list, tuple)):
        names = getattr(value, "_fields", None)
        yield from ((f".{names[i]}" if names else f"[{i}]", item) for i, item in enumerate(value[:_MEMBERS]))
    elif isinstance(value, (set, frozenset)):
        yield from ((f"{{{kind_name(type(member))}}}", member) for member in list(value)[:_MEMBERS])
    elif isinstance(value, functools.partial):
        yield from ((".func", value.func), (".args", value.args), (".keywords", value.keywords))
    elif isinstance(value, types.MethodType):
        yield from ((".__self__", value.__self__), (".__func__", value.__func__))
    if isinstance(value, types.FunctionType):
        yield from _bindings(value)
    else:
        yield from _attributes(value)


def _bindings(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    """Yield what a function is bound to: closure, defaults, globals that it names."""
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f" closure {name}", cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for i, default in enumerate(function.__defaults__ or ()):
        yield f" default {i}", default
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield f" global {name}", function.__globals__[name]


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """Yield attributes from the instance's dict and slots; properties are not called."""
    if isinstance(value, (type, types.ModuleType)):
        return
    yield from ((f".{name}", item) for name, item in list(getattr(value, "__dict__", {}).items()))
    for kind in type(value).__mro__:
        for name, slot in vars(kind).items():
            if isinstance(slot, types.MemberDescriptorType) and kind.__flags__ & (1 << 9) and hasattr(value, name):
                yield f".{name}", slot.__get__(value)
