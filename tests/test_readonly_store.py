"""Claims about a store that can be read and not written, as whole runs see it (contract F21)."""

from __future__ import annotations

import errno
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.store.fs import Disk, PathLike


class ReadOnly(Disk):
    """A disk that nobody may write to, as far as it is asked."""

    def may_write(self, path: PathLike) -> None:
        """Refuse."""
        raise OSError(errno.EROFS, "read-only", str(path))


@fc.compute
def large(n: int) -> Any:
    """Give an array that lies in a file of its own."""
    return np.arange(float(n))


@fc.compute
def total(values: Any) -> float:
    """Sum up."""
    return float(values.sum())


@fc.compute
def written(folder: str) -> fc.File:
    """Write a file."""
    path = Path(folder) / "out.dat"
    path.write_bytes(b"abc")
    return fc.File(path)


@pytest.mark.contract("F21", "P8")
@pytest.mark.parametrize("executor", ["process", "inline"])
def test_large_hits_are_read(executor: str, store: Path, tmp_path: Path) -> None:
    """Arrays and files of earlier runs are there for the run and its workers; what is new is computed from them."""
    with fc.Flow("first") as first:
        large(5000)
        written(str(tmp_path))
    first.run(store=store, progress=False, executor="inline")
    with fc.Flow("second") as second:
        total(large(5000))
        written(str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = second.run(*second.nodes, store=fc.open_store(store, disk=ReadOnly()), progress=False, executor=executor)

    assert [(0, 1), (1, 0), (0, 1)] == [
        (run.counts(name).done, run.counts(name).hit) for name in ("large", "total", "written")
    ]
    assert (4999.0, 12_497_500.0, b"abc") == (
        run["large"][-1], run["total"], Path(run["written"]).read_bytes(),
    )  # fmt: skip
