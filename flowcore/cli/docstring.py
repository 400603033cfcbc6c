"""What a docstring says of a function and of its parameters, in the form of numpydoc."""

from __future__ import annotations

import inspect
import re

from flowcore.dataclass import dataclass

_ENTRY = re.compile(r"(?P<names>\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A docstring, taken apart."""

    summary: str  # the first paragraph
    parameters: dict[str, str]  # name to description, each on one line


def described(docstring: str | None) -> Described:
    r"""Take a docstring apart; what is not in the form of numpydoc is passed over.

    Examples
    --------
    >>> text = "Sweep.\n\nParameters\n----------\nrates : list of float\n    One land each.\n"
    >>> described(text)
    Described(summary='Sweep.', parameters={'rates': 'One land each.'})
    """
    lines = inspect.cleandoc(docstring or "").splitlines()
    blank = lines.index("") if "" in lines else len(lines)
    return Described(summary=" ".join(lines[:blank]), parameters=_parameters(_section(lines)))


def _section(lines: list[str]) -> list[str]:
    """Give the lines under ``Parameters``."""
    start = next((i for i in range(1, len(lines)) if _headed(lines, i, "Parameters")), len(lines))
    below = lines[start + 1 :]
    end = next((i - 1 for i in range(1, len(below)) if _headed(below, i)), len(below))
    return below[:end]


def _headed(lines: list[str], i: int, title: str = "") -> bool:
    """Tell whether line `i` underlines a heading, of that title if one is given."""
    above = lines[i - 1].strip()
    return len(lines[i]) > 2 and set(lines[i]) == {"-"} and (above == title if title else bool(above))


def _parameters(section: list[str]) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for line in section:
        entry = _ENTRY.fullmatch(line) if line and not line[0].isspace() else None
        if entry is not None:
            names = [name.strip().lstrip("*") for name in entry["names"].split(",")]
            found.update({name: [] for name in names})
        elif line.strip():
            for name in names:
                found[name].append(line.strip())
    return {name: " ".join(text) for name, text in found.items()}
