"""What a store does, one operation at a time, for the harnesses that make it fail in the middle.

Each operation is carried out in a folder that holds the store and what stands for shared
memory and temporary files. `prepare` makes what was there before, `act` does it through
a given disk and answers what the caller would learn, the same each time it is done.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from blake3 import blake3

from flowcore.declare.files import File
from flowcore.errors import FlowcoreWarning
from flowcore.plan.encode import BadRecord, ValueGone
from flowcore.store import directory, spool
from flowcore.store.cache import Hit, Trace
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.codecs import Codec
from flowcore.store.directory import StoreRun, new_run_id, open_store
from flowcore.store.fs import DISK, Disk
from flowcore.store.gc import clear, collect
from flowcore.store.generations import Generations, Home
from flowcore.store.indexing import build_index
from flowcore.store.journal import JournalWriter, Record
from flowcore.store.layout import Layout
from flowcore.store.listing import newest_index
from flowcore.store.manifest import Manifest
from flowcore.store.records import Records
from flowcore.store.series import BadSeries, Series, series_file
from flowcore.store.trouble import Trouble
from flowcore.store.verify import verify

EARLIER = {b"a" * 32: np.arange(2500.0), b"b" * 32: 1.5, b"c" * 32: np.arange(3000, dtype=np.int32)}
LATER = {b"d" * 32: np.arange(4000.0) + 0.5, b"e" * 32: "text", b"f" * 32: np.arange(2600.0) - 1}
LARGE = np.arange((1 << 17) + 700, dtype=np.float64)  # above the sizes from which room is claimed and files are mapped
HEADER = b"H" * 128
STATE = b"s" * 32  # the key of a cell that saves its state
GROUPS: list[list[Record]] = [[["run", {"flow": "landscape"}]], [["beat", {"at": [1, 2]}]], [["end", "done", {}]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Something that may be cut short."""

    name: str
    prepare: Callable[[Path], None]
    act: Callable[[Path, Disk], object]
    earlier: bool = True  # whether the earlier entries are there, and are sound
    bare: bool = False  # whether no run begins in it, which would remove what dead ones left
    whole: Callable[[Path], list[str]] = lambda _: []  # names what else is wrong once it was cut short
    debris: bool = False  # whether something damaged was there before, which lies there until it is found


@contextmanager
def in_memory() -> Iterator[Path]:
    """Give a folder for thousands of short-lived stores, where removing one costs nothing."""
    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(prefix="harness-", dir=shared) as folder:
        yield Path(folder)


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Let directories of the folder stand for shared memory and temporary files."""
    before = spool.SHARED_MEMORY, tempfile.tempdir
    for name in ("memory", "temporary"):
        (folder / name).mkdir(exist_ok=True)
    try:
        for room in (spool, directory):
            room.SHARED_MEMORY = str(folder / "memory")  # type: ignore[misc]
        tempfile.tempdir = str(folder / "temporary")
        yield
    finally:
        for room in (spool, directory):
            room.SHARED_MEMORY = before[0]  # type: ignore[misc]
        tempfile.tempdir = before[1]


def begin(folder: Path, disk: Disk = DISK, *, durable: bool = False, told: list[FlowcoreWarning] | None = None) -> Any:
    """Begin a run; warnings go to `told`, and are an error without it."""
    heard: list[FlowcoreWarning] = [] if told is None else told
    return open_store(folder / "store", disk=disk, durable=durable).begin(tell=heard.append)


def keep(run: StoreRun, values: dict[bytes, Any]) -> list[str]:
    """Keep values, in one frame each; give the digests of their records."""
    codec = Codec(kept=run.blobs, passed=run.spool)
    made = []
    for number, (key, value) in enumerate(values.items()):
        encoded = codec.encode(value, keep=True)
        run.cache.record(
            Trace(node=1, numbers=[number], keys=[key], components=[encoded.component], records=[encoded.record],
                  seconds=[0.5])
        )  # fmt: skip
        made.append(blake3(encoded.record).hexdigest())
    return made


def read(folder: Path, keys: dict[bytes, Any], disk: Disk = DISK) -> tuple[dict[bytes, Any], list[FlowcoreWarning]]:
    """Ask a fresh reader for keys; give the values that it has, and what it was told."""
    told: list[FlowcoreWarning] = []
    store = open_store(folder / "store", disk=disk)
    if not store.readable:
        return {}, [*told, *filter(None, [store.trouble])]
    archive = store.archive(before=new_run_id(), tell=told.append)
    codec = Codec(kept=archive.blobs, passed=archive.blobs)
    found = {}
    for key, answer in zip(keys, archive.cache.judge(list(keys)), strict=True):
        if isinstance(answer, Hit):
            try:
                found[key] = codec.decode(answer.record)
            except (ValueGone, BadRecord):
                continue
    archive.cache.records.close()
    return found, told


def equal(one: object, other: object) -> bool:
    """Tell whether two values are the same to the bit."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    return type(one) is type(other) and one == other


