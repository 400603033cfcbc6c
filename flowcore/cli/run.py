"""``flowcore run FILE.py[:flow]``: draw a flow with the parameters given, and run it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import get_args

from flowcore.cli.loading import read_with_file
from flowcore.cli.parser import Parser, add_selection, add_size, add_store, choice, refreshed
from flowcore.cli.printing import plain, tell
from flowcore.errors import RunFailed
from flowcore.run.told.origin import comes_from
from flowcore.settings import OnError

_FAILED, _INTERRUPTED = 1, 3


def main(arguments: Sequence[str]) -> int:
    """Run a flow: progress and failures on stderr, the summary on stdout."""
    asked = read_with_file(run_parser(), arguments)
    given = asked.given
    comes_from(given.source, arguments)
    flow = asked.drawer.draw(given)
    run = flow.start(
        *given.only, workers=given.workers, memory=given.memory, store=given.store, on_error=given.on_error,
        seed=given.seed, executor=given.executor, refresh=refreshed(given), resume=given.resume,
        walltime=given.walltime, progress=False if given.quiet else None,
    )  # fmt: skip
    try:
        run.wait()
    except RunFailed as failed:
        tell(plain(str(failed)))
        print(plain(run.summary()))
        return _FAILED
    except KeyboardInterrupt:
        return _interrupted(arguments)
    print(plain(run.summary()))
    return _interrupted(arguments) if run.status in {"interrupted", "cancelled"} else 0


def _interrupted(arguments: Sequence[str]) -> int:
    sys.stdout.flush()
    tell(f"Go on with: flowcore run {plain(shlex.join(arguments))}")
    return _INTERRUPTED


def run_parser() -> Parser:
    """Give what reads the options of a run."""
    parser = Parser(
        "run", "Draw the flow of a file, with its parameters as options, and run it.", add_help=False,
        epilog="lists are written a,b,c; a list whose parts have commas is written as JSON: '[\"a,b\", \"c\"]'\n"
        "for example: flowcore run lands.py --rates 0.1,0.2 -w 4; exit codes: 0 ok, 1 cells failed, 3 interrupted",
    )  # fmt: skip
    parser.add_argument("source", metavar="FILE.py[:flow]", help="the file, and which of its flows if it has several")
    group = parser.add_argument_group("options of the run")
    add_size(group)
    add_store(group)
    kinds = get_args(OnError)
    group.add_argument(
        "--on-error", type=choice(kinds), metavar=f"{{{','.join(kinds)}}}",
        help="what becomes of the rest when a cell fails",
    )  # fmt: skip
    group.add_argument("--seed", metavar="N", help="of all random streams")
    group.add_argument("--executor", metavar="NAME", help='what runs compute cells: "thread", "inline", a plugin\'s')
    add_selection(group)
    resume = group.add_mutually_exclusive_group()
    resume.add_argument(
        "--adopt", dest="resume", action="store_const", const="adopt",
        help="go on from saved states of interrupted cells although their code or arguments have changed since",
    )  # fmt: skip
    resume.add_argument(
        "--discard", dest="resume", action="store_const", const="discard",
        help="remove saved states of interrupted cells whose code or arguments have changed since",
    )  # fmt: skip
    group.add_argument(
        "--walltime", metavar="TIME", help="stop in time to save all states, such as 2h; Slurm's end is known"
    )
    group.add_argument("-q", "--quiet", action="store_true", help="show no progress")
    return parser
