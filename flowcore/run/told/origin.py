"""Where a run comes from: what it takes to draw its flow once more.

Owns the facts `file`, `argv` and `by` of a journal. A script is known by its file and
arguments, a flow that the command line drew by its file and options; a run of a notebook
or a prompt has no origin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextvars import ContextVar

Origin = Mapping[str, object]

_typed: ContextVar[tuple[str, tuple[str, ...]] | None] = ContextVar("flowcore.typed", default=None)


def comes_from(source: str, arguments: Sequence[str]) -> None:
    """Say that the flows of this process are drawn from ``FILE.py:flow`` by ``flowcore run``, and what was typed."""
    full = os.path.abspath(source)
    _typed.set((full, tuple(full if argument == source else argument for argument in arguments)))


def origin() -> Origin:
    """Give where a run that begins now comes from; empty if nothing can be drawn again from it."""
    typed = _typed.get()
    if typed is not None:
        return {"file": typed[0], "argv": list(typed[1]), "by": "flowcore run"}
    main = sys.modules.get("__main__")
    file, spec = getattr(main, "__file__", None), getattr(main, "__spec__", None)
    if not isinstance(file, str) or spec is not None or not sys.argv:
        return {}  # python -m: its file alone does not say how to execute it
    return {"file": os.path.abspath(file), "argv": sys.argv[1:], "by": "script"}