def wrong(found: dict[bytes, Any], values: dict[bytes, Any]) -> list[bytes]:
    """Name the keys whose value is another than it should be."""
    return [key for key, value in found.items() if not equal(value, values[key])]


def unverified(folder: Path) -> list[str]:
    """Name what lies among the arrays and is not what its name says."""
    v1 = folder / "store" / "v1"
    files = [path for part in ("arrays", "files", "checkpoints") for path in (v1 / part).rglob("*")]
    return [
        f.name
        for f in files
        if (f.is_symlink() or not f.is_dir())
        and f.suffix not in (".state", ".series")
        and f.name.partition(".")[0] != blake3(f.read_bytes()).hexdigest()
    ]


def litter(folder: Path) -> list[str]:
    """Name what no run that has ended may leave."""
    places = [folder / "store" / "v1" / "tmp", folder / "memory", folder / "temporary"]
    return sorted(str(path.relative_to(folder)) for place in places for path in place.rglob("*"))


def finish(run: StoreRun) -> None:
    """End a run."""
    run.close("done")
    run.release()


def _unheard(_: FlowcoreWarning) -> None:
    pass


def _nothing(folder: Path) -> None:
    pass


def _earlier(folder: Path) -> None:
    run = begin(folder)
    keep(run, EARLIER)
    finish(run)


def _put(folder: Path, disk: Disk, value: Any = LARGE, *, durable: bool = False) -> object:
    """Put an array into the store of a run that began soundly."""
    run = begin(folder)
    worker = directory.Store.attach(
        run.root, run.id, run.spool.path, durable=durable, writable=True, disk=disk, tell=_unheard
    )
    digest = worker.blobs.put(HEADER, memoryview(value).cast("B"))
    buffer, at = worker.blobs.map(digest, HEADER, value.nbytes)
    same = bytes(buffer[at:]) == value.tobytes()
    worker.blobs.verified.close()
    finish(run)
    return digest.hex(), same


def _put_durable(folder: Path, disk: Disk) -> object:
    return _put(folder, disk, EARLIER[b"a" * 32] + 7, durable=True)


def _put_again(folder: Path, disk: Disk) -> object:
    run = begin(folder)
    worker = directory.Store.attach(run.root, run.id, run.spool.path, durable=True, writable=True, disk=disk)
    digest = Codec(kept=worker.blobs, passed=worker.blobs).encode(EARLIER[b"a" * 32], keep=True).record
    worker.blobs.verified.close()
    finish(run)
    return digest.hex()


def _put_over_debris(folder: Path, disk: Disk) -> object:
    return _put(folder, disk, EARLIER[b"c" * 32] + 3)


def _debris(folder: Path) -> None:
    """Leave a file of another size at the name that an array is going to have."""
    _earlier(folder)
    digest = blake3(HEADER + (EARLIER[b"c" * 32] + 3).tobytes()).digest()
    path = Path(Layout(folder / "store").blob(digest))
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_bytes(b"short")


def _pass_on(folder: Path, disk: Disk) -> object:
    run = begin(folder)
    place = spool.Spool(run.spool.path, fallback="", disk=disk)
    data = EARLIER[b"a" * 32].tobytes()
    digest = place.put(HEADER, memoryview(data))
    same = bytes(place.map(digest, HEADER, len(data))[0]) == HEADER + data
    finish(run)
    return digest.hex(), same


def _write_journal(folder: Path, disk: Disk) -> object:
    layout = Layout(folder / "store")
    run_id = new_run_id()
    writer = JournalWriter(layout.journal(run_id), layout.lock(run_id), run_id, disk)
    offsets = []
    for group in GROUPS:
        offsets.append(writer.append(group))
        writer.sync()
    writer.release()
    return offsets


def _run(folder: Path, disk: Disk) -> object:
    run = begin(folder, disk)
    made = keep(run, LATER)
    finish(run)
    return made


def _durable_run(folder: Path, disk: Disk) -> object:
    run = begin(folder, disk, durable=True)
    made = keep(run, LATER)
    finish(run)
    return made


def _hit(folder: Path, disk: Disk) -> object:
    """Answer from what is there, and pass a value on."""
    run = begin(folder, disk)
    codec = Codec(kept=run.blobs, passed=run.spool)
    found = [codec.decode(a.record) for a in run.cache.judge(list(EARLIER)) if isinstance(a, Hit)]
    codec.encode(LATER[b"d" * 32], keep=False)
    finish(run)
    return [equal(value, expected) for value, expected in zip(found, EARLIER.values(), strict=True)]


