"""A flow caught as its script is about to run it.

How `flowcore debug` comes by a flow that a script draws with arguments of its own: the
script is executed as it was, up to the run that is meant. Runs of other flows go ahead,
since their results may be what the flow is drawn from. One thread.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from flowcore.targets import Drawn

_awaited: ContextVar[str] = ContextVar("flowcore.awaited", default="")


class _Caught(BaseException):  # noqa: N818 - nobody who handles errors may stop it
    def __init__(self, flow: Drawn) -> None:
        super().__init__(flow.name)
        self.flow = flow


def caught(name: str, script: Callable[[], object]) -> Drawn | None:
    """Call a script until it runs a flow of that name, and give the flow; None if it never does."""
    token = _awaited.set(name)
    try:
        script()
    except _Caught as one:
        return one.flow
    finally:
        _awaited.reset(token)
    return None


def pass_by(flow: Drawn) -> None:
    """Let whoever waits for this flow have it, in place of its run."""
    if _awaited.get() == flow.name:
        raise _Caught(flow)
