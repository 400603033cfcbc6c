"""``flowcore why FILE.py[:flow] CELL``: why a cell would run, or would not."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, plain


def main(arguments: Sequence[str]) -> int:
    """Draw a flow and tell what differs between a cell and the older record that is most like it; nothing runs."""
    asked = read_with_file(_parser(), arguments)
    given = asked.given
    why = asked.drawer.draw(given).why(given.cell, store=given.store, seed=given.seed)
    print(document(why.to_dict()) if given.json else plain(str(why)))
    return 0


def _parser() -> Parser:
    parser = Parser(
        "why", "Tell why a cell would run, or would not: what differs from its older record. Nothing runs.",
        add_help=False,
        epilog="for example: flowcore why lands.py 'erode[rate=0.1]' --rates 0.1,0.2",
    )  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    parser.add_argument("cell", metavar="CELL", help="a cell, as erode[rate=0.1], or a node: its first that will run")
    group = parser.add_argument_group("options of the run")
    add_store(group)
    group.add_argument("--seed", metavar="N", help="of all random streams")
    add_json(parser)
    return parser
