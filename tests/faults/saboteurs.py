"""H7: flowcore broken on purpose, one small patch a name.

A patch is applied to this process, and to the launcher and workers that it starts. In a
script `inside.arm` applies the one that the environment names; a test that runs a flow
in its own process hands in `monkeypatch.setattr`, and begins with no workers.

The first line of a patch's docstring ends with the rows that it breaks. Each of these rows has
an H7 test in which the patch's name stands (tests/house/proofs.py): so it is known which row
was seen red under which patch, and docs/reliability.md lists the rows of which none was.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any

import filelock

from flowcore.errors import StoreUnavailable
from flowcore.plan.extension import array_digest
from flowcore.run import engine, perform, proc
from flowcore.run.cell import seat
from flowcore.run.executors.processes import ProcessExecutor
from flowcore.run.job import Died
from flowcore.run.outcomes import landing
from flowcore.run.workers import launching
from flowcore.store import arrayfile, blobs, directory, fs, generations
from flowcore.store.blobs import Blobs, Draw
from flowcore.store.fs import CREATE, DISK, Disk, write_all
from flowcore.store.generations import Generations, _numbers
from flowcore.store.layout import Layout, make_directory
from flowcore.store.lock import RunLock
from flowcore.store.manifest import Manifest
from flowcore.store.records import Records
from flowcore.store.sync import GroupSync
from flowcore.store.trace import Trace
from flowcore.store.trouble import Trouble
from flowcore.testing import FaultyDisk, RecordingDisk
from tests.faults import saboteurs_of_runs, saboteurs_of_security, saboteurs_of_values, saboteurs_of_workers

Put = Callable[[Any, str, Any], None]
_NONE = b"\xc0"  # the record of None


def apply(name: str, put: Put = setattr) -> None:
    """Break this process, and the workers it will start, in the way of that name."""
    SABOTEURS[name](put)
    line = f"from tests.faults.saboteurs import SABOTEURS\nSABOTEURS[{name!r}](setattr)\nfrom flowcore.run.launcher"
    put(launching, "_CODE", launching._CODE.replace("from flowcore.run.launcher", line))


def record_at_start(put: Put) -> None:
    """Write a cell's record when the cell starts (F1)."""
    real = engine.Engine._job

    def job(self: engine.Engine, batch: Any) -> Any:
        count = len(batch.numbers)
        trace = Trace(
            node=batch.nodes[0], nodes=list(batch.nodes), numbers=list(batch.numbers), keys=list(batch.keys),
            components=[b"\0" + _NONE] * count, records=[_NONE] * count, seconds=[0.0] * count,
        )  # fmt: skip
        self._books.cache.record(trace)
        return real(self, batch)

    put(engine.Engine, "_job", job)


def no_tidying(put: Put) -> None:
    """Leave what dead runs left (P6)."""
    put(directory, "tidy_workplaces", lambda *_: None)


def no_lifeline(put: Put) -> None:
    """Do not ask for a signal when the engine is gone (F3)."""
    put(proc, "arm_lifeline", lambda _: True)


def lifeline_thread(put: Put) -> None:
    """Watch the lifeline from a thread alone (F3)."""
    put(proc, "arm_lifeline", lambda _: False)


def blame_the_first(put: Put) -> None:
    """Charge a death to the first cell that the worker had (F6)."""

    def charge(self: ProcessExecutor, desk: Any, ending: Any) -> bool:
        for parcel in desk.parcels:
            for attempt in sorted(parcel.open)[:1]:
                parcel.open.discard(attempt)
                self._inbox.post([Died(attempt=attempt, cause=ending.cause)])
                return True
        return False

    put(ProcessExecutor, "_charge", charge)


def only_exceptions(put: Put) -> None:
    """Let what is no Exception through (F8)."""
    _rewrite(perform, "perform_cell", "except BaseException", "except Exception", put)


def write_at_the_final_name(put: Put) -> None:
    """Write an array where it is to be, as np.save does (F2, F19)."""

    def write(disk: Disk, path: str, pieces: Sequence[memoryview], *, durable: bool) -> bytes:
        digest = arrayfile.digest_of(pieces)
        layout = Layout(Path(path).parents[3])
        make_directory(disk, layout.shard(digest))
        arrayfile.drop(disk, layout.blob(digest))
        fd = disk.open(layout.blob(digest), CREATE)
        try:
            for piece in pieces:
                write_all(disk, fd, piece)
        finally:
            disk.close(fd)
        return arrayfile.write_draft(disk, path, pieces, durable=durable)

    put(blobs, "write_draft", write)


