"""``flowcore plan FILE.py[:flow]``: what a run would do, node by node, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, add_json, add_selection, add_size, add_store, refreshed
from flowcore.cli.printing import document, plain, table


def main(arguments: Sequence[str]) -> int:
    """Draw a flow and print the plan of a run with these options; nothing runs."""
    asked = read_with_file(_parser(), arguments)
    given = asked.given
    plan = asked.drawer.draw(given).plan(
        *given.only,
        workers=given.workers,
        memory=given.memory,
        store=given.store,
        seed=given.seed,
        refresh=refreshed(given),
    )
    if given.cells is not None:
        cells = plan.cells(given.cells)
        if given.json:
            print(document({"cells": [asdict(cell) for cell in cells]}))
        else:
            print(table([("cell", "verdict"), *((cell.cell, cell.verdict) for cell in cells)]))
    else:
        print(document({"plan": plan.to_dict()}) if given.json else plain(str(plan)))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "plan", "Tell what a run would do: which cells are cached, which will run, and why. Nothing runs.",
        add_help=False,
        epilog="for example: flowcore plan lands.py --rates 0.1,0.2 --cells erode",
    )  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    group = parser.add_argument_group("options of the run")
    add_size(group)
    add_store(group)
    group.add_argument("--seed", metavar="N", help="of all random streams")
    add_selection(group)
    parser.add_argument("--cells", metavar="NODE", help="list the cells of this node instead")
    add_json(parser)
    return parser
