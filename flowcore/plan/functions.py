"""What a callable is made of: the bare function inside tasks.

A task is known by its class's name and two attributes, so that this room needs nothing
of `declare/`, and works in processes that never drew a flow.
"""

from __future__ import annotations

from typing import Any


def is_task(value: object) -> bool:
    """Tell whether `value` is a task made by ``fc.compute`` or ``fc.io``."""
    kind = type(value)
    return any(k.__name__ == "Task" and k.__module__ == "flowcore.declare.task" for k in kind.__mro__)


def bare_function(value: Any) -> Any:
    """Give the function of a task; anything else as it is."""
    return value.function if is_task(value) else value
