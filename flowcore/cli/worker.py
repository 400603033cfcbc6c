"""``flowcore worker``: take messages out of a box, have their cells carried out, answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flowcore.amounts import seconds
from flowcore.cli.parser import Parser, add_store
from flowcore.cli.printing import name, plain, tell
from flowcore.run import proc
from flowcore.run.pilots.box import Box
from flowcore.run.pilots.executor import box_of
from flowcore.run.pilots.pilot import Pilot, Terms
from flowcore.settings import Settings
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK
from flowcore.store.layout import exists

_IDLE = 300.0
_IN_A_STORE = Path(box_of("")).parts[-2:]


def main(arguments: Sequence[str]) -> int:
    """Be a pilot until there is nothing more to do, or it is told to end; say on stderr why it did."""
    given = _parser().read(arguments)
    settings = Settings.of(workers=given.workers, store=given.store, walltime=given.walltime)
    idle = seconds(given.idle, option="--idle") if given.idle is not None else _IDLE
    box = Box.open(_place(given.spool, settings.store))
    terms = Terms(workers=settings.workers, idle=idle, walltime=settings.walltime, label=given.label)
    pilot = Pilot(box, terms)
    proc.on_signals(pilot.signal, "SIGINT", "SIGTERM", "SIGUSR1")
    tell(f"flowcore worker: {terms.workers} cells at once, out of {name(box.path)}")
    ended = pilot.serve()
    tell(f"flowcore worker: it ends, since {plain(ended)}")
    return 1 if pilot.broken else 0


def _place(spool: str | None, store: object) -> str:
    """Give the box: the one named, or that of the store named, or of the store that is configured.

    A folder that is neither box nor store yet is going to be a store: the run that makes it one may come later.
    """
    if spool is not None and (Path(spool).parts[-2:] == _IN_A_STORE or exists(DISK, f"{spool}/jobs")):
        return spool
    return box_of(str(open_store(store if spool is None else spool).root))  # type: ignore[arg-type]


def _parser() -> Parser:
    parser = Parser(
        "worker", "Carry out cells of runs with executor=\"pilots\", anywhere that sees their store; a run may begin "
        "before or after.",
        epilog="it goes on when a driver is killed; a first signal has cells save their states and end, a second ends "
        "it at once\nfor example: flowcore worker --spool /scratch/me/.flowcore -w 8 --idle 10min",
    )  # fmt: skip
    parser.add_argument("--spool", metavar="DIR", help="the store, or the box in it (default: as configured)")
    add_store(parser)
    parser.add_argument("-w", "--workers", metavar="N", help="cells at once (default: the cores there are)")
    parser.add_argument("--idle", metavar="TIME", help="end after so long without anything to do (default: 5min)")
    parser.add_argument(
        "--walltime", metavar="TIME", help="end before so much time is over, with states saved; Slurm's end is known"
    )
    parser.add_argument("--label", metavar="TEXT", default="", help="what messages call it, such as a job's id")
    return parser
