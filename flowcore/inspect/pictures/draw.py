"""Flows and runs as pictures: scalable vector graphics (SVG), made without any other program.

Owns the markup. A node is a box whose shape tells its kind: compute nodes have straight
sides, I/O slanting ones, choices pointed ends; grids look like a pile of sheets. In a run
its colour and signs tell the states of its cells, and a small clock face its share of the
time. Promises that all text is escaped and short (contract S6), that a picture loads
nothing and runs no script, and that the same graph gives the same text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from math import cos, pi, sin
from typing import TYPE_CHECKING, Any

from flowcore.inspect.pictures.boxes import LINE, MARGIN, NAME, PIE, SIGN, SMALL, Box, box_of
from flowcore.inspect.pictures.folding import MANY, folded
from flowcore.inspect.pictures.layout import Layout, layout
from flowcore.inspect.pictures.lettering import fitted, plain, width
from flowcore.inspect.pictures.palette import DARK_SIGNS, GREY, KINDS, KINDS_TOLD, STATES, STYLE, TOLD
from flowcore.inspect.pictures.parts import Block, Place, Point

if TYPE_CHECKING:
    import networkx as nx

_EDGE = 22.0  # of white around all
_HEAD = 26.0  # above, with the title in it
_FOOT = 34.0  # below, with the legend in it
_TIP = 6.0  # length of an arrow's tip
_SLANT = 9.0
_SHEETS = (6.0, 3.0)  # how far the sheets below a grid's stick out


def picture(graph: nx.DiGraph[str], *, title: str | None = None, legend: bool = True, many: int = MANY) -> str:
    """Draw a graph as SVG.

    Parameters
    ----------
    graph : networkx.DiGraph
        As `Flow.graph` or `Run.graph` gives it.
    title : str, optional
        What stands above; by default the graph's name. An empty one is left out.
    legend : bool
        Whether what shapes and colours mean is told below.
    many : int
        So many nodes that are alike, or more, are drawn as one; see `folding.py`.

    Returns
    -------
    str
        An ``<svg>`` element. Each node is a ``<g class="fc-node" data-node="NAME">``, each
        edge a ``<path class="fc-edge" data-from=... data-to=...>``.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def half(x: float) -> float:
    ...     return x / 2
    >>> with fc.Flow("halves") as flow:
    ...     flow.result = half(half(4.0))
    >>> picture(flow.graph).count("fc-node")
    2
    """
    graph = folded(graph, many)
    total = sum(facts.get("seconds") or 0.0 for facts in graph.nodes.values())
    boxes = [box_of(node, facts, seconds=total) for node, facts in graph.nodes.items()]
    number = {box.node: i for i, box in enumerate(boxes)}
    blocks = [
        Block(width=box.width, height=box.height, group=tuple(map(str, facts.get("group") or ())))
        for box, facts in zip(boxes, graph.nodes.values(), strict=True)
    ]
    placed = layout(blocks, [(number[a], number[b]) for a, b in graph.edges])
    told = plain(str(graph.graph.get("name", "")) if title is None else title, 120)
    keys = list(_legend(boxes)) if legend else []
    return "".join(_svg(graph, boxes, placed, told, keys))


def _svg(
    graph: nx.DiGraph[str], boxes: Sequence[Box], placed: Layout, title: str, keys: Sequence[tuple[float, str]]
) -> Iterator[str]:
    head = _EDGE + (_HEAD if title else 0.0)
    wide = max(placed.width, width(title, NAME, bold=True), min(sum(w for w, _ in keys), 640.0)) + 2 * _EDGE
    rows = list(_rows(keys, wide - 2 * _EDGE))
    high = head + placed.height + _EDGE + (_FOOT * bool(rows) + 20.0 * max(0, len(rows) - 1))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="fc-picture" role="img" viewBox="0 0 {_n(wide)} {_n(high)}" '
        f'width="{_n(wide)}" height="{_n(high)}"><style>{STYLE}</style><title>{_text(title or "flow")}</title>'
        f'<rect width="100%" height="100%" rx="8" style="fill:var(--fc-paper)"/>'
    )
    if title:
        yield f'<text class="fc-name" x="{_n(_EDGE)}" y="{_n(_EDGE + 8)}">{_text(title)}</text>'
    yield f'<g transform="translate({_n((wide - placed.width) / 2)} {_n(head)})">'
    yield from (_frame(place) for _, place in placed.frames)
    names = [box.node for box in boxes]
    for (source, target), points in placed.routes.items():
        yield _edge(names[source], names[target], points, graph.edges[names[source], names[target]])
    many = {tuple(map(str, facts.get("group") or ())) for facts in graph.nodes.values() if facts.get("folded")}
    yield from (_caption(path[-1] + " …" * (path in many), place) for path, place in placed.frames)
    yield from (_box(box, place) for box, place in zip(boxes, placed.boxes, strict=True))
    yield "</g>"
    for i, row in enumerate(rows):
        yield f'<g transform="translate({_n(_EDGE)} {_n(head + placed.height + _EDGE + 14 + 20 * i)})">{row}</g>'
    yield "</svg>"


def _box(box: Box, place: Place) -> str:
    colour = box.colour
    shape = _shape(box.kind, place.width, place.height)
    sheets = "".join(
        f'<path class="fc-sheet" d="{shape}" stroke="{colour}" transform="translate({_n(s)} {_n(s)})" opacity=".6"/>'
        for s in (_SHEETS if box.stacked else ())
    )
    inset = MARGIN + (_SLANT if box.kind != "compute" else 0)
    lines = [f'<text class="fc-name" x="{_n(inset)}" y="22">{_text(box.name)}</text>']
    y = 22.0
    if box.below:
        y += LINE
        lines.append(f'<text class="fc-soft" x="{_n(inset)}" y="{_n(y)}">{_text(box.below)}</text>')
    if box.states:
        lines.append(_states(box, inset, y + LINE, place.width))
    return (
        f'<g class="fc-node" data-node="{_text(box.node, 1000)}" data-kind="{box.kind}" '
        f'transform="translate({_n(place.left)} {_n(place.top)})"><title>{_lines(box.title)}</title>{sheets}'
        f'<path class="fc-sheet" d="{shape}" stroke="{colour}"/><path class="fc-tint" d="{shape}" fill="{colour}"/>'
        f"{''.join(lines)}</g>"
    )


def _states(box: Box, x: float, y: float, wide: float) -> str:
    """Draw the line of a box that tells states and time."""
    parts, right = [], wide - x
    for state, told in box.states:
        parts.append(_sign(state, x + 6, y - 4))
        parts.append(f'<text x="{_n(x + SIGN)}" y="{_n(y)}">{_text(told)}</text>')
        x += SIGN + width(told, SMALL) + 8
    if box.time:
        parts.append(f'<text class="fc-soft" x="{_n(right)}" y="{_n(y)}" text-anchor="end">{_text(box.time)}</text>')
        parts.append(_clock(box.share, right - width(box.time, SMALL) - PIE + 6, y - 4))
    return "".join(parts)


def _sign(state: str, x: float, y: float) -> str:
    """Draw the sign of a state."""
    colour, path = STATES.get(state, (GREY, ""))
    dark = " fc-dark" if state in DARK_SIGNS else ""
    return (
        f'<g transform="translate({_n(x)} {_n(y)})"><circle r="6.5" fill="{colour}"/>'
        f'<path class="fc-sign{dark}" d="{path}"/></g>'
    )


def _clock(share: float, x: float, y: float) -> str:
    """Draw a clock face that is filled by a share."""
    share = min(max(share, 0.0), 1.0)
    ring = f'<circle class="fc-pie" cx="{_n(x)}" cy="{_n(y)}" r="5.5"/>'
    if share > 0.995:
        return ring + f'<circle class="fc-slice" cx="{_n(x)}" cy="{_n(y)}" r="5.5"/>'
    if share < 0.005:
        return ring
    end = (x + 5.5 * sin(2 * pi * share), y - 5.5 * cos(2 * pi * share))
    return ring + (
        f'<path class="fc-slice" d="M{_n(x)} {_n(y)}V{_n(y - 5.5)}A5.5 5.5 0 {int(share > 0.5)} 1 '
        f'{_n(end[0])} {_n(end[1])}Z"/>'
    )


def _shape(kind: str, w: float, h: float) -> str:
    """Give the outline of a box of this kind."""
    if kind == "io":
        return f"M{_n(_SLANT)} 0H{_n(w)}L{_n(w - _SLANT)} {_n(h)}H0Z"
    if kind == "choose":
        cut, half = _n(1.4 * _SLANT), _n(h / 2)
        return f"M{cut} 0H{_n(w - 1.4 * _SLANT)}L{_n(w)} {half}L{_n(w - 1.4 * _SLANT)} {_n(h)}H{cut}L0 {half}Z"
    r = h / 2 if kind == "item" else 5.0
    return (
        f"M{_n(r)} 0H{_n(w - r)}A{_n(r)} {_n(r)} 0 0 1 {_n(w)} {_n(r)}V{_n(h - r)}A{_n(r)} {_n(r)} 0 0 1 {_n(w - r)} "
        f"{_n(h)}H{_n(r)}A{_n(r)} {_n(r)} 0 0 1 0 {_n(h - r)}V{_n(r)}A{_n(r)} {_n(r)} 0 0 1 {_n(r)} 0Z"
    )


def _edge(source: str, target: str, points: Sequence[Point], facts: Any) -> str:
    """Draw a line: straight down, or in a curve that leaves and arrives upright."""
    parameters = ", ".join(map(str, facts.get("parameters") or ()))
    after = bool(facts.get("after"))
    told = f"{plain(source, 120)} → {plain(target, 120)}" + (f": {plain(parameters, 120)}" if parameters else "")
    x, y = points[-1]
    tip = f'<path class="fc-tip" d="M{_n(x)} {_n(y)}l-3.6 {_n(-_TIP - 1)}h7.2z"/>'
    return (
        f"<g><title>{_text(told + (' (order only)' if after else ''), 400)}</title>"
        f'<path class="fc-edge{" fc-after" if after and not parameters else ""}" data-from="{_text(source, 1000)}" '
        f'data-to="{_text(target, 1000)}" d="{"".join(_curve(points))}"/>{tip}</g>'
    )


def _curve(points: Sequence[Point]) -> Iterator[str]:
    yield f"M{_n(points[0][0])} {_n(points[0][1])}"
    ends = [*points[1:-1], (points[-1][0], points[-1][1] - _TIP)]
    for (a, b), (x, y) in zip(points, ends, strict=False):
        if abs(a - x) < 0.5:
            yield f"L{_n(x)} {_n(y)}"
        else:
            half = (y - b) * 0.5
            yield f"C{_n(a)} {_n(b + half)} {_n(x)} {_n(y - half)} {_n(x)} {_n(y)}"


def _frame(place: Place) -> str:
    return (
        f'<rect class="fc-frame" x="{_n(place.left)}" y="{_n(place.top)}" width="{_n(place.width)}" '
        f'height="{_n(place.height)}" rx="9"/>'
    )


def _caption(name: str, place: Place) -> str:
    """Write the name of a group, over the lines that come into its frame."""
    told = fitted(name, SMALL, place.width - 24)
    return (
        f'<text class="fc-soft fc-caption" x="{_n(place.left + 12)}" y="{_n(place.top + 16)}">{_text(told)}'
        f"<title>{_lines(plain(name, 400))}</title></text>"
    )


def _legend(boxes: Sequence[Box]) -> Iterator[tuple[float, str]]:
    """Give width and markup of each thing that is told below a picture: what is in it, and no more."""
    kinds = {box.kind for box in boxes}
    states = {state for box in boxes for state, _ in box.states}
    for kind, told in KINDS_TOLD.items():
        if kind in kinds:
            colour = GREY if states else KINDS[kind]
            shape = _shape(kind, 24.0 + 4 * (kind == "io"), 12.0)
            yield _key(f'<path class="fc-sheet" d="{shape}" stroke="{colour}" transform="translate(0 -10)"/>', 34, told)
    if any(box.stacked for box in boxes):
        shape = _shape("compute", 20.0, 11.0)
        sheets = "".join(
            f'<path class="fc-sheet" d="{shape}" stroke="{GREY}" transform="translate({out} {out - 11})"/>'
            for out in (4, 2, 0)
        )
        yield _key(sheets, 32, "grid of cells, or nodes alike" if any(box.folded for box in boxes) else "grid of cells")
    for state in STATES:
        if state in states:
            yield _key(_sign(state, 7, -4), 18, TOLD.get(state, state))
    if any(box.time for box in boxes):
        yield _key(_clock(0.3, 7, -4), 18, "share of the time")


def _key(drawn: str, room: float, told: str) -> tuple[float, str]:
    return room + width(told, SMALL) + 20, f'{drawn}<text class="fc-soft" x="{_n(room)}" y="0">{_text(told)}</text>'


def _rows(keys: Iterable[tuple[float, str]], wide: float) -> Iterator[str]:
    """Put the legend into rows."""
    row, left = list[str](), 0.0
    for room, drawn in keys:
        if row and left + room > wide + 20:
            yield "".join(row)
            row, left = [], 0.0
        row.append(f'<g transform="translate({_n(left)} 0)">{drawn}</g>')
        left += room
    if row:
        yield "".join(row)


def _text(text: str, limit: int = 400) -> str:
    return escape(plain(text, limit))


def _lines(text: str) -> str:
    return "\n".join(escape(plain(line, 400)) for line in text.splitlines())


def _n(number: float) -> str:
    """Give a coordinate with one digit behind the point, or none."""
    return f"{number:.1f}".removesuffix(".0") if round(number, 1) else "0"
