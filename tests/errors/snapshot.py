"""Errors as text, and their comparison with what was looked at and kept.

``FLOWCORE_REWRITE=1 pytest tests/errors`` writes the snapshots anew; read the
difference before you keep it.
"""

from __future__ import annotations

import dataclasses
import linecache
import os
import re
from pathlib import Path

from flowcore.errors import FlowcoreError

HERE = Path(__file__).parent / "snapshots"
REWRITE = "FLOWCORE_REWRITE"
_SITE = re.compile(r"(?P<file>[\w./-]*/(?P<name>[\w-]+\.py)):(?P<line>\d+)")
_FRAME = re.compile(r'File "(?P<file>[\w./-]*/(?P<name>[\w-]+\.py))", line (?P<line>\d+)')
_UNSTEADY = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{16}"), "RUN"),
    (re.compile(r"peak memory was \d+ MiB( of the \d+ MiB there are)?"), "peak memory was N MiB of M"),
    (re.compile(r"(0x)[0-9a-f]{6,}"), "0xADDRESS"),
    (re.compile(r"uid \d+|user \d+"), "user N"),
    (re.compile(r"(peak|limit) = \d+"), r"\1 = N"),
    (re.compile(r"age = [\d.e-]+"), "age = N"),
    (re.compile(r"\d+ s ago"), "N s ago"),
    (re.compile(r"(?<=/corrupt/)[0-9a-f]{64}\.[0-9a-f]{32}"), "NAME"),
)


def steady(text: str, *places: Path) -> str:
    """Give `text` without what differs between two machines or two edits of this file.

    A line of a file is told by its source, so a snapshot holds that the place is right.
    """

    def named(match: re.Match[str]) -> str:
        source = linecache.getline(match["file"], int(match["line"])).split("#")[0].strip()
        source = re.sub(r'^(?:"\w+": .*? )?lambda: (.*?),?$', r"\1", source)  # an entry of a table of scenes
        return f"{match['name']}:«{source}»"

    for place in places:
        text = text.replace(str(place), "<here>")
    text = _FRAME.sub(lambda m: f"File {named(m)}", _SITE.sub(named, text))
    for pattern, told in _UNSTEADY:
        text = pattern.sub(told, text)
    return text


def told(error: BaseException, *places: Path) -> str:
    """Give all that an error says: its kinds, its text, its fields; of a group, each member's."""
    if isinstance(error, BaseExceptionGroup):
        parts = [f"{type(error).__name__}: {steady(error.message, *places)}"]
        return "\n\n".join([*parts, *(told(e, *places) for e in error.exceptions)])
    kinds = " > ".join(kind.__name__ for kind in type(error).__mro__[:-2])
    lines = [kinds, "", steady(str(error), *places), ""]
    if isinstance(error, FlowcoreError):
        names = [field.name for field in dataclasses.fields(error) if field.name not in ("summary", "failures")]
        lines += [steady(f"{name} = {getattr(error, name)!r}", *places) for name in names]
    return "\n".join(lines).rstrip()


def compare(name: str, found: str) -> None:
    """Compare with the snapshot of that name, or write it if told to."""
    path = HERE / f"{name}.txt"
    if os.environ.get(REWRITE):
        path.write_text(found + "\n", encoding="utf-8")
    expected = path.read_text(encoding="utf-8") if path.exists() else f"no snapshot: {REWRITE}=1 writes it\n"

    assert expected == found + "\n"
