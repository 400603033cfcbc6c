"""S6, P5: what blocks who opens or reads it, planted in every place of a store; nobody may wait for it.

    python -m tests.faults.roadblocks FOLDER KIND

Makes a store with every kind of file in it, and then again and again puts FIFOs, sockets or
devices in place of one kind of file, runs the flow again and reads the store by every verb.
Prints the places, as JSON; exits with the stacks of its threads where something hangs.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import shutil
import socket
import stat
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import flowcore as fc
from flowcore.store.directory import open_store
from flowcore.store.gc import collect
from tests.faults import onslaught, saboteurs

DEADLINE = float(os.environ.get("FLOWCORE_ROADBLOCK", "60"))  # seconds; only turns a hang into a failure
PLACES = (
    "arrays/*/*.npy", "files/*/*", "journals/*.journal", "journals/*.pack", "journals/*.lock", "index/*",
    "checkpoints/*/*.state", "checkpoints/*/*.npy", "checkpoints/*/*.series", "code/*", "logs/*/*", "flowcore-store",
    "corrupt/*", "tmp/*", "../.gitignore", "../../flowcore.toml", "../../pyproject.toml",
)  # fmt: skip


def _socket(path: Path) -> None:
    with contextlib.chdir(path.parent), socket.socket(socket.AF_UNIX) as end:  # a path may be too long for one
        end.bind(path.name)


KINDS: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "socket": _socket,
    "device": lambda path: os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(5, 0)),  # /dev/tty
}


def main() -> None:
    """Make the store; then plant, run and read."""
    saboteurs.apply(os.environ["FLOWCORE_SABOTAGE"]) if os.environ.get("FLOWCORE_SABOTAGE") else None
    onslaught._made()
    _debris()
    shutil.copytree(".", "../sound", symlinks=True)
    done = []
    for place in PLACES:
        for path in Path().iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.copytree("../sound", ".", symlinks=True, dirs_exist_ok=True)
        found = sorted(Path(".flowcore/v1").glob(place)) or [Path(".flowcore/v1", place)]
        for path in found:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            KINDS[sys.argv[2]](path)
        faulthandler.dump_traceback_later(DEADLINE, exit=True)
        _met(place)
        faulthandler.cancel_dump_traceback_later()
        done.append(place)
    sys.stdout.write(json.dumps(done))


def _debris() -> None:
    """Leave what killed runs and damage leave."""
    for name in ("corrupt/0.npy", "tmp/20200101T000000-0000000000000000", "code/0", "flowcore.toml"):
        path = Path(name) if name.endswith("toml") else Path(".flowcore/v1", name)
        path.parent.mkdir(exist_ok=True)
        path.touch() if path.suffix else path.mkdir()


def _met(place: str) -> None:
    """Run the flow, read all there is, and collect; errors are flowcore's own."""
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()) as said:
        warnings.simplefilter("ignore")
        for act in (onslaught._made, onslaught._read, lambda: collect(open_store(".flowcore"), keep_runs=1)):
            with contextlib.suppress(fc.FlowcoreError, OSError):
                act()
    assert "Traceback" not in said.getvalue(), (place, said.getvalue())


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main()
