"""The nodes of a run as a report tells them, and what of their cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from flowcore.errors import shorten
from flowcore.inspect.causes.differences import value_told
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.inspect.report.cells import NAME, Cells, labels_of
from flowcore.inspect.report.grounds import grounds, run_before

_LABELS: Final = 12_000  # of all nodes, that are written out
_LISTED: Final = 200_000  # cells of a run whose states are asked for one by one
_ARGUMENTS: Final = 24
_DETAILED: Final = 1500  # nodes that are told in full


def shown_nodes(recorded: Recorded) -> dict[int, int]:
    """Give the place on the page of each node that a user knows of."""
    numbers = [number for number, info in recorded.nodes.items() if info.kind != "expand"]
    return {number: place for place, number in enumerate(numbers)}


def nodes_facts(
    recorded: Recorded, cells: Cells, states: Mapping[str, Mapping[str, int]], shares: Mapping[int, tuple[float, float]]
) -> list[dict[str, Any]]:
    """Tell of all nodes.

    Parameters
    ----------
    recorded : Recorded
    cells : Cells
        Tells of cells.
    states : mapping of str to mapping
        How many cells of each node, by name, are in which state.
    shares : mapping of int to (float, float)
        The median and the longest seconds of each node's cells, by number.
    """
    places = shown_nodes(recorded)
    before = run_before(recorded)
    room = _LABELS
    told: list[dict[str, Any]] = []
    for number, place in places.items():
        info = recorded.nodes[number]
        facts: dict[str, Any] = {
            "name": shorten(info.name, NAME), "kind": info.kind, "task": info.task, "runner": info.runner,
            "axes": [shorten(axis, 80) for axis in info.axes], "group": list(info.group), "site": info.site,
            "states": dict(states.get(info.name, {})), "seconds": recorded.ledgers[number].seconds,
        }  # fmt: skip
        if number in shares:
            facts["median"], facts["longest"] = shares[number]
        if place < _DETAILED:
            facts |= _detail(recorded, number, places)
            facts["reason"], facts["diff"] = grounds(recorded, before, number)
            facts["cells"] = cells.of(number, _states(recorded, number))
            labels = labels_of(recorded, number, room)
            if labels is not None:
                room -= sum(map(len, labels))
                facts["labels"] = labels
        told.append(facts)
    return told


def _detail(recorded: Recorded, number: int, places: Mapping[int, int]) -> dict[str, Any]:
    arguments = list(_arguments(recorded, number, places))
    return {
        "arguments": arguments[:_ARGUMENTS], "more_arguments": max(0, len(arguments) - _ARGUMENTS),
        "after": [places[n] for n in recorded.nodes[number].after if n in places],
    }  # fmt: skip


def _arguments(recorded: Recorded, number: int, places: Mapping[int, int]) -> Iterator[list[object]]:
    """Yield name, what was given, and the place of the node that gave it, or None."""
    info, ledger = recorded.nodes[number], recorded.ledgers[number]
    fed = {name for name, _ in info.sources}
    for name, source in info.sources:
        over = info.over.get(source, ())
        gathered = f", gathered over {', '.join(over)}" if over else ""
        giver = _shown(recorded, source)
        told = recorded.nodes[giver].name if giver in recorded.nodes else f"node {giver}"  # what told of it may be lost
        yield [shorten(name, 80), f"{shorten(told, 120)}{gathered}", places.get(giver)]
    for name, component in ledger.common.items():
        if name.startswith("argument ") and (plain := name.removeprefix("argument ")) not in fed:
            yield [shorten(plain, 80), shorten(value_told(component, ledger.sketches), NAME), None]
    for name in ledger.own:
        if name not in fed:
            lengths = {axis.name: len(axis.labels) for axis in ledger.axes if axis.labels is not None}
            yield [shorten(name, 80), f"one of {lengths[name]}" if name in lengths else "one for each cell", None]


def _shown(recorded: Recorded, number: int) -> int:
    """Give a node that is shown: an expansion stands for what it expands."""
    info = recorded.nodes.get(number)
    while info is not None and info.kind == "expand" and info.sources:
        number = info.sources[0][1]
        info = recorded.nodes.get(number)
    return number


def _states(recorded: Recorded, number: int) -> dict[int, str]:
    """Give the state of each cell that came to something; of the first ones, where they are very many."""
    known = recorded.ledgers[number].index()
    some = list(known) if len(known) <= _LISTED else [n for n in range(_LISTED) if n in known]
    return {n: recorded.state(number, n) for n in some}
