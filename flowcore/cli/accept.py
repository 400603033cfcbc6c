"""``flowcore accept FILE.py[:flow] CELL --reason TEXT``: keep old results under the keys that cells have now."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, plain


def main(arguments: Sequence[str]) -> int:
    """Draw a flow and let older results of a node or cell answer for it; nothing runs."""
    asked = read_with_file(_parser(), arguments)
    given = asked.given
    accepted = asked.drawer.draw(given).accept(given.cell, reason=given.reason, store=given.store, seed=given.seed)
    print(document(accepted.to_dict()) if given.json else plain(str(accepted)))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "accept", "Keep old results of a node or cell under the keys they have now, and write down why. Nothing runs.",
        add_help=False, epilog="for example: flowcore accept lands.py erode --reason 'log text only'",
    )  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    parser.add_argument("cell", metavar="CELL", help="a node, or a cell, as erode[rate=0.1]")
    parser.add_argument("--reason", metavar="TEXT", required=True, help="why the old results still hold")
    group = parser.add_argument_group("options of the run")
    add_store(group)
    group.add_argument("--seed", metavar="N", help="of all random streams")
    add_json(parser)
    return parser
