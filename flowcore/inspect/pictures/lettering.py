"""Text in pictures: how wide it is, and how it is cut.

Owns a table of widths, so that a box can be made for a text without asking any font.
Promises text on one line, without control or direction characters, at most as wide as
asked for (as an Arial would have it; other fonts differ by some percent).
"""

from __future__ import annotations

from functools import cache
from unicodedata import category, combining, east_asian_width

from flowcore.errors import shorten

_LONGEST = 400  # characters that are looked at; no box is that wide
_NARROW, _WIDE, _ROUND = "iljI.,:;'|!`", "mwMW@%", "ABCDEFGHKNOPQRSTUVXYZ&"
_HELD = {"Cc", "Cf", "Zl", "Zp"}


def plain(text: str, limit: int = 1000) -> str:
    r"""Give text that can stand anywhere: on one line, without control or direction characters.

    Examples
    --------
    >>> plain("a\nb")
    'a\\x0ab'
    """
    return shorten("".join(c for c in text[: 2 * limit] if category(c) not in _HELD or c in "\n\t\r"), limit)


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Give how wide a text is, in the unit of `size`, its height.

    Examples
    --------
    >>> width("mm", 10) > width("ii", 10)
    True
    """
    return sum(map(_wide, text)) * size * (1.07 if bold else 1.0)


def fitted(text: str, size: float, most: float, *, bold: bool = False) -> str:
    """Cut a text so that it is at most so wide.

    Examples
    --------
    >>> fitted("a_name_without_end", 10, 60)
    'a_name_wi…'
    """
    clean = plain(text, _LONGEST)
    if width(clean, size, bold=bold) <= most:
        return clean
    room = most - width("…", size, bold=bold)
    kept = 0
    for c in clean:
        room -= _wide(c) * size * (1.07 if bold else 1.0)
        if room < 0:
            break
        kept += 1
    return clean[:kept] + "…"


@cache
def _wide(character: str) -> float:
    """Give the width of a character of height 1."""
    if combining(character):
        return 0.0
    if character in _NARROW:
        return 0.26
    if character in _WIDE:
        return 0.88
    if character in _ROUND:
        return 0.7
    if character in ' frt()[]{}/\\-"*':
        return 0.34
    return 1.05 if east_asian_width(character) in "WF" else 0.56
