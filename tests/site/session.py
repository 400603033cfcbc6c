"""Carries out a page in a folder: writes its files, types its commands, runs its program, all in the page's order.

The program is one script named after the page, in which each line has the number that it has in the page. Between two
pieces it says so and waits for a line, so that a command between them finds what the first has done, and not what the
second will do. Nothing here waits for a time: a limit only turns a hang into a failure.
"""

from __future__ import annotations

import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path

from tests.site.blocks import Block
from tests.site.likeness import steady

ROOT = Path(__file__).parents[2]
PATHS = (str(ROOT), *(str(path) for path in sorted(ROOT.glob("plugins/*/src"))))
BREAK = "\x1e\n"
WAIT = f"__import__('builtins').print({BREAK!r}, end='', flush=True); __import__('builtins').input()"
LIMIT = 150.0  # seconds for a command, or a piece
PROGRAM = frozenset({"piece", "hidden"})


def carried_out(blocks: Sequence[Block], folder: Path, script: str) -> dict[int, str]:
    """Carry out a page's blocks; give what pieces printed, and consoles as they look, by the blocks' numbers."""
    shown = {}
    with closing(_program([block for block in blocks if block.use in PROGRAM], folder / script)) as printed:
        for number, block in enumerate(blocks):
            if block.use in PROGRAM:
                shown[number] = steady(next(printed, f"{script} has ended\n"), str(folder))
            elif block.use == "typed":
                shown[number] = "".join(
                    f"$ {command}\n{steady(_typed(command, folder), str(folder))}" for command in commands(block)
                )
            elif block.use == "file":
                path = folder / block.name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif block.use == "edit":
                _edit(folder / block.name, block.text)
    return shown


def commands(block: Block) -> list[str]:
    """Give the commands of a console."""
    found, goes_on = [], False
    for line in block.text.splitlines():
        if goes_on:
            found[-1] += f"\n{line}"
        elif line.startswith("$ "):
            found.append(line.removeprefix("$ "))
        goes_on = (goes_on or line.startswith("$ ")) and line.endswith("\\")
    return found


def _environment(folder: Path) -> Mapping[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCORE_")}
    paths = (str(commands_in(folder)), str(Path(sys.executable).parent), os.environ["PATH"])
    return inherited | {
        "PATH": os.pathsep.join(paths), "PYTHONPATH": os.pathsep.join(PATHS), "COLUMNS": "100",
        "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1", "PYTHON_COLORS": "0", "NO_COLOR": "1",
        "FLOWCORE_PROGRESS": "no", "MPLBACKEND": "agg",
    }  # fmt: skip


def commands_in(folder: Path) -> Path:
    """Give a folder beside this one with `python` and `flowcore` as commands: the ones under test, installed or not."""
    made = folder.parent / f"{folder.name}-bin"
    if not made.exists():
        made.mkdir()
        for name, call in {"python": "", "flowcore": "-m flowcore"}.items():
            (made / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {call} "$@"\n')
            (made / name).chmod(0o755)
    return made


def _started(command: str | Sequence[str], folder: Path, stdin: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command, shell=isinstance(command, str), cwd=folder, env=_environment(folder), stdin=stdin,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def _ended(process: subprocess.Popen[bytes]) -> None:
    """End a command, and whatever it has left in its group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _typed(command: str, folder: Path) -> str:
    """Run a command as if typed, without the progress bar; give what it wrote."""
    process = _started(command, folder, subprocess.DEVNULL)
    try:
        return process.communicate(timeout=LIMIT)[0].decode()
    except subprocess.TimeoutExpired:
        return f"not over after {LIMIT:.0f} s"
    finally:
        _ended(process)


def _program(pieces: Sequence[Block], path: Path) -> Iterator[str]:
    """Run the page's program, a piece each time that it is asked; give what the piece printed."""
    path.write_text(script_of(pieces))
    process = _started([sys.executable, path.name], path.parent, subprocess.PIPE)
    try:
        yield from _printed(process)
    finally:
        _ended(process)


def script_of(pieces: Sequence[Block]) -> str:
    """Give the program: its lines are numbered as those of the page."""
    lines: list[str] = []
    for piece in pieces:
        lines += [""] * (piece.line - len(lines)) + piece.text.splitlines() + [WAIT]
    return "\n".join(lines[:-1]) + "\n"


def _printed(process: subprocess.Popen[bytes]) -> Iterator[str]:
    assert process.stdout is not None
    assert process.stdin is not None
    read, limit, over = b"", time.monotonic() + LIMIT, False
    while not over:
        while BREAK.encode() not in read and not over:
            if not select.select([process.stdout], [], [], max(0.0, limit - time.monotonic()))[0]:
                yield f"{read.decode()}not over after {LIMIT:.0f} s"
                return
            piece = os.read(process.stdout.fileno(), 65536)
            read, over = read + piece, not piece
        printed, _, read = read.partition(BREAK.encode())
        yield printed.decode()
        limit = time.monotonic() + LIMIT
        with suppress(BrokenPipeError):  # it has ended, and the end of its output says so
            process.stdin.write(b"\n")
            process.stdin.flush()


def _edit(path: Path, diff: str) -> None:
    source = path.read_text()
    old = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in "- ")
    new = "".join(line[1:] for line in diff.splitlines(keepends=True) if line[:1] in "+ ")
    if source.count(old) != 1:
        raise ValueError(f"{path.name} has {source.count(old)} places for:\n{diff}")
    path.write_text(source.replace(old, new))
