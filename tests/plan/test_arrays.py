"""Claims about plan/arrays.py: the file of an array, to the byte."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcore.plan import arrays
from flowcore.plan.arrays import ArrayFacts, canonical, data_of, describe, dtype_from, facts_from, facts_of, item_size
from flowcore.plan.encode import NoEncoding
from flowcore.plan.extension import BadRecord
from tests.plan import corpus

ARRAYS = [v for v in corpus.different() if type(v) is np.ndarray and v.dtype.kind in arrays.KINDS]


def file_of(array: np.ndarray[Any, Any]) -> bytes:
    """Give the bytes of an array's file."""
    clean = canonical(array)
    return facts_of(clean).header() + bytes(data_of(clean))


@pytest.mark.contract("L2")
@pytest.mark.parametrize("array", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}"[:40])
def test_numpy_reads_our_files(array: np.ndarray[Any, Any]) -> None:
    """np.load, without pickle, gives the array back from what flowcore writes."""
    back = np.load(io.BytesIO(file_of(array)), allow_pickle=False)

    assert (array.dtype, array.shape) == (back.dtype, back.shape)
    assert canonical(array).tobytes() == back.tobytes()


@pytest.mark.contract("L3")
def test_the_header_is_frozen() -> None:
    """The header is part of the digest, so its bytes never change."""
    header = ArrayFacts(descr="<f8", shape=(3, 4), fortran=True).header()
    text = b"{'descr': '<f8', 'fortran_order': True, 'shape': (3, 4), }"

    assert b"\x93NUMPY\x01\x00v\x00" + text + b" " * (118 - len(text) - 1) + b"\n" == header
    assert 0 == len(header) % 64
    assert b"\x03\x00" == ArrayFacts(descr=[("λ", "<f8")], shape=()).header()[6:8]
    assert b"\x01\x00" == ArrayFacts(descr=[("é", "<f8")], shape=()).header()[6:8]


@pytest.mark.contract("L3")
def test_the_header_is_what_numpy_writes_today() -> None:
    """For plain dtypes our frozen form and numpy's of today agree, so b3sum of np.save is our digest."""
    for array in (np.arange(3.0), np.zeros((2, 3), "i2"), np.zeros((2, 3), order="F"), np.array(["a"])):
        saved = io.BytesIO()
        np.save(saved, array)

        assert saved.getvalue() == file_of(array)


@pytest.mark.contract("K15")
def test_contiguous_memory_is_not_copied() -> None:
    """C and F contiguous arrays are taken as they are, and their bytes are a view."""
    for array in (np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3).T, np.zeros(3, "M8[s]")):
        assert canonical(array) is array
        assert np.shares_memory(array, np.frombuffer(data_of(array), np.uint8))


@pytest.mark.contract("K15")
def test_other_layouts_become_c() -> None:
    """A slice, a reversed or broadcast array becomes C before anything else happens."""
    base = np.arange(24.0).reshape(4, 6)
    for array in (base[:, ::2], base[::-1], np.broadcast_to(base[0], (3, 6)), base.reshape(2, 2, 6).transpose(1, 0, 2)):
        made = canonical(array)

        assert made.flags.c_contiguous
        assert not facts_of(made).fortran
        assert array.tolist() == made.tolist()


@pytest.mark.contract("K15")
def test_memmaps_are_arrays(tmp_path: Path) -> None:
    """A mapped file has the file bytes of the array in it."""
    mapped = np.memmap(tmp_path / "x", "<f8", "w+", shape=(3,))
    mapped[:] = [1, 2, 3]

    assert file_of(np.array([1.0, 2.0, 3.0])) == file_of(mapped)


@pytest.mark.contract("K16")
def test_padding_is_zero() -> None:
    """Padding never reaches a file; NaN payloads do."""
    inner = np.dtype([("x", "i1"), ("y", "<f4")], align=True)
    outer = np.dtype({"names": ["a", "b"], "formats": [inner, (inner, 2)], "offsets": [0, 16], "itemsize": 64})
    raw = np.full(outer.itemsize * 3, 0xFF, np.uint8).view(outer)
    clean = data_of(canonical(raw))
    used = {i for start in (0, 16, 24) for i in (start, *range(start + 4, start + 8))}

    assert [255 if i in used else 0 for i in range(64)] * 3 == list(clean)
    assert 255 == raw.view(np.uint8)[1], "the user's array is left alone"


@pytest.mark.contract("K16")
@pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="longdouble has no padding here")
@pytest.mark.parametrize(("kind", "used"), [("<f16", [0]), ("<c32", [0, 16])])
def test_padding_of_longdouble_is_zero(kind: str, used: list[int]) -> None:
    """Of 16 bytes of an extended double ten count."""
    raw = np.full(len(used) * 16, 0xFF, np.uint8)
    clean = list(data_of(canonical(raw.view(kind))))
    raw_big = list(data_of(canonical(raw.view(kind.replace("<", ">")))))

    assert ([255] * 10 + [0] * 6) * len(used) == clean
    assert ([0] * 6 + [255] * 10) * len(used) == raw_big


@pytest.mark.contract("K17", "S1")
@pytest.mark.parametrize(
    ("dtype", "path"),
    [("O", ""), ([("a", "f8"), ("b", "O")], "['b']"), ([("a", [("c", "O")])], "['a']['c']")],
)
def test_objects_are_refused(dtype: Any, path: str) -> None:
    """Arrays of objects would need pickle; the field that holds them is named."""
    with pytest.raises(NoEncoding) as refused:
        describe(np.dtype(dtype))

    assert path == refused.value.path


def test_overlapping_fields_are_refused() -> None:
    """A npy header cannot say fields that share bytes."""
    with pytest.raises(NoEncoding):
        describe(np.dtype({"names": ["a", "b"], "formats": ["<i4", "<i2"], "offsets": [0, 2]}))


@pytest.mark.contract("K17")
def test_descr_and_dtype_agree() -> None:
    """A dtype survives the way through its descr, and its size is known without numpy."""
    for array in ARRAYS:
        descr = describe(array.dtype)

        assert array.dtype == dtype_from(descr)
        assert array.dtype.itemsize == item_size(descr)


@pytest.mark.contract("S1", "S7")
@pytest.mark.parametrize(
    "descr", ["O", "|O8", "<f8; import os", "f8,i4", "", "<q9", [["a", "O"]], [["a"]], "T16", b"<f8", 8, "<M8[']"]
)
def test_foreign_dtypes_are_refused(descr: Any) -> None:
    """What flowcore does not write it does not read."""
    with pytest.raises(BadRecord):
        dtype_from(facts_from(descr, False, [1]).descr)