def _dead_runs(folder: Path) -> None:
    """Leave what runs leave that were killed: parts of tmp/, and spools."""
    _earlier(folder)
    for _ in range(2):
        pid = os.fork()
        if pid == 0:
            run = begin(folder)
            run.spool.put(HEADER, memoryview(b"passed on"))
            Path(run._store.layout.workplace(run.id), "d" * 32).write_bytes(b"draft")
            os._exit(9)
        os.waitpid(pid, 0)


def _tidy(folder: Path, disk: Disk) -> object:
    run = begin(folder, disk)
    left = len([name for name in os.listdir(folder / "store" / "v1" / "tmp") if name != run.id])
    spools = len(os.listdir(folder / "memory"))
    finish(run)
    return left, spools


def _index(folder: Path, disk: Disk) -> object:
    """Write an index in a run that began soundly, and find all through it."""
    run = begin(folder)
    layout = Layout(folder / "store")
    records = Records(layout, disk=disk, tell=_unheard)
    records.read_older(than=run.id)
    built = build_index(disk, layout, f"{layout.workplace(run.id)}/{disk.token()}", records)
    records.close()
    finish(run)
    file = newest_index(DISK, layout)
    return built, file is not None and file.count, None not in records.index.find(list(EARLIER))


def save_step(cell: Generations, step: int) -> int:
    """Save the state after a step: an array that changes, one that does not, a number, and a series."""
    newest = next(iter(cell.found()), None)
    mark = newest[1].series["trace"] if newest else None
    trace = cell.series("trace", descr="<f8", shape=(4,), mark=mark)
    while trace.count < step:
        trace.append(np.full(4, trace.count + 0.5))
    series = {"trace": trace.commit()}
    trace.close()
    values = {"z": LATER[b"d" * 32] + step, "terrain": EARLIER[b"a" * 32], "t": step / 4}
    return cell.save(Manifest(loop=0, step=step, records=cell.encode(values), series=series, cell="erode"))


def saved(folder: Path, disk: Disk = DISK) -> tuple[int, bool]:
    """Give the step of the newest state that can be gone on from, and whether all of it is what was saved."""
    layout = Layout(folder / "store")
    trouble = Trouble(str(folder), disk=disk, tell=_unheard)
    cell = Checkpoints(Home(layout=layout, run_id=new_run_id(), disk=disk, trouble=trouble)).at(STATE)
    for number, manifest in cell.found():
        values = cell.values(number, manifest)
        if values is None:
            continue
        path = f"{layout.checkpoint(STATE)}/{series_file('trace')}"
        try:
            trace = Series(path, descr="<f8", shape=(4,), disk=disk, mark=manifest.series["trace"])
        except (BadSeries, OSError, KeyError):
            continue
        frames, step = trace.read(mapped=False), manifest.step
        trace.close()
        expected = {"z": LATER[b"d" * 32] + step, "terrain": EARLIER[b"a" * 32], "t": step / 4}
        return step, frames.tolist() == [[i + 0.5] * 4 for i in range(step)] and all(
            equal(values[name], value) for name, value in expected.items()
        )
    return -1, True


def _two_states(folder: Path) -> None:
    _earlier(folder)
    run = begin(folder)
    for step in (5, 6):
        save_step(run.checkpoints.at(STATE), step)
    finish(run)


def _save(folder: Path, disk: Disk) -> object:
    run = begin(folder)
    trouble = Trouble(str(folder), disk=disk, tell=_unheard)
    home = Home(layout=Layout(folder / "store"), run_id=run.id, disk=disk, trouble=trouble)
    save_step(Checkpoints(home).at(STATE), 7)
    finish(run)
    return saved(folder)


def _state_is_whole(folder: Path) -> list[str]:
    step, same = saved(folder)
    return [] if step in (5, 6, 7) and same else [f"the newest state is of step {step}, and as saved: {same}"]


def _a_file(folder: Path) -> None:
    _earlier(folder)
    (folder / "result.dat").write_bytes(bytes(range(256)) * 5000)


def _take(folder: Path, disk: Disk) -> object:
    """Keep a file as a result."""
    run = begin(folder)
    worker = directory.Store.attach(
        run.root, run.id, run.spool.path, durable=True, writable=True, disk=disk, tell=_unheard
    )
    filed = worker.files.take(File(folder / "result.dat"))
    found = Path(run.blobs.locate(filed.digest + filed[2].encode(), filed.size)).read_bytes()
    worker.blobs.verified.close()
    finish(run)
    return filed.digest.hex(), blake3(found).hexdigest()


