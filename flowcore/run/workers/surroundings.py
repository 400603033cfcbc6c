"""What a run carries to wherever its cells execute: directory, import path, environment, store."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace

from flowcore.dataclass import dataclass

_OF_THE_PLACE = re.compile(
    r"(SLURM|PBS|LSB|SGE|PMI|PMIX|OMPI|XDG)_\w+|\w+_VISIBLE_DEVICES|TMPDIR|TMP|TEMP|HOSTNAME|PWD|OLDPWD|SSH_\w+"
)
"""Variables that tell of a machine, or of a batch job, and mean nothing on another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The surroundings of a cell, as they were when its run began."""

    run_id: str
    store: str  # root of the store
    spool: str  # directory of arrays that are handed over and not kept
    durable: bool = False
    writable: bool = True
    pickles: bool = False  # whether values without encoding are kept as pickles, and such are read
    cwd: str = ""  # empty: it was gone already
    sys_path: tuple[str, ...] = ()
    environ: tuple[tuple[str, str], ...] = ()
    classes: bytes = b""  # cloudpickle of {name: class} for the classes of __main__; empty: none
    logs: bytes = b""  # how `logging` is set up, see `logs.py`; empty: as Python has it
    opening: bytes = b""  # what a workshop is told besides, in words of its own

    @classmethod
    def of_this_process(
        cls, *, run_id: str, store: str, spool: str, durable: bool = False, writable: bool = True,
        pickles: bool = False, classes: bytes = b"",
    ) -> Surroundings:  # fmt: skip
        """Take working directory, import path, environment and logging as they are here and now."""
        from flowcore.run.workers.logs import noted  # a worker reads this room, and few have a use for `logging`

        try:
            cwd = os.getcwd()
        except FileNotFoundError:
            cwd = ""
        return cls(
            run_id=run_id, store=store, spool=spool, durable=durable, writable=writable, pickles=pickles, cwd=cwd,
            sys_path=import_path(), environ=tuple(os.environ.items()), classes=classes, logs=noted(),
        )  # fmt: skip

    def abroad(self) -> Surroundings:
        """Give what of this means something in a process of somebody else's: neither its directory nor environment."""
        return replace(self, cwd="", environ=())

    def settled(self) -> Surroundings:
        """Give this for a process on another machine: what its variables say of a place is what they say here."""
        here = {name: value for name, value in os.environ.items() if _OF_THE_PLACE.fullmatch(name)}
        there = {name: value for name, value in self.environ if not _OF_THE_PLACE.fullmatch(name)}
        return replace(self, environ=tuple((there | here).items()))

    @property
    def passing(self) -> str:
        """The spool, if it dies with the run's process; empty if it is a part of the store, which others may read."""
        return "" if self.spool.startswith(f"{self.store}/") else self.spool

    def pack(self) -> list[object]:
        """Give the fields as one plain list, for a message."""
        path = [os.fsencode(entry) for entry in self.sys_path]
        environ = [[os.fsencode(name), os.fsencode(value)] for name, value in self.environ]
        return [
            self.run_id, os.fsencode(self.store), os.fsencode(self.spool), self.durable, self.writable,
            self.pickles, os.fsencode(self.cwd), path, environ, self.classes, self.logs, self.opening,
        ]  # fmt: skip

    @classmethod
    def unpack(cls, fields: Sequence[object]) -> Surroundings:
        """Read what :meth:`pack` gave."""
        run_id, store, spool, durable, writable, pickles, cwd, path, environ, classes, logs, opening = fields
        return cls(
            run_id=run_id, store=os.fsdecode(store), spool=os.fsdecode(spool), durable=durable, writable=writable,  # type: ignore[arg-type]
            pickles=pickles, cwd=os.fsdecode(cwd), sys_path=tuple(os.fsdecode(p) for p in path), classes=classes,  # type: ignore[arg-type,attr-defined]
            environ=tuple((os.fsdecode(name), os.fsdecode(value)) for name, value in environ),  # type: ignore[attr-defined]
            logs=logs, opening=opening,  # type: ignore[arg-type]
        )  # fmt: skip


def import_path() -> tuple[str, ...]:
    """Give `sys.path` with every entry absolute, so that it means the same in another directory."""
    return tuple(os.path.abspath(entry) for entry in sys.path)