def name_before_fsync(put: Put) -> None:
    """Give a durable array its name, and then sync it (F18)."""
    real = Blobs._write

    def write(self: Blobs, draw: Draw) -> tuple[bytes, int]:
        self._durable = False
        try:
            name, size = real(self, draw)
        finally:
            self._durable = True
        self._settle(self._layout.blob(name))
        return name, size

    put(Blobs, "_write", write)


def acknowledge_before_fsync(put: Put) -> None:
    """Let a durable record count before it is on the medium (F18)."""
    put(GroupSync, "sync", lambda _: None)


def fsync_until_it_succeeds(put: Put) -> None:
    """Take a second fsync for an answer (F20)."""
    for disk in (FaultyDisk, RecordingDisk):
        put(disk, "fsync", _twice(disk.fsync))


def _twice(real: Callable[[Any, int], None]) -> Callable[[Any, int], None]:
    def fsync(self: Any, fd: int) -> None:
        try:
            real(self, fd)
        except OSError:
            real(self, fd)

    return fsync


def lock_on_read(put: Put) -> None:
    """Take a lock before the records are read (F21)."""
    real = Records.read_older

    def read_older(self: Records, **options: Any) -> None:
        RunLock(f"{self._layout.journals}/{DISK.token()}.lock", disk=DISK).take()
        real(self, **options)

    put(Records, "read_older", read_older)


def replace_in_place(put: Put) -> None:
    """Publish by renaming over what is there (F28)."""

    def publish(disk: Disk, draft: str, final: str) -> bool:
        disk.rename(draft, final)
        return True

    put(blobs, "publish", publish)


def reopen_for_writing(put: Put) -> None:
    """Write an array that is there once more (F23)."""

    def publish(disk: Disk, draft: str, final: str) -> bool:
        if not Path(final).exists():
            return arrayfile.publish(disk, draft, final)
        Path(final).chmod(0o600)
        Path(final).write_bytes(Path(draft).read_bytes())
        return False

    put(blobs, "publish", publish)


def let_it_raise(put: Put) -> None:
    """Pass trouble with the store on to whoever asked (F38)."""

    def met(self: Trouble, error: OSError, *, needed: int = 0) -> StoreUnavailable:
        raise error

    put(Blobs, "_keep", Blobs._write)
    put(Trouble, "met", met)


def clear_on_mismatch(put: Put) -> None:
    """Remove what another version wrote, and begin afresh (F26)."""
    real = Layout._check_format

    def check(self: Layout, disk: Disk) -> None:
        try:
            real(self, disk)
        except StoreUnavailable:
            shutil.rmtree(self.v1)
            self.make(disk)

    put(Layout, "_check_format", check)


def round_the_seam(put: Put) -> None:
    """Look at a file without asking the disk (H2)."""
    real = Blobs.has

    def has(self: Blobs, digest: bytes, size: int) -> bool:
        try:
            Path(self._layout.blob(digest)).open("rb").close()
        except OSError:
            return False
        return real(self, digest, size)

    put(Blobs, "has", has)


def no_verification(put: Put) -> None:
    """Take an array for what its name says (F22)."""
    put(Blobs, "_check", lambda *_: None)


def check_without_the_header(put: Put) -> None:
    """Leave an array's header out of its check, as a digest of the data would (F22)."""

    def check(self: Blobs, buffer: bytearray, digest: bytes, header: bytes) -> None:
        if arrayfile.digest_of([memoryview(header), memoryview(buffer)[len(header) :]]) != digest:
            raise arrayfile.Unfit("data")

    put(Blobs, "_check", check)


def trust_the_judgement(put: Put) -> None:
    """Do not make a lost value again (F25)."""
    put(landing, "makers_of", lambda *_: [])


def deaf_engine(put: Put) -> None:
    """Go on after Ctrl-C (F13)."""
    put(engine.Engine, "end", lambda *_: None)


def any_format(put: Put) -> None:
    """Read and write a store of any version (F26)."""
    put(Layout, "_check_format", lambda *_: None)


