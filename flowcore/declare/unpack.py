"""How many names an unpacking assignment wants: read from the caller's own instruction.

``a, b = task()`` calls ``__iter__`` without saying how many values it wants, and
complains about the wrong number in words that name no node. The instruction that
called us knows.
"""

from __future__ import annotations

import dis
import sys

from flowcore.declare.site import user_site
from flowcore.errors import WiringMismatch

_UNPACK = dis.opmap["UNPACK_SEQUENCE"]
_EXTENDED = dis.opmap["EXTENDED_ARG"]


def unpacked() -> int | None:
    """Give the number of targets if the caller's caller is unpacking, else None.

    ``a, *b = x`` takes what comes, and so counts as None.
    """
    frame = sys._getframe(2)
    code, place = frame.f_code.co_code, frame.f_lasti
    if place < 0 or code[place] != _UNPACK:
        return None
    count, step = code[place + 1], 8
    while place >= 2 and code[place - 2] == _EXTENDED:
        place -= 2
        count |= code[place + 1] << step
        step += 8
    return count


def wrong_count(node: str, *, drawn: str, found: int, wanted: int) -> WiringMismatch:
    """Make the error for an unpacking into the wrong number of names."""
    return WiringMismatch(
        node="", parameter="The assignment", found=f"{found} by {node}", expected=f"{wanted} values", at=user_site(),
        drawn=drawn, remedy=f"Unpack into {found} names, or mend the return annotation of {node}.",
    )  # fmt: skip
