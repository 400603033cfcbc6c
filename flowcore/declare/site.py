"""Where the user wrote it: file and line of the frame that a message should name."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import ParamSpec, TypeVar

from flowcore.errors import FlowcoreError

P = ParamSpec("P")
R = TypeVar("R")

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def site_of(frame: FrameType) -> str:
    """Give ``file:line`` of a frame, the file as Python knows it."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def user_site() -> str:
    """Give ``file:line`` of the innermost frame that is not flowcore's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return site_of(frame) if frame is not None else "unknown place"


def defined_at(function: Callable[..., object]) -> str:
    """Give ``file:line`` of a function's first line; empty for what is not written in Python."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def at_users_line(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function's errors end at the line that called it: a traceback shows what the user wrote.

    For functions that run no code of the user.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except (FlowcoreError, ExceptionGroup, KeyboardInterrupt) as error:
            raise error.with_traceback(None) from error.__cause__

    return call
