"""S1, P9: a store full of planted pickles, read by every verb under an audit hook.

    python -m tests.faults.onslaught FOLDER

Makes a store with every kind of file in it, reads it once as it is (so all of flowcore is
imported), and then again and again with a pickle planted in one kind of place: whatever
runs, compiles, imports, unpickles, starts or connects to something then is printed, as
JSON, by place. A sabotage named in the environment is applied first (H7).
"""

from __future__ import annotations

import _strptime
import contextlib
import io
import json
import os
import pickle
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import numpy as np

import flowcore as fc
from flowcore.cli import main as flowcore
from flowcore.plan.extension import DATACLASS, PASSED, PICKLED, extension, pack
from flowcore.plan.records import component_of_form
from flowcore.store import frames, journal
from flowcore.store.directory import open_store
from flowcore.store.fs import DISK
from flowcore.store.gc import collect
from tests.faults import saboteurs

READY = (tomllib, _strptime)  # what Python imports when it is first needed
SEEN = ("pickle.", "exec", "compile", "marshal.", "import", "subprocess.", "os.system", "os.exec", "os.fork",
        "os.posix_spawn", "os.spawn", "socket.", "ctypes.dlopen", "code.__new__", "function.__new__")  # fmt: skip
VERBS = (
    ["runs"], ["runs", "--json"], ["show", "last"], ["show", "last", "field[n=3]"], ["show", "last~1", "--json"],
    ["show", "last", "land", "--json"], ["watch", "last"], ["watch", "last~1", "--json"], ["config"],
    ["report", "last", "-o", "page.html"], ["export", "last", "--format", "chrome", "-o", "chrome.json"],
    ["export", "last", "--format", "wfformat", "-o", "wf.json"], ["diff", "last", "last~1"], ["cache", "ls"],
    ["cache", "du"], ["cache", "verify"], ["cache", "gc", "--dry-run"],
)  # fmt: skip


class Evil:
    """Leaves a mark if it is ever unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, ("touch executed",)


PICKLE = pickle.dumps(Evil())
OLD = b"cos\nsystem\n(S'touch executed'\ntR."
OBJECTS = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(127) + b"\n" + PICKLE


@dataclass
class Land:
    """A value of a class."""

    height: float


@fc.compute
def field(n: int) -> Any:
    """Give an array that is a file of its own."""
    sys.stdout.write(f"made {n}\n")
    return np.full(5000, float(n))


@fc.compute
def land(n: int) -> Any:
    """Give small values that stand in the journal."""
    return {"land": Land(n), "one": 1, "text": "x" * n}


@fc.compute
def taken(path: str) -> fc.File:
    """Give a file."""
    return fc.File(path)


@fc.compute
def stopped(steps: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Leave a saved state behind."""
    s = ckpt.state(z=np.zeros(5000))
    for step in ckpt.steps(steps):
        s.z += 1
        ckpt.append(trace=s.z[:2])
        ckpt.save()
        if step == 2:
            raise ValueError("stopped")
    return float(s.z[0])


def main() -> None:
    """Make the store, then plant and read."""
    saboteurs.apply(os.environ["FLOWCORE_SABOTAGE"]) if "FLOWCORE_SABOTAGE" in os.environ else None
    heard: list[str] = []
    armed = False

    def hear(event: str, args: tuple[object, ...]) -> None:
        if armed and event.startswith(SEEN) and not _of_a_dataclass(event, args):
            heard.append(f"{event} {str(args)[:200]}")

    sys.addaudithook(hear)
    _made()
    _read()
    found: dict[str, list[str]] = {}
    shutil.copytree(".flowcore", "sound", symlinks=True)
    for place, plant in planted():
        shutil.rmtree(".flowcore")
        shutil.copytree("sound", ".flowcore", symlinks=True)
        plant()
        if not found:
            _read()
        armed = True
        _read()
        armed = False
        found[place] = sorted(set(heard))
        heard.clear()
    sys.stdout.write(json.dumps({"heard": found, "executed": Path("executed").exists()}))