def _worn(folder: Path) -> None:
    """Leave what a collection has something to do with: three dead runs, files that no record names, an index."""
    _earlier(folder)
    run = begin(folder)
    keep(run, LATER)
    finish(run)
    run = begin(folder)
    keep(run, EARLIER)
    run.blobs.put(HEADER, memoryview(b"without a record" * 100))
    records = run.cache.records
    build_index(DISK, Layout(folder / "store"), f"{run._store.layout.workplace(run.id)}/{DISK.token()}", records)
    finish(run)
    (folder / "store" / "v1" / "corrupt" / ("a" * 64 + "." + "b" * 32)).write_bytes(b"put aside")


def _collect(folder: Path, disk: Disk) -> object:
    """Pack journals, and remove what nobody has use for."""
    collect(open_store(folder / "store", disk=disk), keep_runs=0)
    names = sorted(name.partition(".")[2] for name in os.listdir(folder / "store" / "v1" / "journals"))
    kept = list((folder / "store" / "v1" / "arrays").rglob("*.npy"))
    return sorted(set(names)), len(kept), sorted(read(folder, {**EARLIER, **LATER})[0])


def _give_up(folder: Path, disk: Disk) -> object:
    """Remove the results of one run, and what only they name."""
    clear(open_store(folder / "store", disk=disk), task="tests.later")
    return sorted(read(folder, {**EARLIER, **LATER})[0])


def _named_task(folder: Path) -> None:
    _earlier(folder)
    run = begin(folder)
    run.cache.node(1, {"name": "later", "task": "tests.later"})
    keep(run, LATER)
    finish(run)


def _damaged_journal(folder: Path) -> None:
    """Flip a bit in the last frame of a journal whose other frames are sound."""
    _earlier(folder)
    run = begin(folder)
    keep(run, {**EARLIER, **LATER})
    finish(run)
    path = Path(Layout(folder / "store").journal(run.id))
    content = bytearray(path.read_bytes())
    content[-150] ^= 1
    path.write_bytes(content)


def _verify(folder: Path, disk: Disk) -> object:
    """Put a damaged journal aside, its sound frames first moved to a pack."""
    verify(open_store(folder / "store", disk=disk))
    again = verify(open_store(folder / "store"))
    return again.flaws, sorted(set(read(folder, EARLIER)[0]))


def _damaged(folder: Path) -> None:
    """Flip a bit of every kept array of the earlier run."""
    _earlier(folder)
    for path in (folder / "store" / "v1" / "arrays").rglob("*.npy"):
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.chmod(0o600)
        path.write_bytes(content)


def _mend(folder: Path, disk: Disk) -> object:
    """Find the damage, and make the values again."""
    run = begin(folder, disk, told=[])
    codec = Codec(kept=run.blobs, passed=run.spool)
    for answer in run.cache.judge(list(EARLIER)):
        if isinstance(answer, Hit):
            try:
                codec.decode(answer.record)
            except ValueGone:
                continue
    made = keep(run, EARLIER)
    finish(run)
    return made


OPERATIONS = {
    each.name: each
    for each in (
        Operation(name="put", prepare=_earlier, act=_put),
        Operation(name="put durable", prepare=_earlier, act=_put_durable),
        Operation(name="put again", prepare=_earlier, act=_put_again),
        Operation(name="put over debris", prepare=_debris, act=_put_over_debris, debris=True),
        Operation(name="pass on", prepare=_earlier, act=_pass_on),
        Operation(name="journal", prepare=_earlier, act=_write_journal, bare=True),
        Operation(name="first run", prepare=_nothing, act=_run, earlier=False),
        Operation(name="run", prepare=_earlier, act=_run),
        Operation(name="durable run", prepare=_earlier, act=_durable_run),
        Operation(name="warm run", prepare=_earlier, act=_hit),
        Operation(name="index", prepare=_earlier, act=_index),
        Operation(name="save", prepare=_two_states, act=_save, whole=_state_is_whole),
        Operation(name="take a file", prepare=_a_file, act=_take),
        Operation(name="gc", prepare=_worn, act=_collect),
        Operation(name="clear", prepare=_named_task, act=_give_up),
        Operation(name="verify", prepare=_damaged_journal, act=_verify, earlier=False),
        Operation(name="tidy", prepare=_dead_runs, act=_tidy),
        Operation(name="mend", prepare=_damaged, act=_mend, earlier=False, debris=True),
    )
}


def main(name: str, folder: str) -> None:
    """Carry out one operation in a folder where it was prepared: for those who look on from outside."""
    with at_home(Path(folder)):
        OPERATIONS[name].act(Path(folder), DISK)


if __name__ == "__main__":
    main(*sys.argv[1:])
