"""One verb, from its arguments to its exit code: what may go wrong becomes a message.

Promises that what the user can mend is told on one screen without a frame of ours;
a fault of flowcore itself keeps its traceback.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from collections.abc import Sequence

from flowcore.cli import VERBS
from flowcore.cli.parser import Raised, Usage
from flowcore.cli.printing import tell
from flowcore.errors import FlowcoreError, did_you_mean, nearest, shorten

OK, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 3


def conduct(verb: str, arguments: Sequence[str]) -> int:
    """Carry out a verb and give the exit code."""
    if verb == "--version":
        print(f"flowcore {version()}")
        return OK
    if verb not in VERBS:
        what = "option" if verb.startswith("-") else "verb"
        tell(f"flowcore: there is no {what} {shorten(verb)!r}.{did_you_mean(nearest(verb, VERBS))}")
        tell("flowcore --help lists the verbs.")
        return WRONG
    room = importlib.import_module(f"flowcore.cli.{verb}")
    try:
        code: int = room.main(arguments)
        sys.stdout.flush()
    except Usage as trouble:
        verb = " ".join([verb, *(one for one in arguments[:1] if one in getattr(room, "VERBS", ()))])
        tell(f"flowcore {verb}: {trouble}")
        if not isinstance(trouble, Raised):
            tell(f"flowcore {verb} --help says what it takes.")
        return WRONG
    except FlowcoreError as trouble:
        tell(f"flowcore {verb}: {trouble}")
        return WRONG
    except ExceptionGroup as group:
        _, others = group.split(FlowcoreError)
        if others is not None:
            raise
        tell(f"flowcore {verb}: {group.message}")
        for one in group.exceptions:
            tell(str(one))
        return WRONG
    except KeyboardInterrupt:
        tell(f"flowcore {verb}: interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # `flowcore runs | head`: the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    return code


def version() -> str:
    """Give the version that is installed."""
    try:
        return importlib.metadata.version("flowcore")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
