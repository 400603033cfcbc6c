"""``flowcore export RUN --format chrome|wfformat|rocrate``: a run for other programs."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flowcore.cli.parser import Parser, Usage, add_json, add_store, choice
from flowcore.cli.printing import document, name
from flowcore.cli.show import opened
from flowcore.cli.writing import written
from flowcore.settings import Settings

FORMATS = {"chrome": ".trace.json", "wfformat": ".wfformat.json", "rocrate": ".crate"}


def main(arguments: Sequence[str]) -> int:
    """Write a run in another program's format, and say where it is."""
    parser = Parser("export", "Write a run for other programs: Perfetto, WfCommons, Workflow Run RO-Crate.",
                    epilog="for example: flowcore export last --format chrome -o run.trace.json")  # fmt: skip
    parser.add_argument("run", metavar="RUN", help='its id, the beginning of it, "last", or "last~1"')
    parser.add_argument(
        "--format", required=True, type=choice(list(FORMATS)), metavar="FORMAT",
        help="chrome (a trace for ui.perfetto.dev), wfformat (WfCommons) or rocrate (a folder)",
    )  # fmt: skip
    parser.add_argument("-o", "--out", metavar="PATH", help="where to write it (default: by run and format)")
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    run = opened(given.run, Settings.of(store=given.store).store)
    path = given.out or f"{run.id}{FORMATS[given.format]}"
    try:
        written(path, lambda: run.export(path, format=given.format))
    except ValueError as nothing:
        raise Usage(f"{name(run.id)} cannot be written as {given.format}: {nothing}.") from None
    whole = os.path.abspath(path)
    told = {"run": run.id, "format": given.format, "path": whole}
    print(document(told) if given.json else f"{name(run.id)} is in {name(whole)}")
    return 0
