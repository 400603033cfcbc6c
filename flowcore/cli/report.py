"""``flowcore report RUN [-o run.html]``: a run as one page of HTML, to be opened in any browser."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import document, name
from flowcore.cli.show import opened
from flowcore.cli.writing import written
from flowcore.settings import Settings


def main(arguments: Sequence[str]) -> int:
    """Write the report of a run, and say where it is."""
    parser = Parser("report", "Write a run as one page of HTML: its graph, its timeline, what failed, where time went.",
                    epilog="for example: flowcore report last -o run.html")  # fmt: skip
    parser.add_argument("run", metavar="RUN", help='its id, the beginning of it, "last", or "last~1"')
    parser.add_argument("-o", "--out", metavar="FILE", help="where to write it (default: RUN.html)")
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    run = opened(given.run, Settings.of(store=given.store).store)
    path = given.out or f"{run.id}.html"
    written(path, lambda: run.report(path))
    whole = os.path.abspath(path)
    print(document({"run": run.id, "path": whole}) if given.json else f"{name(run.id)} is in {name(whole)}")
    return 0
