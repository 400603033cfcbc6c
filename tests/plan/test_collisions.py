"""Claims about identities: no two different values share one, and equal values do (KT2)."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowcore.declare.files import File
from flowcore.plan import arrays, numeric, records, writing
from flowcore.plan.code import identify_value
from flowcore.plan.encode import NoEncoding, encode
from flowcore.store.files import Files
from tests.plan import corpus, golden
from tests.plan.corpus import Memory
from tests.plan.tables import equal_tables, tables

Identity = Callable[[object], object]


def identity(value: object) -> bytes:
    """Give the component of a value, as an argument has it."""
    try:
        return encode(value, put=Memory().put, look=Files().look).component
    except NoEncoding:
        return identify_value(value).component


def scaled(factor: float) -> Callable[[float], float]:
    """Give a function that holds a number."""
    return lambda x: x * factor


def shifted(x: float, by: float = 1.0, *, twice: bool = False) -> float:
    """Shift."""
    return x + by * (2 if twice else 1)


class Model:
    """A class with methods."""

    def first(self) -> int:
        """Give one."""
        return 1

    def second(self) -> int:
        """Give two."""
        return 2


def functions() -> list[object]:
    """Give functions, and what holds some, of which no two may share an identity."""
    return [
        lambda x: x + 1, lambda x: x + 2, lambda x: x + 1.0, lambda x, y: x + y, lambda x, *, y: x + y, lambda *x: x,
        scaled(2.0), scaled(3.0), scaled(2), shifted, functools.partial(shifted, by=2.0), functools.partial(shifted, 2.0), functools.partial(shifted, by=2),
        functools.partial(shifted, twice=True), Model, Model.first, Model.second, len, sorted, min, np.sin, np.cos, np.mean, np.linalg.norm,
        re.compile, operator.itemgetter(1), operator.itemgetter("1"), operator.attrgetter("a"), str.upper, str.lower, [len], (len,), {"f": len}, {"g": len},
        [lambda x: x + 1], {"f": scaled(2.0)}, [np.sin, np.cos], [np.cos, np.sin], lambda: (1, 2), lambda: [1, 2], lambda: {1, 2}, lambda x: x if x else 1,
    ]  # fmt: skip


def exotica() -> list[object]:
    """Give near-equal values that need more than one line of code."""
    structs = [np.zeros(2, np.dtype([("a", "i1"), ("b", "<f8")], align=align)) for align in (True, False)]
    masked = [np.ma.masked_array([1, 2], mask, fill_value=fill) for mask in ([0, 1], [1, 1]) for fill in (3, 4)]
    units = [np.array([1], f"m8[{unit}]") for unit in ("s", "ms", "us", "ns", "D", "2s")] + [np.array([1], "m8")]
    payloads = [np.array([corpus.nan(i)]) for i in (2, 3)] + [np.array([-corpus.nan(0)]), np.array([0.0])]
    texts = [
        corpus.strings("a", missing, na_object=kind)
        for missing, kind in ((None, None), ("", None), (float("nan"), float("nan")))
    ][1:]
    return [
        *structs, *masked[1:], *units[1:3], units[4], units[5], units[6], *payloads[:3], *texts[:0],
        np.array(["a"], "<U1"), np.array(["a"], "<U2"), np.array(["a"], ">U1"), np.array([b"a"], "S2"), np.array([b"a"], "V2"),
        np.zeros((2, 3), "<f4"), np.zeros((3, 2), "<f4"), np.zeros((2, 3), "<f4", order="F"), np.zeros((2, 3, 1), "<f4"), np.zeros(6, ">f4"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def values(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Give values of which no two may share an identity."""
    folder = tmp_path_factory.mktemp("files")
    files: list[object] = []
    for i, content in enumerate((b"", b"a", b"b", b"ab", b"a\n", np.arange(6.0).tobytes())):
        path = folder / f"{i}.dat"
        path.write_bytes(content)
        files += [File(path), [File(path)], {"f": File(path)}, path]
    return [*corpus.different(), *exotica(), *functions(), *tables().values(), *files]


def clashes(values: list[object], identity: Identity) -> list[tuple[object, object]]:
    """Give pairs of values that an identity takes for the same; what it cannot tell is left out."""
    first: dict[object, object] = {}
    found = []
    for value in values:
        try:
            made = identity(value)
        except (TypeError, ValueError, NoEncoding, AttributeError, NotImplementedError):
            continue
        if made in first:
            found.append((first[made], value))
        first[made] = value
    return found


