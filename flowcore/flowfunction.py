"""Drawing functions: under ``@fc.flow`` a function draws a flow each time it is called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, overload

from flowcore.declare.drawing import current
from flowcore.flow import Flow

P = ParamSpec("P")


class FlowFunction(Generic[P]):
    """A drawing function: calling it gives a :class:`Flow`, or draws into the current one.

    Made by :func:`flow`. It has the name, docstring and signature of its function.
    """

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = name

    # Any: a Flow outside a drawing, and inside one the references that the function returns.
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Draw a new flow; inside a drawing, draw into that one as a named group."""
        outer = current()
        if outer is not None:
            with outer.grouped(self.name):
                return self.function(*args, **kwargs)
        drawn = Flow(self.name)
        with drawn:
            drawn.result = self.function(*args, **kwargs)
        return drawn

    def __repr__(self) -> str:
        return f"<flow function {self.name}>"


@overload
def flow(function: Callable[P, Any], /) -> FlowFunction[P]: ...
@overload
def flow(*, name: str) -> Callable[[Callable[P, Any]], FlowFunction[P]]: ...
def flow(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Declare a drawing function: its call draws a flow out of the tasks that it calls.

    Parameters
    ----------
    function : callable
        Calls tasks and returns references, or lists, tuples and dicts of them.
    name : str, optional
        What its flows are called; by default the function's name.

    Returns
    -------
    FlowFunction
        Called while another flow is drawn, it draws into that one as a named group and
        gives what the function returns; else it gives a new :class:`Flow`.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def half(x: float) -> float:
    ...     return x / 2
    >>> @fc.flow
    ... def quarters(xs: list[float]):
    ...     return [half(half(x)) for x in xs]
    >>> quarters([1.0, 2.0])
    <Flow 'quarters': 4 nodes>
    """

    def decorate(drawer: Callable[..., Any]) -> FlowFunction[...]:
        return FlowFunction(drawer, name or str(getattr(drawer, "__name__", "flow")))

    return decorate if function is None else decorate(function)
