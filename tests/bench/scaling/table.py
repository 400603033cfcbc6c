"""The figures of docs/scaling.md as tables: pure, from the JSON that was written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

Row = dict[str, Any]


def overheads(rows: Sequence[Row]) -> str:
    """Give what a cell costs on each engine."""
    lines = ["| engine | us a cell | of these the driver's CPU | cells a message |", "|---|--:|--:|--:|"]
    for row in rows:
        held = f"{row['cells_a_message']:.3g}" if row["cells_a_message"] else ""
        lines.append(f"| {row['engine']} | {row['wall_us']:.3g} | {row['driver_us']:.3g} | {held} |")
    return "\n".join(lines)


def forecasts(rows: Sequence[Row]) -> str:
    """Give forecasts beside what was measured."""
    lines = ["| engine | workers | graph | forecast, s | measured, s | error |", "|---|--:|---|--:|--:|--:|"]
    lines += [
        f"| {row['engine']} | {row['workers']} | {row['graph']} | {row['forecast']:.2f} | {row['measured']:.2f} "
        f"| {row['error']:+.0%} |"
        for row in rows
    ]
    return "\n".join(lines)


def campaigns(rows: Sequence[Row]) -> str:
    """Give what ten million cells on ten thousand cores come to."""
    head = "| a cell | its array | a message holds | wall time | efficiency | messages a second | driver busy | binds |"
    lines = [head, "|--:|--:|--:|--:|--:|--:|--:|---|"]
    for row in rows:
        array = f"{row['nbytes'] / 1e6:g} MB" if row["nbytes"] else ""
        note = f"; {row['note']}" if row["note"] else ""
        lines.append(
            f"| {row['cell_seconds']:g} s | {array} | {row['message_seconds']:g} s | {row['seconds']:,.0f} s "
            f"| {row['efficiency']:.0%} | {row['messages'] / row['seconds']:,.0f} "
            f"| {row['driver'] / row['seconds']:.0%} | {row['binds']}{note} |"
        )
    return "\n".join(lines)


def footprint(found: dict[str, dict[str, float]]) -> str:
    """Give what a cell leaves."""
    numbers, pairs = found["numbers"], found["arrays"]
    return "\n".join([
        "| a cell gives | memory of the driver | journal | files |", "|---|--:|--:|--:|",
        f"| a number | {numbers['memory']:,.0f} B | {numbers['journal']:.0f} B | {numbers['files']:.0f} |",
        f"| an array | | {pairs['journal'] / 2:.0f} B | {pairs['files'] / 2:.0f} |",
    ])  # fmt: skip


TABLES: dict[str, Callable[[Any], str]] = {
    "overheads": overheads, "forecasts": forecasts, "campaigns": campaigns, "footprint": footprint,
}  # fmt: skip
