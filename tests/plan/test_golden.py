"""Claims about identities that are frozen: the same in every process, today and after the next change (KT1)."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from flowcore.plan.encode import encode
from flowcore.store.files import Files
from tests.plan import golden
from tests.plan.corpus import Memory

VALUES = golden.values()
# What numpy itself gives back as another value: without zeros at the end, or with a mask of its own making.
LOSSY = {"numpy text", "numpy bytes", "masked hard", "no mask"}
# numpy before 2.2.5 crashes where it copies variable-width strings deeply (numpy#28609).
OLD = tuple(int(part) for part in np.__version__.split(".")[:3] if part.isdecimal()) < (2, 2, 5)
CRASHING = {name for name, value in VALUES.items() if OLD and getattr(getattr(value, "dtype", None), "kind", "") == "T"}
ARRAYS = [name for name, value in VALUES.items() if isinstance(value, np.ndarray)]


@pytest.mark.contract("KT1", "K12", "K13", "K14", "K15", "K16", "K17", "K22")
@pytest.mark.parametrize("name", golden.COMPONENTS)
def test_golden_components(name: str) -> None:
    """The identity of a value never changes between versions; if it must, the schema number is raised."""
    if name not in VALUES:  # a longdouble of another processor
        assert "longdouble" in name
        return

    assert golden.COMPONENTS[name] == golden.component(VALUES[name])


def test_all_are_frozen() -> None:
    """There are many, no two are alike, and none was forgotten."""
    assert len(VALUES) >= 150
    assert set(VALUES) <= set(golden.COMPONENTS)
    assert len(golden.COMPONENTS) == len(set(golden.COMPONENTS.values()))


def test_golden_records_of_the_store() -> None:
    """The bytes of a record are a format: what an older version wrote can be read."""
    home = Memory()
    records = {name: encode(VALUES[name], put=home.put).record.hex() for name in golden.RECORDS}

    assert golden.RECORDS == records


@pytest.mark.contract("KT1")
@pytest.mark.parametrize("seed", ["0", "1", "2", "3"])
def test_golden_in_another_process(seed: str) -> None:
    """A fresh process under another hash seed gives the same identities."""
    script = (
        "from tests.plan import golden\n"
        "for name, value in golden.values().items(): print(golden.component(value), '', name)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script], env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip

    assert {name: golden.COMPONENTS[name] for name in VALUES} == {
        name: component for component, _, name in (line.partition("  ") for line in out.splitlines())
    }


@pytest.mark.contract("KT1")
@pytest.mark.parametrize("name", VALUES)
def test_golden_after_a_pickle(name: str) -> None:
    """A value that went through a pickle, or was copied deeply, is the value that it was."""
    value = VALUES[name]
    if name in LOSSY:
        return
    back = pickle.loads(pickle.dumps(value, protocol=5))
    if isinstance(value, np.ndarray) and value.dtype.type is np.record:
        back = back.view(type(value))

    assert golden.COMPONENTS[name] == golden.component(back)
    if name not in CRASHING:
        assert golden.COMPONENTS[name] == golden.component(copy.deepcopy(value))


@pytest.mark.contract("KT1", "K15")
@pytest.mark.parametrize("name", ARRAYS)
def test_golden_of_views(name: str) -> None:
    """A view with strides of its own, a read-only one and one that is not aligned have the identity of the copy."""
    value: Any = VALUES[name]
    padded = np.zeros((*value.shape, 2), value.dtype) if value.dtype.kind != "T" else None
    locked = value.view()
    locked.flags.writeable = False

    assert golden.COMPONENTS[name] == golden.component(locked)
    if padded is not None and type(value) is np.ndarray and not value.flags.f_contiguous:
        padded[..., 0] = value
        assert golden.component(np.ascontiguousarray(value)) == golden.component(padded[..., 0])


@pytest.mark.contract("KT1", "K22")
def test_a_file_has_the_digest_of_its_content() -> None:
    """The identity of a file does not depend on where the project was checked out."""
    assert golden.FROZEN.with_name("golden_file.txt").read_text().startswith("The content of a file")
    assert "file" in golden.COMPONENTS
    assert Files().look(VALUES["file"]).size == 39  # type: ignore[arg-type]
