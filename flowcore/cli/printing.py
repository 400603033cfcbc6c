"""How verbs print: text for people, with names that cannot steer a terminal, or JSON for programs.

Promises that no control character of a name reaches the terminal (contract S6). What
tasks printed, and values that were asked for, go through here as well.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence

from flowcore.errors import shorten

SCHEMA = 1  # of all JSON that verbs print; docs/command_line.md says what is in it
_WIDEST = 400


def tell(text: str) -> None:
    """Print for people on stderr."""
    print(text, file=sys.stderr)


def name(text: object) -> str:
    """Give a name as one line that is safe to print."""
    return shorten(str(text), _WIDEST)


def plain(text: str) -> str:
    """Give text of several lines without characters that steer a terminal."""
    return "\n".join(
        "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in line) for line in text.split("\n")
    )


def table(rows: Sequence[Sequence[object]], *, right: frozenset[int] = frozenset()) -> str:
    """Lay rows out in columns, names made safe; columns in `right` end together.

    Examples
    --------
    >>> print(table([("name", "cells"), ("slope", 3)], right=frozenset({1})))
    name   cells
    slope      3
    """
    texts = [[name(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    lines = [
        "  ".join(t.rjust(w) if i in right else t.ljust(w) for i, (t, w) in enumerate(zip(row, widths, strict=True)))
        for row in texts
    ]
    return "\n".join(line.rstrip() for line in lines)


def document(facts: Mapping[str, object]) -> str:
    """Give facts as a JSON text, with the number of the schema they follow."""
    whole = {"schema": SCHEMA, **facts}
    try:
        return json.dumps(whole, indent=2, default=_unusual, allow_nan=False)
    except ValueError:  # JSON knows neither infinity nor nan: a label may be one
        return json.dumps(_finite(whole), indent=2, default=_unusual)


def _finite(value: object) -> object:
    """Give numbers that JSON does not know as text."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value if not isinstance(value, float) or math.isfinite(value) else str(value)


def _unusual(value: object) -> object:
    """Give what JSON has no form for as text; arrays and sets as lists."""
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    listed = getattr(value, "tolist", None)
    return listed() if callable(listed) else str(value)


def duration(seconds: float | None) -> str:
    """Give seconds as people say them.

    Examples
    --------
    >>> duration(0.25), duration(75), duration(7300), duration(None)
    ('0.25 s', '1 min 15 s', '2 h 1 min', '?')
    """
    if seconds is None:
        return "?"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
