"""Warnings, shown once and by the engine alone, wherever something was found out.

Those about what the user wrote are issued as if from the line where it stands.

The engine finds out on a thread of its own, where a stack would only name flowcore's
own lines; a warning of Python's names one line, and it has to be the user's.
"""

from __future__ import annotations

import dataclasses
import warnings

from flowcore.errors import DamagedEntry, FlowcoreWarning, StoreUnavailable
from flowcore.run.job import Warned

_OF_WORKERS: dict[str, type[DamagedEntry | StoreUnavailable]] = {
    kind.__name__: kind for kind in (DamagedEntry, StoreUnavailable)
}


def warn_at(trouble: FlowcoreWarning, site: str) -> None:
    """Warn, naming ``file:line`` as the place."""
    file, _, line = site.rpartition(":")
    if not line.isdecimal():
        warnings.warn(trouble, stacklevel=3)
        return
    warnings.warn_explicit(trouble, category=type(trouble), filename=file, lineno=int(line))


def travelling(warning: FlowcoreWarning) -> Warned | None:
    """Give what a worker sends of a warning about the store; None for any other."""
    if not isinstance(warning, DamagedEntry | StoreUnavailable):
        return None
    facts = {field.name: str(getattr(warning, field.name)) for field in dataclasses.fields(warning)}
    return Warned(kind=type(warning).__name__, facts=facts)


def arrived(warned: Warned) -> FlowcoreWarning | None:
    """Give the warning that a worker sent; None if it is none of ours."""
    try:
        return _OF_WORKERS[warned.kind](**warned.facts)
    except (KeyError, TypeError):
        return None
