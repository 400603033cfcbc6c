"""Real stores, written by real runs: where the sound inputs come from."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np

import flowcore as fc
from flowcore.store.directory import Store, open_store
from flowcore.store.frames import HEADER_SIZE, Damage, open_journal, scan
from flowcore.store.fs import DISK
from flowcore.store.history import run_paths


@fc.compute(runner="inline")
def terrain(n: int) -> np.ndarray:
    """Give heights."""
    return np.arange(float(n))


@fc.compute(runner="inline")
def erode(z: np.ndarray, rate: float) -> np.ndarray:
    """Erode, fail, or say that nothing is left."""
    if rate > 0.3:
        raise ValueError("too steep")
    if rate > 0.2:
        raise fc.Skip("nothing is left")
    print("eroding", rate)  # noqa: T201 - what cells print is kept
    return z * rate


@fc.compute(runner="inline")
def pieces(z: np.ndarray) -> list[float]:
    """Give a list to run over."""
    return [float(z.sum()), 2.5]


@fc.compute(runner="inline")
def double(x: float) -> float:
    """Give twice as much."""
    return 2 * x


@fc.compute(runner="inline")
def march(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> float:
    """Step, and show where it is."""
    state = ckpt.state(t=0.0)
    for _ in ckpt.steps(n):
        state.t += 1.0
        ckpt.metric(t=state.t)
    return state.t


@fc.compute(runner="inline")
def total(values: object) -> int:
    """Count."""
    return len(list(values))  # type: ignore[call-overload]


@functools.cache
def folder() -> Path:
    """Give a folder in memory, for as long as this process lives."""
    import atexit

    shared = "/dev/shm" if os.path.isdir("/dev/shm") else None
    made = Path(tempfile.mkdtemp(prefix="flowcore-fuzz-", dir=shared))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@functools.cache
def a_store() -> tuple[Store, str]:
    """Give a store of two runs, and the id of the second."""
    root = folder() / "store"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for rates in ([0.1, 0.2], [0.1, 0.25, 0.4]):
            with fc.Flow("landscape") as flow:
                flow.z = terrain(3000)
                flow.e = erode(flow.z, rate=fc.each(rate=rates))
                flow.p = pieces(flow.z)
                flow.d = double(fc.each(item=flow.p))
                flow.m = march(3)
                flow.t = total(fc.gather(flow.e, missing="drop", labels=True))
            with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(fc.RunFailed):
                flow.run(store=root, on_error="continue", progress=False)
    return open_store(root), list(run_paths(root))[-1]


def frames_of(path: str) -> list[bytes]:
    """Give the payloads of a journal."""
    opened = open_journal(DISK, path)
    assert opened is not None, path
    fd, header = opened
    try:
        return [frame.payload for frame in scan(DISK, fd, header, damage=Damage(), offset=HEADER_SIZE)]
    finally:
        DISK.close(fd)


@functools.cache
def payloads() -> tuple[bytes, ...]:
    """Give what the frames of both runs' journals hold, and those of what they printed: as they were written."""
    store, _ = a_store()
    v1 = Path(store.layout.v1)
    files = sorted([*v1.glob("journals/*.journal"), *v1.glob("logs/*/output.log"), *v1.glob("index/*.tasks")])
    return tuple(payload for path in files for payload in frames_of(str(path)))
