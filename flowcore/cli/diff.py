"""``flowcore diff RUN_A RUN_B``: which cells differ between two runs, and by how much."""

from __future__ import annotations

from collections.abc import Sequence

from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, plain
from flowcore.cli.show import opened
from flowcore.comparison import diff
from flowcore.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Compare two runs of a store."""
    parser = Parser("diff", "Tell which cells differ between two runs, and by how much; where they begin to, first.",
                    epilog="for example: flowcore diff last~1 last. Exit code 0 either way.")  # fmt: skip
    parser.add_argument("first", metavar="RUN_A", help='its id, the beginning of it, "last", or "last~1"')
    parser.add_argument("second", metavar="RUN_B", help="likewise")
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = Settings.of(store=given.store).store
    found = diff(opened(given.first, store), opened(given.second, store))
    print(document(found.to_dict()) if given.json else plain(str(found)))
    return 0
