"""Runs the first hour: writes the page's files, types its commands, and puts what comes back under them.

A block ```` ```python study.py ```` is a file, ```` ```diff study.py ```` an edit of one,
and in ```` ```console ```` what follows a line with ``$`` is what that command wrote.
``python docs/first_hour.py`` brings the page up to date, ``python docs/first_hour.py NAME`` another one like it;
a test holds that it is.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

PAGE = Path(__file__).with_name("first-hour.md")
ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(?P<kind>python|diff|console)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)
UNSTEADY = (
    (re.compile(r"\d{8}T\d{6}-[0-9a-f]{16}"), "20261122T093005-55ba74de2910d395"),
    (re.compile(r"in \d+\.\d+ s\b"), "in 0.61 s"),
    (re.compile(r'File ".*/(flowcore/[\w/]+\.py)", line \d+'), r'File ".../\1", line 50'),
)
MARKERS = re.compile(r"^ *[~^]+$\n?", re.M)  # each Python draws its own


def regenerated(page: str) -> str:
    """Give the page with each command's output as it is now."""
    with tempfile.TemporaryDirectory() as made:
        place = Path(made).resolve()
        return BLOCK.sub(lambda block: _done(block, place), page)


def _done(block: re.Match[str], place: Path) -> str:
    kind, name, text = block["kind"], block["name"], block["text"]
    if kind == "console":
        commands = [line.removeprefix("$ ") for line in text.splitlines() if line.startswith("$ ")]
        text = "".join(f"$ {command}\n{_typed(command, place)}" for command in commands)
    elif kind == "diff":
        _edit(place / name, text)
    elif name:
        (place / name).write_text(text)
    return f"```{kind}{f' {name}' if name else ''}\n{text}```"


def _edit(path: Path, diff: str) -> None:
    source = path.read_text()
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in "- ")
    new = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in "+ ")
    if source.count(old) != 1:
        raise ValueError(f"{path.name} has {source.count(old)} places for:\n{diff}")
    path.write_text(source.replace(old, new))


def _typed(command: str, place: Path) -> str:
    """Run a command as if typed, without the progress bar; give what it wrote."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    settings = {"PATH": path, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "FLOWCORE_PROGRESS": "no"}
    done = subprocess.run(
        command, shell=True, cwd=place, env=os.environ | settings, text=True, timeout=100, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    told = done.stdout.replace(str(place), "/home/you")
    told = MARKERS.sub("", told)
    for pattern, steady in UNSTEADY:
        told = pattern.sub(steady, told)
    return "".join(f"{line.rstrip()}\n" for line in told.splitlines())


if __name__ == "__main__":
    for name in sys.argv[1:] or [PAGE.name]:
        path = PAGE.with_name(name)
        path.write_text(regenerated(path.read_text()))
