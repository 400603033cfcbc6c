"""Flows, runs and grids as small tables of HTML, for notebooks.

Owns: :func:`table` and everything between ``<table`` and what a cell of it says.
Promises: all text is escaped and short; colours are those of the page, light or dark;
nothing is loaded from anywhere, and no script is in it (contract S6).
Never: reads more values of a grid than it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from flowcore.declare.node import Axis, Node
from flowcore.errors import FlowcoreError, shorten
from flowcore.inspect.networks.network import cell_count

if TYPE_CHECKING:
    from flowcore.run.books import Counts

_ROWS = 40  # of a flow's or a run's table
_VALUES = 10  # of a grid's, along its first axis; along the second
_ACROSS = 8
_TEXT = 80  # characters of a cell

_LINE = "1px solid rgba(128,128,128,.35)"
_CELL = "padding:2px 10px 2px 0;text-align:{side};vertical-align:top;border:0;background:none;color:inherit"
_COLOURS = {"failed": "#d9534f", "done": "#3c9a5f", "running": "#3a8fb7", "interrupted": "#c28a1a"}

Part = str | int | None


def table(title: str, headings: Sequence[str], rows: Sequence[Sequence[Part]], *, more: str = "") -> str:
    """Give a table.

    Parameters
    ----------
    title : str
        HTML, as made by :func:`heading`.
    headings : sequence of str
        A leading ``>`` puts a column's cells to the right.
    rows : sequence
        Text, escaped here; None is a dash.
    more : str
        What stands below, as text.

    Examples
    --------
    >>> "&lt;b&gt;" in table("", ["name"], [["<b>"]])
    True
    """
    sides = ["right" if word.startswith(">") else "left" for word in headings]
    head = "".join(
        f'<th style="{_CELL.format(side=side)};border-bottom:{_LINE};opacity:.7;font-weight:normal">'
        f"{escaped(word.removeprefix('>'))}</th>"
        for word, side in zip(headings, sides, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row, sides))}</tr>" for row in rows)
    below = f'<div style="opacity:.7">{escaped(more)}</div>' if more else ""
    inside = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>" if rows else ""
    style = "border-collapse:collapse;margin:4px 0;font-variant-numeric:tabular-nums;background:none"
    return (
        f'<div style="color:inherit;font-size:90%;line-height:1.4">{title}'
        + (f'<table style="{style}">{inside}</table>' if inside else "")
        + f"{below}</div>"
    )


def heading(name: str, *notes: str, state: str = "") -> str:
    """Give the line above a table: a name, its state, notes."""
    colour = _COLOURS.get(state, "inherit")
    told = f' <span style="color:{colour};font-weight:bold">{escaped(state)}</span>' if state else ""
    rest = "".join(f' <span style="opacity:.7">{escaped(note)}</span>' for note in notes if note)
    return f"<div><strong>{escaped(name)}</strong>{told}{rest}</div>"


def escaped(text: str, limit: int = _TEXT) -> str:
    """Give text as HTML, on one line, without control characters."""
    import html  # its table of entities takes 2 ms, and only what is shown needs it

    return html.escape(shorten(text, limit))


def flow_html(name: str, nodes: Sequence[Node], picture: str = "") -> str:
    """Give a flow's nodes: kind, axes, cells, and what each needs; below a picture, folded up.

    Parameters
    ----------
    picture : str
        An SVG, which stands here as it is.
    """
    shown = [node for node in nodes if node.kind != "expand"]
    rows: list[list[Part]] = [
        [
            node.name, "I/O" if node.kind == "io" else node.kind, " x ".join(map(_axis, node.axes)),
            cell_count(node.axes) if cell_count(node.axes) is not None else "?", _needs(node),
        ]
        for node in shown[:_ROWS]
    ]  # fmt: skip
    counted = [cell_count(node.axes) for node in shown]
    known = sum(count or 0 for count in counted)
    more = f"and {len(shown) - _ROWS} more nodes" if len(shown) > _ROWS else ""
    note = f"{_plural(len(shown), 'node')}, {_plural(known, 'cell')}{' or more' if None in counted else ''}"
    headings = ["node", "kind", "axes", ">cells", "needs"]
    if not picture:
        return table(heading(name, note), headings, rows, more=more)
    folded = f'<details style="opacity:.9"><summary>nodes</summary>{table("", headings, rows, more=more)}</details>'
    return f'<div style="color:inherit">{heading(name, note)}{picture}{folded}</div>'


def run_html(
    *, run: str, flow: str, status: str, seconds: float, counts: Sequence[tuple[str, int | None, Counts]],
    failures: Sequence[str],
) -> str:  # fmt: skip
    """Give what a run did, a row a node, and its first failures.

    Parameters
    ----------
    counts : sequence of (name, cells, Counts)
        For each node; cells is None where the number is not known.
    failures : sequence of str
        All of them, a line each; a few are shown.
    """
    extra = [name for name in ("failed", "skipped") if any(getattr(c, name) for _, _, c in counts)]
    rows: list[list[Part]] = [
        [name, cells if cells is not None else "?", *(n or None for n in (c.done, c.hit, c.started))]
        + [getattr(c, word) or None for word in extra]
        for name, cells, c in counts[:_ROWS]
    ]
    more = [f"and {len(counts) - _ROWS} more nodes"] if len(counts) > _ROWS else []
    title = heading(flow, f"in {seconds:.2f} s", f"run {run}", state=status)
    told = "".join(f'<div style="color:{_COLOURS["failed"]}">{escaped(line, 200)}</div>' for line in failures[:3])
    if len(failures) > 3:
        more.append(f"{len(failures) - 3} more failures: see run.failures")
    headings = ["node", ">cells", ">ran", ">cached", ">running", *(f">{word}" for word in extra)]
    return table(title + told, headings, rows, more="; ".join(more))


def grid_html(
    name: str, labels: Mapping[str, Sequence[object]], cells: Mapping[tuple[object, ...], bool],
    read: Callable[[tuple[object, ...]], object],
) -> str:  # fmt: skip
    """Give the first values of a grid, two axes as rows and columns.

    Parameters
    ----------
    name : str
    labels : mapping of str to sequence
        Labels along each axis.
    cells : mapping of tuple to bool
        Label of each cell, row-major, to whether it has a value.
    read : callable
        Gives the value at a label.
    """
    missing = sum(not present for present in cells.values())
    shape = " x ".join(f"{axis}: {len(known)}" for axis, known in labels.items())
    title = heading(name, shape, f"{missing} without value" if missing else "")

    def told(label: tuple[object, ...]) -> str | None:
        return value_told(read, label) if cells.get(label) else None

    axes = list(labels)
    if len(axes) == 2 and len(cells) == len(labels[axes[0]]) * len(labels[axes[1]]):
        down, across = labels[axes[0]], labels[axes[1]]
        cut = [f"{axis}: {len(known)}" for axis, known, most in
               ((axes[0], down, _VALUES), (axes[1], across, _ACROSS)) if len(known) > most]  # fmt: skip
        rows: list[list[Part]] = [[_label(d), *(told((d, a)) for a in across[:_ACROSS])] for d in down[:_VALUES]]
        headings = [f"{axes[0]} \\ {axes[1]}", *(f">{_label(a)}" for a in across[:_ACROSS])]
        return table(title, headings, rows, more=f"only the first of {' and '.join(cut)}" if cut else "")
    rows = [[*map(_label, label), told(label)] for label in list(cells)[:_VALUES]]
    more = f"and {len(cells) - _VALUES} more cells" if len(cells) > _VALUES else ""
    return table(title, [*axes, ">value"], rows, more=more)


def value_told(read: Callable[[tuple[object, ...]], object], label: tuple[object, ...]) -> str:
    """Tell a value in a few characters: a scalar as it is, an array by dtype and shape."""
    try:
        value = read(label)
    except FlowcoreError as error:
        return f"({type(error).__name__})"
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if isinstance(shape, tuple) and dtype is not None:
        return shorten(str(value), 24) if shape == () else f"{dtype} {shape}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if value is None or isinstance(value, bool | int | str | complex):
        return shorten(repr(value), 24)
    try:
        return f"{type(value).__name__} of {len(value)}"  # type: ignore[arg-type]
    except TypeError:
        return type(value).__name__


def _cell(part: Part, side: str) -> str:
    text = '<span style="opacity:.4">-</span>' if part is None else escaped(str(part))
    return f'<td style="{_CELL.format(side=side)}">{text}</td>'


def _axis(axis: Axis) -> str:
    return f"{axis.name}: {len(axis.labels) if axis.labels is not None else '?'}"


def _label(label: object) -> str:
    return label if isinstance(label, str) else str(label)


def _needs(node: Node) -> str:
    names: dict[str, None] = {}
    for source in (*(source for _, source in node.sources()), *node.after):
        while source.kind == "expand":
            source = next(inner for _, inner in source.sources())
        names[source.name] = None
    return ", ".join(names)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
