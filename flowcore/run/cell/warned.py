"""Warnings of workers, shown once and by the engine alone, wherever something was found out."""

from __future__ import annotations

import dataclasses

from flowcore.errors import DamagedEntry, FlowcoreWarning, NotStorable, StoreUnavailable
from flowcore.resuming import ResumeMismatch, SharedState
from flowcore.run.job import Warned

_OF_WORKERS: dict[str, type[FlowcoreWarning]] = {
    kind.__name__: kind for kind in (DamagedEntry, StoreUnavailable, ResumeMismatch, SharedState, NotStorable)
}


def travelling(warning: FlowcoreWarning) -> Warned | None:
    """Give what a worker sends of a warning about the store; None for any other."""
    if not isinstance(warning, DamagedEntry | StoreUnavailable | ResumeMismatch | SharedState | NotStorable):
        return None
    facts = {field.name: getattr(warning, field.name) for field in dataclasses.fields(warning)}
    return Warned(kind=type(warning).__name__, facts=facts)


def arrived(warned: Warned) -> FlowcoreWarning | None:
    """Give the warning that a worker sent; None if it is none of ours."""
    try:
        facts = {name: tuple(fact) if isinstance(fact, list) else fact for name, fact in warned.facts.items()}
        return _OF_WORKERS[warned.kind](**facts)
    except (KeyError, TypeError):
        return None
