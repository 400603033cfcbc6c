"""The form of a function's call: its parameters, read once, and binding to them fast.

Drawing binds every call of a task; ``inspect.Signature.bind`` would cost most of it.
So a signature is read once a task, and a call is a ``zip`` and a few set operations;
only a wrong call is looked at closely.
"""

from __future__ import annotations

import builtins
import inspect
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flowcore.declare import fit
from flowcore.declare.sapling import Sapling
from flowcore.declare.site import defined_at
from flowcore.errors import GraphError, MissingArgument, UnknownParameter, WiringMismatch, nearest
from flowcore.settings import raise_all

_Kind = inspect.Parameter


class Form:
    """What a function can be called with.

    Without a signature (some functions written in C) every call is accepted, and
    arguments given by position are called ``"0"``, ``"1"``, ...
    """

    __slots__ = (
        "_annotations",
        "_function",
        "_keywords",
        "_known",
        "_named",
        "_positional",
        "_required",
        "_returns",
        "_varargs",
    )

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function
        self._annotations: dict[str, object] | None = None
        self._returns: object = None  # until it is asked for; an annotation that is None is looked at each time
        try:
            parameters: Mapping[str, inspect.Parameter] = inspect.signature(function).parameters
            self._known = True
        except (ValueError, TypeError):
            parameters = {}
            self._known = False
        kinds = {name: p.kind for name, p in parameters.items()}
        by_place = (_Kind.POSITIONAL_ONLY, _Kind.POSITIONAL_OR_KEYWORD)
        by_name = (_Kind.KEYWORD_ONLY, _Kind.POSITIONAL_OR_KEYWORD)
        self._positional = tuple(n for n, k in kinds.items() if k in by_place)
        self._named = frozenset(n for n, k in kinds.items() if k in by_name)
        single = (*by_place, _Kind.KEYWORD_ONLY)
        self._required = tuple(n for n, p in parameters.items() if p.default is p.empty and p.kind in single)
        self._varargs = next((n for n, k in kinds.items() if k is _Kind.VAR_POSITIONAL), None)
        self._keywords = next((n for n, k in kinds.items() if k is _Kind.VAR_KEYWORD), None)

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that an argument may have, as far as they are known."""
        return (*self._positional, *(n for n in sorted(self._named) if n not in self._positional))

    def takes(self, name: str) -> bool:
        """Tell whether there is a parameter of that name."""
        return not self._known or name in self.parameters or name in (self._varargs, self._keywords)

    def others(self, names: Iterable[str]) -> list[str]:
        """Give those of some arguments that ``**keywords`` takes, in their order."""
        if self._keywords is None:
            return []
        return [name for name in names if name not in self.parameters and not name.endswith("]")]

    @property
    def defined(self) -> str:
        """File and line of the function."""
        return defined_at(self._function)

    def bind(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, object] | None:
        """Give parameter to argument in the order of the call, or None if the call is wrong."""
        positional = self._positional
        bound: dict[str, object] = dict(zip(positional, args, strict=False))
        if len(args) > len(positional):
            if not self._known:
                bound = {str(i): value for i, value in enumerate(args)}
            elif self._varargs is None:
                return None
            else:
                for place, value in enumerate(args[len(positional) :]):
                    bound[f"{self._varargs}[{place}]"] = value
        for name, value in kwargs.items():
            if name in bound or (name not in self._named and self._known and self._keywords is None):
                return None
            bound[name] = value
        for name in self._required:
            if name not in bound:
                return None
        return bound

    def refuse(self, name: str, args: tuple[object, ...], kwargs: Mapping[str, object], *, at: str) -> None:
        """Raise all that is wrong with a call that `bind` refused (contract E2)."""
        troubles: list[GraphError] = []
        first = self._positional[: len(args)]
        open_names = [n for n in self.parameters if n not in first and n not in kwargs] or list(self.parameters)
        near_all: set[str] = set()
        for keyword in kwargs:
            if keyword in first and self._keywords is None:
                troubles.append(self._mismatch(name, repr(keyword), "two, by position and by name", "one value", at))
            elif keyword not in self._named and self._keywords is None:
                near = nearest(keyword, open_names)
                near_all.update(near)
                unknown = UnknownParameter(
                    node=name, parameter=keyword, near=near, at=at, defined=self.defined, takes=self.parameters
                )
                troubles.append(unknown)
        if len(args) > len(self._positional) and self._varargs is None:
            most = f"at most {len(self._positional)} arguments by position"
            troubles.append(self._mismatch(name, "The call", str(len(args)), most, at))
        # A parameter that was misspelt is not told again as missing.
        missing = tuple(n for n in self._required if n not in first and n not in kwargs and n not in near_all)
        if missing:
            troubles.append(MissingArgument(node=name, parameters=missing, at=at, defined=self.defined))
        raise_all(troubles, f"wrong call of {name}() ({at})")

    def _mismatch(self, name: str, parameter: str, found: str, expected: str, at: str) -> WiringMismatch:
        return WiringMismatch(
            node=name, parameter=parameter, found=found, expected=expected, at=at, defined=self.defined,
            remedy="Mend this call.",
        )  # fmt: skip

    def annotation(self, name: str) -> object:
        """Give what a parameter is annotated with, or ``inspect.Parameter.empty``."""
        if self._annotations is None:
            self._annotations = _annotations(self._function)
        key = self._varargs if name.endswith("]") and "[" in name else name
        return self._annotations.get(key or name, inspect.Parameter.empty)

    @property
    def returns(self) -> object:
        """What its cells give by its annotation, or ``inspect.Parameter.empty``: a flow stands for its result."""
        if self._annotations is None or self._returns is None:
            self._returns = fit.without(self.annotation("return"), Sapling)
        return self._returns


def _annotations(function: Callable[..., object]) -> dict[str, object]:
    """Evaluate annotations one by one: one that cannot be read hides no other."""
    inner: Any = inspect.unwrap(function)
    while hasattr(inner, "func") and hasattr(inner, "keywords"):  # functools.partial
        inner = inspect.unwrap(inner.func)
    if not hasattr(inner, "__annotations__"):
        inner = type(inner).__call__  # an object that can be called
    module = sys.modules.get(getattr(inner, "__module__", None) or "")
    names = getattr(inner, "__globals__", None) or vars(module or builtins)
    found = dict(getattr(inner, "__annotations__", None) or {})
    return {name: _evaluated(text, names) for name, text in found.items()}


def _evaluated(annotation: object, names: dict[str, object]) -> object:
    if not isinstance(annotation, str):
        return annotation
    try:
        value: object = eval(annotation, names)  # as typing.get_type_hints does
    except (NameError, AttributeError, TypeError, SyntaxError, ValueError, LookupError, ImportError):
        return inspect.Parameter.empty  # a name that only type checkers see
    return value
