"""What the boxes of a picture say: of each node its name, its cells, how far they are and how long they took.

Owns the reading of a graph's attributes (`network.py`, `run_network.py`) for pictures, and
the size of each box. Draws nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowcore.dataclass import dataclass
from flowcore.inspect.pictures.lettering import fitted, plain, width
from flowcore.inspect.pictures.palette import GREY, KINDS, KINDS_TOLD, STATES, TOLD
from flowcore.inspect.times import duration

NAME, SMALL = 13.0, 11.0  # heights of letters
LINE = 17.0
MARGIN = 13.0
SIGN = 17.0  # a state's sign, and what stands beside it
PIE = 16.0  # the share of the time, and the time
TIMES = " \u00d7 "  # between axes
_MOST = 210.0  # width of a line
_LEAST = 84.0
_SLANT = 9.0  # what the slanting sides of an I/O node take
_TITLE = 400  # characters of a name in what is shown on pointing

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A node as it is drawn.

    Attributes
    ----------
    node : str
        The node's id in the graph.
    name, below : str
        First and second line; the second may be empty.
    states : tuple of (str, str)
        The states of its cells and what stands beside each, the loudest first; none before a run.
    time : str
        How long it took; empty where that is not known.
    share : float
        Of the time of all nodes.
    title : str
        What is shown on pointing at it.
    """

    node: str
    kind: str
    name: str
    below: str
    states: tuple[tuple[str, str], ...]
    time: str
    share: float
    title: str
    stacked: bool
    folded: bool
    width: float
    height: float

    @property
    def colour(self) -> str:
        """That of its loudest state; before a run, of its kind."""
        return STATES.get(self.states[0][0], (GREY, ""))[0] if self.states else KINDS[self.kind]

    def lines(self, name: str) -> list[str]:
        """Give its words under a `name` of any length, for a language that draws by itself."""
        states = (told if told[:1].isalpha() else f"{told} {state}" for state, told in self.states)
        return list(filter(None, (name, self.below, " · ".join(filter(None, (*states, self.time))))))


def box_of(node: str, facts: Facts, *, seconds: float) -> Box:
    """Make the box of a node, in a graph whose nodes took so many `seconds` in all."""
    kind = facts.get("kind", "") if facts.get("kind") in KINDS else "compute"
    whole = str(facts.get("name", node))
    short = whole.removeprefix(f"{group[-1]}/") if (group := facts.get("group")) else whole  # the frame says it
    name = fitted(f"{short}{' …' if facts.get('folded') else ''}", NAME, _MOST, bold=True)
    below = fitted(_size(facts), SMALL, _MOST)
    states = tuple(_states(facts))
    took = facts.get("seconds")
    time = duration(took) if took is not None and any(state == "done" for state, _ in states) else ""
    third = sum(SIGN + width(told, SMALL) + 8 for _, told in states) + (PIE + width(time, SMALL) + 6 if time else 0)
    widest = max(width(name, NAME, bold=True), width(below, SMALL), third, _LEAST - 2 * MARGIN)
    stacked = bool(facts.get("axes") or facts.get("folded"))
    lines = 1 + bool(below) + bool(states)
    return Box(
        node=node, kind=kind, name=name, below=below, states=states, time=time,
        share=took / seconds if took and seconds else 0.0, title=_title(node, facts), stacked=stacked,
        folded=bool(facts.get("folded")),
        width=round(widest + 2 * (MARGIN + (_SLANT if kind != "compute" else 0))), height=LINE * lines + 15,
    )  # fmt: skip


def _size(facts: Facts) -> str:
    """Say how many cells there are, and along which axes."""
    axes = facts.get("axes") or []
    cells, nodes = facts.get("cells"), facts.get("folded")
    if nodes:
        return f"{nodes:,} nodes" + (f" · {cells:,} cells" if cells not in (None, nodes) else "")
    if not axes:
        return ""
    told = f"{cells:,} cell{'' if cells == 1 else 's'}" if cells is not None else "? cells"
    return f"{told} · {TIMES.join(map(str, axes))}"


def _states(facts: Facts) -> list[tuple[str, str]]:
    found = {state: number for state, number in (facts.get("states") or {}).items() if number}
    single = sum(found.values()) == 1 and not facts.get("folded")
    ordered = [state for state in STATES if state in found] + [state for state in found if state not in STATES]
    return [(state, TOLD.get(str(state), str(state)) if single else f"{found[state]:,}") for state in ordered]


def _title(node: str, facts: Facts) -> str:
    """Give what is shown on pointing at a node: a fact a line."""
    lines = [plain(str(facts.get("name", node)), _TITLE)]
    kind, task = KINDS_TOLD.get(str(facts.get("kind")), str(facts.get("kind"))), facts.get("task")
    lines.append(kind + (f": {plain(str(task), 120)}" if task else ""))
    if size := _size(facts):
        lines.append(plain(size, 200))
    for state, number in (facts.get("states") or {}).items():
        lines.append(f"{number:,} {TOLD.get(state, state)}")
    if facts.get("seconds"):
        lines.append(f"{duration(facts['seconds'])} in its function")
    if facts.get("site"):
        lines.append(plain(str(facts["site"]), 200))
    return "\n".join(lines)
