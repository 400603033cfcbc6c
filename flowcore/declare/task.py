"""Tasks: Python functions with an annotation.

Owns: :class:`Task`, the decorators :func:`compute` and :func:`io`, and the variable
that says which drawing calls of tasks go to.
Promises: outside a drawing a task is the function it decorates; while drawing, a call
of it becomes a node.
Never: reads a signature before the first call is drawn (but for `ignore`, and for
parameters that ask to be supplied); says how a checker sees the decorators, which
`flowcore/decorators.py` does.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from types import FrameType, MethodType
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, Protocol, TypeVar, Unpack, cast

from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.form import Form
from flowcore.declare.injected import kind_of, note_asked, requests, supplied
from flowcore.declare.options import GivenOptions, Kind, TaskOptions, read_options
from flowcore.declare.placeholder import refuse
from flowcore.declare.site import at_users_line, defined_at, user_site
from flowcore.declare.unsaved import unsaved_state
from flowcore.errors import BadOption, GraphError, nearest

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Canvas(Protocol):
    """A drawing in progress, as far as a task needs to know it."""

    def draw(
        self, task: Task[..., Any], args: tuple[object, ...], kwargs: dict[str, object], frame: FrameType
    ) -> object:
        """Add a node for a call and give its reference."""
        ...


CANVAS: ContextVar[Canvas | None] = ContextVar("flowcore_canvas", default=None)


class Task(Generic[P, R_co]):
    """A function that can be a node of a flow.

    Made by :func:`compute` and :func:`io`. It has the name, docstring and signature of
    its function.

    Attributes
    ----------
    function : callable
        The bare function.
    declared : TaskOptions
        The options it was declared with.
    name : str
        What its nodes are called.
    is_async : bool
        Whether the function is a coroutine function.
    injected : tuple of Request
        The parameters that nobody passes, such as ``rng=fc.rng()``.
    """

    def __init__(self, function: Callable[..., Any], declared: TaskOptions) -> None:
        functools.update_wrapper(self, function)
        self.function: Callable[..., Any] = function
        self.declared = declared
        self.name = _name_of(function)
        self.is_async = inspect.iscoroutinefunction(_innermost(function))
        self.injected = requests(function)
        self._form: Form | None = None
        self._loops_checked = not self.injected

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function; while a flow is drawn, add a node and give its reference."""
        canvas = CANVAS.get()
        if canvas is None:
            refuse(args)
            if kwargs:
                refuse(tuple(kwargs.values()))
            if self.injected:
                return cast("R_co", self.function(*args, **supplied(self.injected, self.name, args, kwargs)))
            return cast("R_co", self.function(*args, **kwargs))
        try:
            return cast("R_co", canvas.draw(self, args, kwargs, sys._getframe(1)))
        except (GraphError, ExceptionGroup) as error:
            raise error.with_traceback(None) from error.__cause__

    @property
    def form(self) -> Form:
        """Its parameters, read when first asked for."""
        if self._form is None:
            self._form = Form(self.function)
        return self._form

    def check_loops(self) -> None:
        """Refuse a loop over steps that changes what no state saves (contract E13); looked at once.

        Raises
        ------
        UnsavedState
            With the line.
        """
        if not self._loops_checked:
            saved = [request.parameter for request in self.injected if kind_of(request.asked) == CHECKPOINT]
            if len(saved) > 1:
                raise BadOption(
                    option=saved[1], found="a second fc.Checkpoint()", expected="one checkpoint a task",
                    at=defined_at(self.function),
                )  # fmt: skip
            names = [request.parameter for request in self.injected]
            if saved and (trouble := unsaved_state(self.function, saved[0], names)) is not None:
                raise trouble
            self._loops_checked = True

    @property
    def runner(self) -> str:
        """What carries out its cells, unless a flow's defaults say otherwise."""
        return runner_of(self.declared, is_async=self.is_async)

    def options(self, **options: Unpack[GivenOptions]) -> Task[P, R_co]:
        """Give the same task with other options.

        Examples
        --------
        >>> @compute
        ... def double(x: float) -> float:
        ...     return 2 * x
        >>> double.options(retries=3).declared.retries, double.declared.retries
        (3, 0)
        """
        return cast("Task[P, R_co]", task_of(self.function, self.declared.kind, dict(options), base=self.declared))

    if not TYPE_CHECKING:  # a checker would take every annotated attribute that holds a task for a method

        def __get__(self, instance: object, owner: type | None = None, /) -> object:
            """As a function in a class body: a method, whose first argument is the instance."""
            return self if instance is None else MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{self.declared.kind} task {self.name}>"

    def __reduce__(self) -> tuple[Any, ...] | str:
        # By name where that name leads here in every process. `__main__` is another module in
        # a worker, so its tasks go with their function (which cloudpickle sends by value).
        module, path = self.__dict__.get("__module__"), self.__dict__.get("__qualname__")
        found = _named(module, path)
        if found is self and module != "__main__":
            return str(path)
        if isinstance(found, Task) and found.function is self.function and module != "__main__":
            return _redeclared, (found, self.declared)
        # A function that calls its own task comes here before it is whole: nothing may be asked of it on arrival.
        return object.__new__, (type(self),), self.__dict__ | {"_form": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        note_asked(self.injected)


def _redeclared(task: Task[P, R], declared: TaskOptions) -> Task[P, R]:
    return Task(task.function, declared)


def _named(module: object, path: object) -> object:
    found: object = sys.modules.get(str(module))
    for part in str(path).split("."):
        found = getattr(found, part, None)
    return found


def _innermost(function: Callable[..., Any]) -> Any:
    inner: Any = function
    while isinstance(inner, functools.partial):
        inner = inner.func
    return inner


def _name_of(function: Callable[..., Any]) -> str:
    inner = _innermost(function)
    return str(getattr(inner, "__name__", type(inner).__name__)).replace("<lambda>", "lambda")


class ByKind(str):
    """A runner that nobody has asked for: a run may know a better one."""

    __slots__ = ()


_PROCESS: Final = ByKind("process")


def runner_of(options: TaskOptions, *, is_async: bool) -> str:
    """Give the runner that options ask for, else the one of the kind."""
    if options.runner is not None:
        return options.runner
    if options.kind == "compute":
        return _PROCESS
    if is_async:
        return "async"
    return "worker" if options.place == "worker" else "thread"


def task_of(
    function: Callable[..., Any], kind: Kind, written: Mapping[str, object], *, base: TaskOptions | None = None
) -> Task[..., Any]:
    """Make a task of a function and options as written."""
    at = user_site()
    if isinstance(function, Task):
        function = function.function
    if not callable(function):
        raise BadOption(option=kind, found=f"applied to a {type(function).__name__}", expected="a function", at=at)
    start = base if base is not None else TaskOptions(kind=kind, cache=kind == "compute")
    task: Task[..., Any] = Task(function, read_options(written, base=start, at=at))
    _check(task, at)
    return task


def _check(task: Task[..., Any], at: str) -> None:
    """Refuse options that do not fit the function."""
    runner = task.runner
    if task.is_async and task.declared.kind == "compute":
        raise BadOption(option="kind", found="compute on an async function", expected="io", at=at)
    if task.is_async != (runner == "async") and runner in ("async", "process", "thread"):
        what = "an async function" if task.is_async else "a plain function"
        raise BadOption(option="runner", found=f"{runner!r} for {what}", expected="one that can run it", at=at)
    _check_extend(task, at)
    _check_place(task, at)
    for name in task.declared.ignore:
        if not name.startswith("global:") and not task.form.takes(name):
            expected = f"a parameter of {task.name}() or global:NAME"
            raise BadOption(
                option="ignore", found=repr(name), expected=expected, at=at, near=nearest(name, task.form.parameters)
            )


def _check_extend(task: Task[..., Any], at: str) -> None:
    """Refuse to lengthen what keeps no state, and by what is no parameter."""
    extend, keep = task.declared.extend, task.declared.keep
    if extend is not None and not task.form.takes(extend):
        raise BadOption(
            option="extend", found=repr(extend), expected=f"a parameter of {task.name}()", at=at,
            near=nearest(extend, task.form.parameters),
        )  # fmt: skip
    saves = any(kind_of(request.asked) == CHECKPOINT for request in task.injected)
    for option, value in (("extend", extend), ("keep", keep)):
        if value is not None and not saves:
            expected = f"with a checkpoint: give {task.name}() a parameter ckpt: fc.Checkpoint = fc.Checkpoint()"
            raise BadOption(option=option, found=repr(value), expected=expected, at=at)
    if keep is not None and extend is None:
        raise BadOption(option="keep", found=repr(keep), expected="together with extend=", at=at)


def _check_place(task: Task[..., Any], at: str) -> None:
    """Refuse a place, and devices, for what cannot have them."""
    declared = task.declared
    placed = {"driver": "thread", "worker": "worker"}.get(declared.place or "")
    if placed is not None and (declared.kind != "io" or task.runner != placed):
        expected = "on a plain io function: where the others run is said by runner= and executor="
        raise BadOption(option="place", found=repr(declared.place), expected=expected, at=at)
    if declared.gpus and task.runner in ("thread", "async", "worker"):
        expected = "for cells in processes, which see their own devices alone"
        raise BadOption(option="gpus", found=f"{declared.gpus} for runner={task.runner!r}", expected=expected, at=at)


@at_users_line
def compute(function: Callable[..., Any] | None = None, /, **options: Unpack[GivenOptions]) -> Any:
    """Declare a function that computes: it runs in a process, and its result is kept.

    Parameters
    ----------
    function : callable
        What a cell calls. Outside a flow, calling the task calls it.
    **options
        As the table of options in the reference has them: `cache`, `retries`, `cores` and more.

    Raises
    ------
    BadOption
        For an unknown option or one that cannot be read.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute(retries=1)
    ... def slope(height: float, length: float) -> float:
    ...     return height / length
    >>> slope(1.0, 4.0)
    0.25
    """
    return _decorated(function, "compute", dict(options))


@at_users_line
def io(function: Callable[..., Any] | None = None, /, **options: Unpack[GivenOptions]) -> Any:
    """Declare a function that meets the world: it runs in a thread, or on the event loop.

    Its result is not kept unless `cache` says so, because the world may change.

    Parameters
    ----------
    function : callable
        A plain function or an ``async def``. In a flow, an async task stands for what
        it returns in the end; outside one, its call gives the coroutine, as ever.
    **options
        As the table of options in the reference has them: `cache`, `retries`, `cores` and more.

    Raises
    ------
    BadOption
        For an unknown option or one that cannot be read.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.io(timeout="30s", limit=8)
    ... async def fetch(url: str) -> bytes:
    ...     return url.encode()
    >>> fetch.declared.timeout, fetch.runner
    (30.0, 'async')
    """
    return _decorated(function, "io", dict(options))


def _decorated(function: Callable[..., Any] | None, kind: Kind, written: dict[str, object]) -> Any:
    if function is not None:
        return task_of(function, kind, written)
    read_options(written, base=TaskOptions(kind=kind), at=user_site())  # told here, not when the function comes

    def decorate(function: Callable[..., Any], /) -> Task[..., Any]:
        return task_of(function, kind, written)

    return decorate
