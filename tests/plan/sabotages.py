"""Code identity broken on purpose, one way a function; each is switched on in a child process."""

from __future__ import annotations

import linecache
from types import CodeType, FunctionType
from typing import Any

from flowcore.plan import pieces, reach
from flowcore.plan.functions import bare_function
from flowcore.plan.pieces import Piece


def source_text() -> None:
    """Identify code by its lines in the file, as joblib does."""

    def form(code: CodeType, *_: object, **__: object) -> bytes:
        lines = linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]
        last = max(end for _, end, _, _ in code.co_positions() if end is not None)
        return "".join(lines[: last - code.co_firstlineno + 1]).encode()

    pieces.code_form = form


def skip_helpers() -> None:
    """Follow no function that a function reads."""
    refer = Piece.refer

    def only_values(self: Piece, name: str, thing: Any, **options: Any) -> None:
        if not (name.startswith("global ") and isinstance(bare_function(thing), FunctionType)):
            refer(self, name, thing, **options)

    Piece.refer = only_values  # type: ignore[method-assign]


def skip_closures() -> None:
    """Leave out what a function has from the function around it."""
    pieces._closure = lambda *_, **__: None  # noqa: SLF001


def skip_defaults() -> None:
    """Leave out what parameters are if they are not given."""
    pieces._defaults = lambda *_: None  # noqa: SLF001


def equal_constants() -> None:
    """Take constants that are equal for one: 1, True and 1.0."""
    pieces.constant_identity = lambda value: str(hash(value)).encode()


def first_globals_only() -> None:
    """Read the globals of a function, and not those of what it calls."""
    known = reach._read_global  # noqa: SLF001
    roots: list[object] = []

    def read(piece: Piece, namespace: dict[str, Any], chain: tuple[str, ...], *, doc: bool) -> None:
        roots.append(piece)
        if piece is roots[0] or callable(namespace.get(chain[0])):
            known(piece, namespace, chain, doc=doc)

    reach._read_global = read  # noqa: SLF001
