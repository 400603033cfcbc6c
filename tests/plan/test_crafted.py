"""Claims about records that somebody made to harm: no code runs, no process dies, nothing grows (contract S1, S7)."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest

from flowcore.plan.encode import BadRecord, NoEncoding, PlainRecord, decode, encode, no_fetch
from flowcore.plan.extension import (
    ARRAY_INLINE,
    DATACLASS,
    ENUM,
    MASKED,
    NAMEDTUPLE,
    REGISTERED,
    STANDARD,
    STRINGS,
    extension,
    pack,
)
from flowcore.store.fs import DISK
from flowcore.store.manifest import SeriesMark
from flowcore.store.series import BadSeries, read_committed
from tests.plan import victims
from tests.plan.corpus import Memory


def _class(name: str, *fields: object, code: int = DATACLASS) -> msgpack.ExtType:
    return extension(code, [f"tests.plan.victims:{name}", *fields])


def _standard(name: str, *parts: object) -> msgpack.ExtType:
    return extension(STANDARD, [name, list(parts)])


def _shipped(name: str, *parts: object) -> msgpack.ExtType:
    return extension(REGISTERED, [name, "1", list(parts)])


def _array(values: list[Any], kind: str = "<i8") -> msgpack.ExtType:
    array = np.array(values, kind)
    return extension(ARRAY_INLINE, [array.tobytes(), array.dtype.str, False, list(array.shape)])


ANY = _class("Anything", "a", 1)
NONE: list[object] = ["range", 0, 1, 1, [None]]
CLASSES = {
    "a field behind a descriptor": _class("Described", "x", 4),
    "a field behind a property": _class("Car", "wheels", 4, "_wheels", 3),
    "a class with a finalizer": _class("Folder", "path", "/home"),
    "a namedtuple with a finalizer": _class("ClosingSoon", "path", "/home", code=NAMEDTUPLE),
    "a class whose metaclass is asked": _class("Plain", "a", 1),
    "what stands in such a class": _class("Plain.inner", "a", 1),
    "a proxy": _class("proxy", "a", 1),
    "what stands in a proxy": _class("proxy.inner", "a", 1),
    "a function": _class("note", "a", 1),
    "a member that is no text": _class("Colour", ANY, None, code=ENUM),
    "a value without a member": _class("Colour", None, 7, code=ENUM),
    "members put together by a base of the user's": _class("Rights", None, 3, code=ENUM),
    "members put together by a metaclass": _class("Modes", None, 3, code=ENUM),
    "members that are no number": _class("Sound", None, ANY, code=ENUM),
}
PARTS = {
    "a codec's name": extension(REGISTERED, [ANY, "1", []]),
    "an unknown codec's version": extension(REGISTERED, ["nobody's", ANY, []]),
    "a known codec's version": extension(REGISTERED, ["pandas.DataFrame", ANY, []]),
    "a path": _standard("pathlib.PurePosixPath", "PurePosixPath", ANY),
    "a range": _standard("range", ANY, ANY, ANY),
    "a date": _standard("datetime.date", ANY, ANY, ANY),
    "a timedelta": _standard("datetime.timedelta", ANY),
    "a decimal": _standard("decimal.Decimal", 0, [ANY], 0),
    "a uuid": _standard("uuid.UUID", ANY),
    "a seed": _standard("numpy.random.bit_generator.SeedSequence", 1, ANY, 4, 0),
    "strings": extension(STRINGS, [True, [ANY], ANY, ANY, ANY, [0]]),
    "a frame's block": _shipped("pandas.DataFrame", [["block", ANY]], NONE, NONE, {}, True),
    "a frame's pieces": _shipped("pandas.DataFrame", ANY, NONE, NONE, {}, True),
    "a frame's notes": _shipped("pandas.DataFrame", [], NONE, NONE, ANY, ANY),
    "an array of pandas": _shipped("pandas.array", "numpy", ANY),
    "codes": _shipped("pandas.array", "category", ANY, NONE, True),
    "ticks": _shipped("pandas.array", "zoned", ANY, "ns", None),
    "a zone": _shipped("pandas.array", "zoned", _array([1]), "ns", ANY),
    "ordinals": _shipped("pandas.array", "period", ANY, "D"),
    "what is masked": _shipped("pandas.array", "masked", "Int64", ANY, ANY),
    "an instant": _shipped("pandas.Timestamp", ANY, "ns", None, 0),
    "a sparse matrix": _shipped("scipy.sparse", "csr_array", [2, 3], [ANY, ANY, ANY]),
    "its name": _shipped("scipy.sparse", ANY, [2, 3], []),
    "a variable": _shipped("xarray.Variable", ["x"], ["plain", ANY], {}),
    "an extended variable": _shipped("xarray.Variable", ["x"], ["extended", ANY], {}),
    "dimensions": _shipped("xarray.Variable", ANY, ["plain", _array([1])], {}),
    "coordinates": _shipped("xarray.DataArray", None, [["x"], ["plain", _array([1])], {}], ANY, []),
}


def read(record: object) -> object:
    """Read a crafted record."""
    victims.ran.clear()
    return decode(pack(record), fetch=no_fetch)


@pytest.mark.contract("S1")
@pytest.mark.parametrize("name", CLASSES)
def test_no_class_is_asked_or_called(name: str) -> None:
    """Setters, finalizers, metaclasses, proxies and _missing_ stay silent: a plain record comes back."""
    back = read(CLASSES[name])
    kind = type(back)
    del back

    assert (PlainRecord, []) == (kind, victims.ran)


@pytest.mark.contract("S1")
@pytest.mark.parametrize("name", PARTS)
def test_no_value_is_taken_for_another(name: str) -> None:
    """An object where a number, a text, a list or an array has to stand is not asked whether it is one."""
    with pytest.raises(BadRecord):
        read(PARTS[name])

    assert [] == victims.ran


@pytest.mark.contract("S1")
def test_members_are_still_put_together() -> None:
    """Where the library alone does it; and a member by its name, whoever its metaclass is."""
    assert victims.Sound.LOUD | victims.Sound.LONG == read(_class("Sound", None, 3, code=ENUM))
    assert victims.Modes.ON is read(_class("Modes", "ON", None, code=ENUM))
    assert ("/tmp",) == read(_class("Closing", "path", "/tmp", code=NAMEDTUPLE))


@pytest.mark.contract("S1", "K29")
@pytest.mark.parametrize(
    "value",
    [victims.Car(4), victims.Folder("/home"), victims.ClosingSoon("/home"), victims.Rights(3), victims.Modes(3)],
)
def test_what_could_not_be_read_is_not_kept(value: object) -> None:
    """A value that only its own code could put together has no encoding: warm would not be cold."""
    with pytest.raises(NoEncoding):
        encode(value, put=Memory().put)


@pytest.mark.contract("S1")
def test_a_module_that_loads_itself_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lazy module runs its file when it is first asked for anything, for its names as well."""
    (tmp_path / "later.py").write_text("import pathlib\npathlib.Path(__file__).with_name('ran').touch()\n")
    spec = importlib.util.spec_from_file_location("flowcore_later", tmp_path / "later.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "flowcore_later", module)
    spec.loader.exec_module(module)
    back = read(extension(DATACLASS, ["flowcore_later:Thing", "a", 1]))

    assert isinstance(back, PlainRecord)
    assert not (tmp_path / "ran").exists()


@pytest.mark.contract("S7")
@pytest.mark.parametrize("descr", ["<M8[7s/0]", "<M8[s/1]", "<M8[0s]", "<m8[00s]", "<M8[99999999999s]", "<M8[O]"])
def test_units_that_end_a_process(descr: str) -> None:
    """Numpy divides by the divisor of a unit without a look: SIGFPE. It writes none, so none is read."""
    with pytest.raises(BadRecord):
        read(extension(ARRAY_INLINE, [bytes(8), descr, False, [1]]))


@pytest.mark.contract("S7")
@pytest.mark.parametrize("descr", ["|S0", "<U0", "|V0"])
def test_texts_of_no_length_take_no_room(descr: str) -> None:
    """2^40 of them are an array of 2^40 and no bytes, and keep their dtype."""
    back: Any = read(extension(ARRAY_INLINE, [b"", descr, False, [1 << 40]]))

    assert (descr, (1 << 40,), 0) == (back.dtype.str, back.shape, back.nbytes)


@pytest.mark.contract("S7")
@pytest.mark.parametrize(
    "record",
    [
        extension(STRINGS, [True, [], _array([0, 8, 0, 8]), _array([65] * 8, "|u1"), None, [3]]),
        extension(STRINGS, [True, [], _array([0, 4]), _array([65] * 8, "|u1"), None, [1]]),
        extension(MASKED, [_array([1]), _array([1, 0], "|b1"), _array([1]), False]),
        _standard("numpy.random.bit_generator.SeedSequence", 1, [], 1 << 31, 0),
    ],
    ids=["texts that overlap", "texts that leave some", "a mask of another shape", "a pool of 2^31 words"],
)
def test_small_records_stay_small(record: object) -> None:
    """Nothing is allocated, or mixed for hours, beyond what the bytes of a record say."""
    with pytest.raises(BadRecord):
        read(record)


@pytest.mark.contract("S7")
@pytest.mark.parametrize(("indices", "indptr"), [([1 << 30], [0, 1]), ([-5], [0, 1]), ([0, 0], [0, 1 << 30, 2])])
def test_indices_outside_of_a_matrix(indices: list[int], indptr: list[int]) -> None:
    """Scipy believes them, and reads and writes where they point."""
    content = [_array([1.0] * len(indices), "<f8"), _array(indices, "<i4"), _array(indptr, "<i4")]
    with pytest.raises(BadRecord):
        read(_shipped("scipy.sparse", "csr_array", [len(indptr) - 1, 3], content))


@pytest.mark.contract("S6")
def test_a_zone_is_no_path() -> None:
    """Pandas would have dateutil open any file that a text names."""
    with pytest.raises(BadRecord):
        read(_shipped("pandas.array", "zoned", _array([1]), "ns", "dateutil//dev/zero"))


@pytest.mark.contract("S6")
def test_a_pattern_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A flag of a pattern has `re` print what it compiles."""
    read(_standard("re.Pattern", "a", 128))

    assert "" == capsys.readouterr().out


@pytest.mark.contract("S7")
def test_a_series_of_nothing_takes_no_room(tmp_path: Path) -> None:
    """2^40 texts of no length, which a planted manifest may promise, are no bytes; odd units are refused."""
    path = tmp_path / "a.series"
    path.touch()
    mark = SeriesMark(descr="|S0", shape=(), count=1 << 40, digest=bytes(32))
    found = read_committed(DISK, str(path), mark, mapped=True)

    assert (0, 1 << 40) == (found.nbytes, len(found))
    with pytest.raises((BadRecord, BadSeries)):
        read_committed(DISK, str(path), replace(mark, descr="<M8[7s/0]"), mapped=True)