def _of_a_dataclass(event: str, args: tuple[Any, ...]) -> bool:
    """Tell whether this is a method that `dataclasses` writes, which our records get when it is first called."""
    if event == "compile":
        source = args[0].encode() if isinstance(args[0], str) else args[0]
        return isinstance(source, bytes) and source.startswith(b"def __create_fn__")
    return event == "exec" and args[0].co_names == ("__create_fn__",)


def _made() -> None:
    Path("data.bin").write_bytes(b"data")
    for ns in ([1, 2], [1, 2, 3]):
        with fc.Flow("lands") as flow:
            field(fc.each(n=ns))
            land(fc.each(n=ns))
            taken("data.bin")
            stopped(len(ns) + 5)
        with contextlib.suppress(fc.RunFailed):
            flow.run(store=".flowcore", on_error="continue", progress=False, executor="inline")
    collect(open_store(".flowcore"), keep_runs=2)


def _read() -> None:
    """Read the store in all the ways there are."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        for verb in VERBS:
            flowcore(verb)
        with contextlib.suppress(fc.FlowcoreError):
            for info in fc.runs(".flowcore"):
                run = fc.open_run(info.id, ".flowcore")
                for cell in ("field[n=2]", "land[n=2]", "taken"):
                    with contextlib.suppress(fc.FlowcoreError):
                        str(run[cell])


def planted() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield places, and what plants pickles in them."""
    root = Path(".flowcore/v1")
    yield "nothing", lambda: None
    for name in ("flowcore.toml", "pyproject.toml"):
        yield name, lambda name=name: Path(name).write_bytes(OLD)  # type: ignore[misc]
    yield "no options", lambda: [Path(name).unlink() for name in ("flowcore.toml", "pyproject.toml")]
    for kind in ("arrays/*/*.npy", "files/*/*", "journals/*.journal", "journals/*.pack", "index/*",
                 "checkpoints/*/*.state", "checkpoints/*/*.npy", "checkpoints/*/*.series", "code/*", "logs/*/*",
                 "flowcore-store"):  # fmt: skip
        yield (
            kind,
            lambda kind=kind: [  # type: ignore[misc]
                _write(path, (PICKLE, OLD, OBJECTS)[i % 3]) for i, path in enumerate(sorted(root.glob(kind)))
            ],
        )
    passed = extension(PASSED, [PICKLE, []])
    kept = extension(PICKLED, ["pickle 5", bytes(32), bytes(32), len(PICKLE), PICKLE])
    codec = extension(PICKLED, ["os:system", bytes(32), bytes(32), len(PICKLE), PICKLE])
    named = [
        extension(DATACLASS, [name, "command", "touch executed"]) for name in ("os:system", "builtins:exec", "site:x")
    ]
    for i, record in enumerate((passed, kept, codec, *named, msgpack.ExtType(100, PICKLE), msgpack.ExtType(7, OLD))):
        yield f"records of kind {i}", lambda record=record: _in_journals(pack(record))  # type: ignore[misc]


def _write(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def _in_journals(record: bytes) -> None:
    """Put a record in place of every value in the journals, under valid checksums."""
    for path in Path(".flowcore/v1/journals").glob("*.journal"):
        fd = os.open(path, os.O_RDONLY)
        header = frames.read_header(DISK, fd)
        assert header is not None
        content = frames.pack_header(header.salt, header.boot)
        for frame in list(frames.scan(DISK, fd, header, damage=frames.Damage())):
            records = msgpack.unpackb(frame.payload, strict_map_key=False)
            for one in records:
                if one[0] == "trace":
                    one[6], one[7] = component_of_form(record), record
            content += frames.seal(header.salt, len(content), journal.pack(records))
        os.close(fd)
        _write(path, content)


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    main()
