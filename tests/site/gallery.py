"""Runs a script of the gallery as a reader does, in a process of its own, and hands back what was found in the end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.site.pages import ROOT

GALLERY = ROOT / "docs" / "gallery"

PROBE = """
import json, runpy, sys
script, wanted = sys.argv.pop(1), json.loads(sys.argv.pop(1))
found = runpy.run_path(script, run_name="__main__")
print()
print(json.dumps({name: eval(words, found) for name, words in wanted.items()}))
"""


def found(name: str, folder: Path, **wanted: str) -> dict[str, Any]:
    """Run ``plot_<name>.py`` in its own folder.

    Parameters
    ----------
    folder : Path
        Where it has its temporary files.
    **wanted
        Expressions in the names that the script has at its end, of values that JSON has.

    Returns
    -------
    dict
        Their values; and ``left``, what is in `folder` when the process has ended.
    """
    environment = os.environ | {
        "MPLBACKEND": "Agg", "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    command = [sys.executable, "-c", PROBE, f"plot_{name}.py", json.dumps(wanted)]
    done = subprocess.run(command, cwd=GALLERY, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise AssertionError(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1]) | {"left": sorted(path.name for path in folder.iterdir())}


def counts(run: str, node: str) -> str:
    """Write the expression for how many cells of a node ran, and how many the store answered."""
    return f"[{run}.counts({node!r}).done, {run}.counts({node!r}).hit]"
