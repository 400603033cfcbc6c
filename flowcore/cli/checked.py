"""What one look at the machine came to. Knows nothing of where it was looked.

Promises three grades: `OK`; `NOTE`, where runs go well and might go better; and `FAIL`,
where runs break, or keep nothing.
"""

from __future__ import annotations

from typing import Final, Literal

from flowcore.dataclass import dataclass

Grade = Literal["ok", "note", "fail"]
OK: Final = "ok"
NOTE: Final = "note"
FAIL: Final = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What was looked at, what was found, and what to do about it.

    Attributes
    ----------
    name : str
        Of what was looked at.
    found : str
        In one line.
    grade : str
        "ok", "note" or "fail".
    advice : str
        What to do, or what to know; empty where all is well.
    """

    name: str
    found: str
    grade: Grade = OK
    advice: str = ""


def judged(name: str, found: str, *, unless: bool, grade: Grade, advice: str) -> Check:
    """Give a check that is well `unless` something is the case; advice is for that case.

    Examples
    --------
    >>> judged("memory", "0.1 GiB", unless=True, grade=NOTE, advice="Ask for more.").grade
    'note'
    >>> judged("memory", "64 GiB", unless=False, grade=NOTE, advice="Ask for more.").advice
    ''
    """
    return Check(name=name, found=found, grade=grade, advice=advice) if unless else Check(name=name, found=found)
