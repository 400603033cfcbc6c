"""Sees every file call under a folder, and whether it came through the seam.

    python -m tests.faults.onlooker FOLDER SABOTEUR OPERATION...

Prints, as JSON, how many calls the interpreter told of, and those that nobody made
through a Disk. A program of its own, since an audit hook stays for good.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from flowcore.store.directory import open_store
from flowcore.store.fs import DISK, Disk
from flowcore.testing.disks import CALLS
from tests.faults import operations, works

_inside = threading.local()


class Seam(Disk):
    """The real disk, which says so while it is at work."""


def _marked(name: str) -> Callable[..., Any]:
    def call(self: Seam, *arguments: Any, **options: Any) -> Any:
        _inside.depth = getattr(_inside, "depth", 0) + 1
        try:
            return getattr(DISK, name)(*arguments, **options)
        finally:
            _inside.depth -= 1

    return call


for _name in (*CALLS, "free", "kind", "network"):
    setattr(Seam, _name, _marked(_name))


EVENTS = frozenset(
    {"open", "os.chmod", "os.chown", "os.link", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir"}
    | {"os.scandir", "os.symlink", "os.truncate", "os.utime", "os.walk", "shutil.rmtree", "shutil.move"}
)


class Watch:
    """Looks, while it is entered, at every call of the interpreter that names a file under a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)
        self.seen = 0
        self.strange: list[str] = []
        self._on = False
        sys.addaudithook(self._hook)

    def __enter__(self) -> None:
        self._on = True

    def __exit__(self, *_: object) -> None:
        self._on = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._on or event not in EVENTS or sys._getframe(1).f_code.co_filename == operations.__file__:
            return
        names = [os.fsdecode(name) for name in arguments[:2] if isinstance(name, str | bytes | os.PathLike)]
        names = [name for name in names if name.startswith(self.folder)]
        if not names:
            return
        self.seen += 1
        if not getattr(_inside, "depth", 0) and not _of_a_lock(sys._getframe(1)):
            self.strange.append(f"{event} {names}")


def _of_a_lock(frame: FrameType | None) -> bool:
    """Tell whether filelock makes a call: the lock of a run is its own affair, and nothing is read from it."""
    while frame is not None and "filelock" not in frame.f_code.co_filename:
        frame = frame.f_back
    return frame is not None


def main(folder: str, sabotage: str, *names: str) -> None:
    """Carry out operations, and a whole flow, under the eyes of the hook."""
    watch = Watch(Path(folder))
    if sabotage:
        from tests.faults.saboteurs import SABOTEURS

        SABOTEURS[sabotage](setattr)
    for number, name in enumerate(names):
        home = Path(folder, str(number))
        home.mkdir()
        with operations.at_home(home):
            operations.OPERATIONS[name].prepare(home)
            with watch:
                operations.OPERATIONS[name].act(home, Seam())
    with watch:
        works.means().run(store=open_store(f"{folder}/flow", disk=Seam()), executor="thread", progress=False)
    sys.stdout.write(json.dumps({"seen": watch.seen, "strange": watch.strange}))


if __name__ == "__main__":
    main(*sys.argv[1:])