def fixed_tmp_name(put: Put) -> None:
    """Write every draft under one name, whoever writes (F16)."""
    real = fs.Disk.open

    def opened(self: fs.Disk, path: Any, flags: int = fs.READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        return real(self, path, flags & ~os.O_EXCL if "/tmp/" in str(path) else flags, mode, dir_fd=dir_fd)

    put(fs.Disk, "open", opened)
    put(fs.Disk, "token", lambda _: "0" * 32)
    put(Layout, "workplace", lambda self, _: f"{self.tmp}/{'0' * 32}")


def block_on_the_lock(put: Put) -> None:
    """Wait for the lock of a run that computes what we want (F17)."""

    def held(self: RunLock) -> bool:
        filelock.FileLock(self.path, mode=0o600).acquire()
        return False

    put(RunLock, "held", held)


def never_park(put: Put) -> None:
    """Compute what another run is computing (J8)."""
    put(RunLock, "held", lambda _: False)


def pointer_before_data(put: Put) -> None:
    """Give a manifest its name before the arrays that it names are there (C2)."""
    real_put, real_save = Generations._put, Generations.save
    late: list[tuple[bytes, bytes]] = []

    def queue(self: Generations, header: bytes, data: memoryview) -> bytes:  # noqa: ARG001 - as the real one
        late.append((header, bytes(data)))
        return array_digest(header, data)

    def save(self: Generations, manifest: Manifest) -> int:
        number = real_save(self, manifest)
        while late:
            header, data = late.pop()
            real_put(self, header, memoryview(data))
        return number

    put(Generations, "_put", queue)
    put(Generations, "save", save)


def one_generation(put: Put) -> None:
    """Remove the state before the newest as soon as that is there (C3)."""
    real = Generations._prune

    def prune(self: Generations) -> None:
        self._trusted = {max(self._trusted)}
        for number in _numbers(self._names()) - self._trusted:
            self._disk.unlink(f"{self._directory}/{number}.state")
            self._known.pop(number, None)
        real(self)

    put(Generations, "_prune", prune)


def states_without_fsync(put: Put) -> None:
    """Believe that what was written to a checkpoint is on the medium (C2, F18)."""

    def write(disk: Disk, path: str, pieces: Sequence[memoryview], *, durable: bool) -> bytes:  # noqa: ARG001
        return arrayfile.write_draft(disk, path, pieces, durable=False)

    put(generations, "write_draft", write)
    put(generations, "sync_directory", lambda disk, path: None)


def generator_not_saved(put: Put) -> None:
    """Leave the random streams of a cell out of its state (K21)."""
    put(seat, "streams_state", lambda streams, calls: {})
    put(seat, "put_streams", lambda streams, calls, state: None)


def _rewrite(module: Any, name: str, old: str, new: str, put: Put) -> None:
    """Replace text in a function."""
    real: FunctionType = getattr(module, name)
    source = textwrap.dedent(inspect.getsource(real))
    assert old in source, f"{name} has changed: its saboteur must follow"
    space = dict(vars(module))
    exec(compile(source.replace(old, new), f"<{name}, sabotaged>", "exec"), space)
    broken = space[name]
    put(module, name, FunctionType(broken.__code__, vars(module), name, broken.__defaults__, broken.__closure__))
    sys.modules[module.__name__] = module


SABOTEURS: dict[str, Callable[[Put], None]] = (
    {
        patch.__name__: patch
        for patch in (
            write_at_the_final_name,
            name_before_fsync,
            acknowledge_before_fsync,
            fsync_until_it_succeeds,
            lock_on_read,
            replace_in_place,
            reopen_for_writing,
            let_it_raise,
            clear_on_mismatch,
            round_the_seam,
            record_at_start,
            no_tidying,
            no_lifeline,
            lifeline_thread,
            blame_the_first,
            only_exceptions,
            no_verification,
            check_without_the_header,
            trust_the_judgement,
            deaf_engine,
            any_format,
            fixed_tmp_name,
            block_on_the_lock,
            never_park,
            pointer_before_data,
            one_generation,
            states_without_fsync,
            generator_not_saved,
        )
    }
    | saboteurs_of_runs.SABOTEURS
    | saboteurs_of_values.SABOTEURS
    | saboteurs_of_security.SABOTEURS
    | saboteurs_of_workers.SABOTEURS
)
