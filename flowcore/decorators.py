"""The decorators ``compute`` and ``io``, as type checkers see them.

Owns: their overloads. A task that may return a :class:`~flowcore.flow.Flow` has the type of what
the flow gives, so a checker has to take the flow out of ``float | fc.Flow``. mypy does so for any class
above it; pyright only for the very same class, which is known on this floor and not where tasks are declared.
Promises: at runtime these are the functions of `flowcore.declare.task`, and nothing else.
Never: is loaded by a run.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, Unpack, overload

if TYPE_CHECKING:
    from flowcore.declare.options import GivenOptions
    from flowcore.declare.task import Task
    from flowcore.flow import Flow

    P = ParamSpec("P")
    R = TypeVar("R")

    class Decorator(Protocol):
        """What ``@compute(...)`` and ``@io(...)`` give: turns a function into a task."""

        @overload
        def __call__(self, function: Callable[P, Coroutine[Any, Any, Flow]], /) -> Task[P, Any]: ...
        @overload
        def __call__(self, function: Callable[P, Coroutine[Any, Any, R | Flow]], /) -> Task[P, R]: ...
        @overload
        def __call__(self, function: Callable[P, Flow], /) -> Task[P, Any]: ...
        @overload
        def __call__(self, function: Callable[P, R | Flow], /) -> Task[P, R]: ...

    @overload
    def compute(function: Callable[P, Flow], /) -> Task[P, Any]: ...
    @overload
    def compute(function: Callable[P, R | Flow], /) -> Task[P, R]: ...
    @overload
    def compute(**options: Unpack[GivenOptions]) -> Decorator: ...
    def compute(function: Callable[..., Any] | None = None, /, **options: Unpack[GivenOptions]) -> Any:
        """Declare a function that computes: see :func:`flowcore.declare.task.compute`."""

    @overload
    def io(function: Callable[P, Coroutine[Any, Any, Flow]], /) -> Task[P, Any]: ...
    @overload
    def io(function: Callable[P, Coroutine[Any, Any, R | Flow]], /) -> Task[P, R]: ...
    @overload
    def io(function: Callable[P, Flow], /) -> Task[P, Any]: ...
    @overload
    def io(function: Callable[P, R | Flow], /) -> Task[P, R]: ...
    @overload
    def io(**options: Unpack[GivenOptions]) -> Decorator: ...
    def io(function: Callable[..., Any] | None = None, /, **options: Unpack[GivenOptions]) -> Any:
        """Declare a function that meets the world: see :func:`flowcore.declare.task.io`."""

else:
    from flowcore.declare.task import compute, io

__all__ = ["compute", "io"]
