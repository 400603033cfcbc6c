"""``flowcore watch [RUN]``: follow a run, live or over, of any process."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict

from flowcore import clock
from flowcore.cli.parser import Parser, add_json, add_store
from flowcore.cli.printing import plain, tell
from flowcore.cli.show import opened
from flowcore.history import RecordedRun
from flowcore.inspect.recordings.following import Following
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.progress import view_here
from flowcore.progress.afar import PAUSE, show
from flowcore.settings import Settings
from flowcore.store.directory import open_store

_CODES = {"done": 0, "accepted": 0, "interrupted": 3}
_FAILED = 1


def main(arguments: Sequence[str]) -> int:
    """Show a run until it is over; the exit code is that of `flowcore run`."""
    parser = Parser("watch", "Follow a run, live or over, of any process; Ctrl-C ends the watching alone.",
                    epilog="with --json, one event a line\nfor example: flowcore watch; flowcore watch last~1 --json\n"
                    "exit codes, of the run: 0 ok, 1 cells failed or it died, 3 interrupted")  # fmt: skip
    parser.add_argument("run", metavar="RUN", nargs="?", default="last",
                        help='its id, the beginning of it, "last" (default), or "last~1"')  # fmt: skip
    add_store(parser)
    add_json(parser)
    given = parser.read(arguments)
    store = Settings.of(store=given.store).store
    run = opened(given.run, store)
    following = Following(Recorded(open_store(store), run.id))  # type: ignore[arg-type]
    try:
        if given.json:
            _stream(following)
        else:
            show(following, view_here(asked=True), printed=_printed)
    except KeyboardInterrupt:
        tell(f"{run.id} is not watched any more." + (" It goes on." if run.status == "running" else ""))
        return 0
    return _ended(run, quiet=given.json)


def _printed(text: str) -> str:
    """Give what a cell printed as it may be shown: lines that rewrite themselves do, and nothing else steers."""
    return "\r".join(map(plain, text.split("\r")))


def _stream(following: Following) -> None:
    """Print events, as JSON, as they come."""
    while not following.over:
        for event in following.more():
            print(json.dumps({"schema": 1, "event": type(event).__name__, **asdict(event)}), flush=True)
        if not following.over:
            clock.sleep(PAUSE)


def _ended(run: RecordedRun, *, quiet: bool) -> int:
    if not quiet:
        print(plain(run.summary()))
        sys.stdout.flush()
    return _CODES.get(run.status, _FAILED)