@pytest.mark.contract("KT2", "K11", "K12", "K13", "K14", "K15", "K16", "K17", "K19", "K20", "K22")
def test_different_values_differ(values: list[object]) -> None:
    """No two of more than 400 near-equal values share an identity: functions, tables and files among them."""
    assert [] == clashes(values, identity)
    assert len(values) > 400


@pytest.mark.contract("KT2")
@pytest.mark.parametrize("pair", corpus.equal_pairs(), ids=lambda pair: repr(pair[0])[:40])
def test_equal_values_agree(pair: tuple[object, object]) -> None:
    """Layout in memory, sharing, padding, metadata and insertion order of sets do not count."""
    assert identity(pair[0]) == identity(pair[1])


@pytest.mark.contract("KT2", "K19", "K22")
def test_equal_functions_and_files_agree(tmp_path: Path) -> None:
    """A function is what it does, a file is what is in it."""
    for name in ("a.nc", "b.nc"):
        (tmp_path / name).write_bytes(b"same")
    pairs: Iterator[tuple[object, object]] = iter([
        (lambda x: x + 1, lambda x: x + 1), (scaled(2.0), scaled(2.0)), (functools.partial(shifted, by=2.0), functools.partial(shifted, by=2.0)),
        (File(tmp_path / "a.nc"), File(tmp_path / "b.nc")), ([len], [len]),
    ])  # fmt: skip

    assert [] == [pair for pair in pairs if identity(pair[0]) != identity(pair[1])]


# ---- the tests of the tests --------------------------------------------------------


def _joined(value: Any) -> str:
    return "-".join(map(str, value))


def _raw(value: Any) -> bytes:
    return bytes(value.tobytes())


@pytest.mark.contract("KT2")
@pytest.mark.parametrize("saboteur", [repr, hash, str, _joined, _raw])
def test_weaker_identities_clash(saboteur: Identity, values: list[object]) -> None:
    """The corpus is hard enough: identities made in the usual weak ways do clash on it."""
    assert clashes(values, saboteur)


def _without_dtype(descr: Any, fortran: bool, shape: Any) -> arrays.ArrayFacts:
    return arrays.facts_from("|V1", fortran, shape)


def _without_shape(descr: Any, fortran: bool, shape: Any) -> arrays.ArrayFacts:
    return arrays.facts_from(descr, fortran, [0])


def _without_order(descr: Any, fortran: bool, shape: Any) -> arrays.ArrayFacts:
    return arrays.facts_from(descr, False, shape)


@pytest.mark.contract("KT2")
@pytest.mark.parametrize("saboteur", [_without_dtype, _without_shape, _without_order])
def test_a_header_without_a_fact_is_found_out(
    saboteur: Any, values: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropping dtype, shape or order from what is hashed of an array makes values clash."""
    monkeypatch.setattr(records, "facts_from", saboteur)

    assert clashes(values, identity)


@pytest.mark.contract("KT2")
def test_raw_bytes_are_found_out(values: list[object], monkeypatch: pytest.MonkeyPatch) -> None:
    """So does hashing the data of an array without its header."""
    monkeypatch.setattr(records, "array_digest", lambda header, data: records.blake3(data).digest())

    assert clashes(values, identity)


@pytest.mark.contract("KT2")
@pytest.mark.parametrize("kind", [tuple, set, frozenset, bytearray])
def test_a_container_without_its_tag_is_found_out(
    kind: type, values: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tuple written as a list, or a set as its sorted members, is another value's record."""
    plain: Any = {bytearray: lambda value, _: bytes(value)}.get(kind, lambda value, w: w.sequence(value))
    monkeypatch.setitem(writing._BUILTIN, kind, plain)
    golden_table = encode.__globals__["WRITERS"]
    monkeypatch.setitem(golden_table, kind, plain)

    assert clashes(values, identity)
    assert golden.COMPONENTS


@pytest.mark.contract("KT2", "K16")
def test_padding_that_stays_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without zeroed padding, equal structs differ: the equal pairs are hard enough as well."""
    monkeypatch.setattr(arrays, "_padding", lambda dtype: None)
    monkeypatch.setattr(numeric, "canonical", arrays.canonical)

    assert [pair for pair in corpus.equal_pairs() if identity(pair[0]) != identity(pair[1])]


@pytest.mark.contract("KT2", "K20")
def test_blocks_of_frames_are_found_out() -> None:
    """Pickles of equal tables differ: what pickle sees is no identity."""
    import pickle

    assert [pair for pair in equal_tables() if pickle.dumps(pair[0]) != pickle.dumps(pair[1])]
