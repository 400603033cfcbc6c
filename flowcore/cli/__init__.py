"""The command line: ``flowcore VERB ...``, each verb in a room of its own.

Owns the list of verbs and the exit codes: 0 ok, 1 cells failed, 2 used wrongly (drawing
errors among them), 3 interrupted and resumable. Promises to load nothing but what the
verb at hand needs: this room is all that ``flowcore --help`` reads.
"""

from __future__ import annotations

import importlib
import sys

TYPE_CHECKING = False  # as in the shop window: typing itself would cost more than all the rest here
if TYPE_CHECKING:
    from collections.abc import Sequence

VERBS = {
    "run": ("FILE.py[:flow]", "draw a flow and run it; its parameters are options"),
    "graph": ("FILE.py[:flow]", "show the nodes of a flow; nothing runs"),
    "plan": ("FILE.py[:flow]", "tell what a run would do, and why; nothing runs"),
    "why": ("FILE.py[:flow] CELL", "tell why a cell would run, or would not; nothing runs"),
    "accept": ("FILE.py[:flow] CELL", "keep old results under their new keys, with a reason; nothing runs"),
    "runs": ("", "list the runs of a store, live and finished"),
    "show": ("RUN [CELL]", "tell what a run did, or what a cell gave and printed"),
    "watch": ("[RUN]", "follow a run, live or over, of any process"),
    "ui": ("", "serve a page that follows the runs of a store, to this machine alone"),
    "report": ("RUN", "write a run as one page of HTML: graph, timeline, failures"),
    "export": ("RUN", "write a run for Perfetto, WfCommons, or as an RO-Crate"),
    "debug": ("RUN CELL", "call a cell again in this process, under Python's debugger"),
    "diff": ("RUN_A RUN_B", "tell which cells differ between two runs, and by how much"),
    "cache": ("VERB", "look at a store of results, check it, make room in it"),
    "init": ("[DIR]", "write a small pipeline that runs, to begin with"),
    "worker": ("[--spool DIR]", "take cells of runs out of a folder, and carry them out"),
    "config": ("", "show the options of a run, and where each comes from"),
    "doctor": ("", "try out what flowcore needs of this machine"),
}
"""Verb to what it takes and what it does, in the order of ``flowcore --help``."""

_CODES = "exit codes: 0 ok, 1 cells failed, 2 used wrongly, 3 interrupted: the same command goes on"


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command line, by default this process's, and give the exit code."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0 if given else 2
    conduct = importlib.import_module("flowcore.cli.conduct")
    code: int = conduct.conduct(given[0], given[1:])
    return code


def overview() -> str:
    """Give what ``flowcore --help`` prints."""
    lines = ["usage: flowcore VERB ...", ""]
    lines += [f"  {f'{verb} {takes}'.strip():<27} {does}" for verb, (takes, does) in VERBS.items()]
    return "\n".join([*lines, "", "flowcore VERB --help says more; flowcore --version says which this is.", _CODES])
