"""Claims about plan/encode.py: one value, one identity, and back without loss."""

# ruff: noqa: E501, D103 - tables are read by column; fixtures and oracles have speaking names

from __future__ import annotations

import dataclasses
import enum
import functools
import io
import itertools
import random
import sys
from collections import OrderedDict, defaultdict
from typing import Any, NamedTuple

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from flowcore.plan import encode as plan
from flowcore.plan import kinds
from flowcore.plan.encode import BadRecord, NoEncoding, PlainRecord, ValueGone, component_of, decode, encode, references
from flowcore.plan.extension import INLINE_LIMIT, PASSED, extension, pack
from tests.plan import corpus
from tests.plan.corpus import Memory


@pytest.fixture
def home() -> Memory:
    return Memory()


def identity(value: object) -> bytes:
    return encode(value, put=Memory().put).component


def same(left: Any, right: Any) -> bool:
    """Tell whether two values cannot be told apart: types, bits, layout, order."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ma.MaskedArray):
        return identity(left) == identity(right)
    if isinstance(left, np.ndarray):
        layout = left.flags.c_contiguous == right.flags.c_contiguous or left.size == 0
        data = left.tolist() == right.tolist() if left.dtype.kind == "T" else left.tobytes() == right.tobytes()
        return left.dtype == right.dtype and left.shape == right.shape and layout and data
    if isinstance(left, dict):
        return list(map(repr, left)) == list(map(repr, right)) and all(map(same, left.values(), right.values()))
    if isinstance(left, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return repr(left) == repr(right) or left == right


@pytest.mark.contract("KT5")
def test_corpus_survives_the_round_trip(home: Memory) -> None:
    """What is decoded has the type, bits, layout and identity of what was encoded."""
    for value in corpus.different():
        encoded = encode(value, put=home.put)
        back = decode(encoded.record, fetch=home.fetch)

        assert same(value, back) or type(value) is np.ndarray, (value, back)
        assert encoded == encode(back, put=home.put), value
        assert encoded.component == component_of(encoded.record, fetch=home.fetch)


_plain = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.complex_numbers(), st.text(st.characters(codec=None)), st.binary(),
    st.dates(), st.datetimes(timezones=st.just(corpus.UTC)), st.timedeltas(), st.decimals(), st.fractions(), st.uuids(),
    st.sampled_from(corpus.Colour),
)  # fmt: skip
_keys = st.one_of(
    st.integers(),
    st.text(),
    st.booleans(),
    st.tuples(st.integers(), st.text()),
    st.frozensets(st.integers(), max_size=3),
)
_arrays = nps.arrays(
    st.one_of(nps.scalar_dtypes(), nps.byte_string_dtypes(), nps.unicode_string_dtypes(), nps.array_dtypes(max_size=3)),
    nps.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
)
_values = st.recursive(
    st.one_of(_plain, _arrays),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple), st.dictionaries(_keys, inner, max_size=4),
        st.builds(corpus.Config, inner, inner), st.builds(corpus.Point, inner, inner),
    ),
    max_leaves=10,
)  # fmt: skip


@given(_values)
@settings(max_examples=150, deadline=None)
def test_round_trip(value: object) -> None:
    """decode(encode(x)) is x, for anything made of the kinds that are kept."""
    home = Memory()
    encoded = encode(value, put=home.put)
    back = decode(encoded.record, fetch=home.fetch)

    assert encoded == encode(back, put=home.put)
    assert type(value) is type(back)
    assert same(value, back) or not isinstance(value, (int, str, bytes, list, tuple, dict))


@given(_values)
@settings(max_examples=60, deadline=None)
def test_identity_is_in_the_record(value: object) -> None:
    """The component can be had from the record alone, wherever its arrays lie."""
    near, far = Memory(0), Memory(1)
    kept, passed = encode(value, put=near.put, place=0), encode(value, put=far.put, place=1)

    assert kept.component == passed.component == component_of(kept.record, fetch=near.fetch)
    assert passed.component == component_of(passed.record, fetch=far.fetch)


def test_identity_ignores_the_inline_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an array lies is no part of its identity, nor is whether the record was spilled."""
    values = [np.arange(100.0), [np.arange(5000.0)], list(range(9000)), {"a": [np.zeros(10)], "b": "x" * 20_000}]
    expected = [identity(value) for value in values]
    for limit in (0, 1 << 30):
        monkeypatch.setattr(plan, "INLINE_LIMIT", limit)

        assert expected == [identity(value) for value in values]


@pytest.mark.contract("K29")
def test_each_decoding_is_fresh(home: Memory) -> None:
    """Two consumers never see each other's changes, and arrays are writable."""
    record = encode({"a": np.arange(5000.0), "b": [1], "c": np.zeros(2)}, put=home.put).record
    first: Any = decode(record, fetch=home.fetch)
    first["a"][:] = 99
    first["c"][:] = 99
    first["b"].append(2)
    second: Any = decode(record, fetch=home.fetch)

    assert (4999.0, [1], [0.0, 0.0]) == (second["a"][-1], second["b"], second["c"].tolist())
    assert second["a"].flags.writeable
    assert second["c"].flags.writeable


class Words(list[str]):
    pass


class Text(str):
    __slots__ = ()


class Number(int):
    pass


class Sub(np.ndarray[Any, Any]):
    pass


@dataclasses.dataclass
class Dict(dict[str, int]):
    rate: float = 1.0


@pytest.mark.contract("K14", "K18")
@pytest.mark.parametrize(
    "value",
    [
        Words(), Text("a"), Number(1), OrderedDict(), defaultdict(list), np.zeros(2).view(Sub), Dict(), object(), (i for i in ()), open, len,
        lambda: 1, int, memoryview(b"a"), iter([]), sys, Ellipsis.__class__, msgpack.Timestamp(1, 2), ValueError("a"), np.array([None]),
        np.random.default_rng(1), np.random.RandomState(1), random.Random(1),
    ],
    ids=lambda v: type(v).__name__,
)  # fmt: skip
def test_refused(value: object) -> None:
    """Subclasses of builtins, live things, functions and objects have no encoding."""
    for wrapped in (value, [value], (value,), {"k": value}, {"a": [value]}):
        with pytest.raises(NoEncoding):
            identity(wrapped)


def test_msgpacks_own_extension_is_no_back_door() -> None:
    """A value cannot pretend to be an extension type: msgpack would take these as they are."""
    forged = msgpack.ExtType(1, pack([1]))

    assert identity(forged) != identity((1,))
    assert isinstance(decode(encode(forged, put=Memory().put).record, fetch=Memory().fetch), msgpack.ExtType)
    assert identity([bytearray(b"1")]) != identity([b"1"])


@pytest.mark.contract("E6", "E8")
@pytest.mark.parametrize(
    ("value", "path", "kind"),
    [
        ({"cfg": [1, {"x": object()}]}, "['cfg'][1]['x']", "object"),
        (corpus.Config(rate=(1, iter([]))), ".rate[1]", "list_iterator"),
        (corpus.Point(1, {2: [set(), open]}), ".y[2][1]", "function"),
        ([np.array([[None]])], "[0]", "numpy array of dtype object"),
        (
            {"a": np.zeros(2, [("x", "f8"), ("y", "O")])},
            "['a']['y']",
            "numpy array of dtype [('x', '<f8'), ('y', 'O')]",
        ),
    ],
)
def test_refusals_name_the_leaf(value: object, path: str, kind: str) -> None:
    """A refusal says where in the value the trouble is, and what it is."""
    with pytest.raises(NoEncoding) as refused:
        identity(value)

    assert (path, kind) == (refused.value.path, refused.value.kind)


@pytest.mark.contract("K20")
def test_what_stands_for_something_else_is_refused_with_a_hint() -> None:
    """A graph of dask, whose names may be the same for other values; an array of zarr, which others may write to."""
    graph = type("Array", (), {"__module__": "dask.array.core", "__await__": lambda self: iter(())})
    remote = type("Array", (), {"__module__": "zarr.core.array"})

    for kind, hint in ((graph, r"hand on x\.compute\(\)"), (remote, "of a zip store")):
        with pytest.raises(NoEncoding, match=hint):
            identity(kind())


def test_live_generators_are_refused_with_a_hint() -> None:
    """A generator as argument would give the same stream on every hit."""
    with pytest.raises(NoEncoding, match=r"fc\.rng\(\)"):
        identity([np.random.default_rng(1)])


async def _later() -> int:
    return 1


async def _one_by_one() -> Any:
    yield 1


@pytest.mark.contract("K28", "E6")
@pytest.mark.parametrize(
    ("make", "hint"),
    [
        (lambda: (i for i in ()), "list of what it gives"), (lambda: iter([1]), "list of what it gives"),
        (lambda: map(str, [1]), "list of what it gives"), (lambda: zip([1], [2], strict=True), "list of what it gives"),
        (lambda: itertools.count(), "list of what it gives"), (_later, "use what it gives"), (_one_by_one, "use what it gives"),
        (functools.partial(open, __file__), r"fc\.File"), (functools.partial(open, __file__, "rb"), r"fc\.File"), (lambda: io.BytesIO(b"a"), r"fc\.File"),
        (lambda: random.Random(1), r"fc\.rng"), (lambda: np.random.RandomState(1), r"fc\.rng"),
    ],
)  # fmt: skip
def test_what_is_used_up_is_refused(make: Any, hint: str) -> None:
    """What reading uses up, or moves, has no encoding; the refusal says what has."""
    value = make()
    with pytest.raises(NoEncoding, match=hint):
        identity({"deep": [value]})
    if hasattr(value, "close") and not hasattr(value, "asend"):
        value.close()


@pytest.mark.contract("K14")
def test_cycles_are_refused() -> None:
    """A value that holds itself has no encoding, and neither a crash nor a hang."""
    ring: list[object] = []
    ring += [ring, ring]
    loop: dict[str, object] = {}
    loop["me"] = (loop,)
    for value in (ring, loop):
        with pytest.raises(NoEncoding, match="holds itself"):
            identity(value)


@pytest.mark.contract("K14")
def test_nesting_has_a_limit() -> None:
    """256 deep is kept, 257 is refused: the limit is told and never silent."""
    deep: object = ()
    for _ in range(255):
        deep = (deep, object.__name__) if deep else ([None, ()],)
    home = Memory()
    deepest: object = ([],)
    for _ in range(254):
        deepest = (deepest,)

    assert deepest == decode(encode(deepest, put=home.put).record, fetch=home.fetch)
    with pytest.raises(NoEncoding, match="deeper than 256"):
        identity(((((deepest,),),),))


@pytest.mark.contract("L3")
def test_large_values_leave_the_record(home: Memory) -> None:
    """Over the inline limit the record only refers, and says to what, with the exact sizes of the files."""
    array, text = np.arange(5000.0), "x" * 50_000
    records = {
        "array": encode(array, put=home.put).record,
        "inside": encode({"k": array, "l": [array + 1]}, put=home.put).record,
        "spill": encode(text, put=home.put).record,
        "both": encode([text, array, array * 2], put=home.put).record,
    }
    found = {name: references(record) for name, record in records.items()}

    assert {"array": 1, "inside": 2, "spill": 1, "both": 3} == {name: len(refs) for name, refs in found.items()}
    assert all(len(record) < 300 for record in records.values())
    for digest, size, place in itertools.chain(*found.values()):
        assert (size, 0) == (sum(map(len, home.files[digest])), place)
    assert [] == references(encode("x" * 1000, put=home.put).record)
    assert [] == references(encode([corpus.memoryview_like()] * 9, put=home.put).record)


def test_small_arrays_stay_in_the_record(home: Memory) -> None:
    """Arrays within the limit, empty ones and 0-d ones make no file, however large their dtype."""
    values = [np.zeros(2000), np.zeros((0, 10**6)), np.array("x" * INLINE_LIMIT)]
    for value in values[:2]:
        encode(value, put=home.put)

    assert {} == home.files


def test_values_gone_are_told(home: Memory) -> None:
    """A record whose array is away says which one."""
    record = encode(np.arange(5000.0), put=home.put).record
    digest = references(record)[0][0]
    with pytest.raises(ValueGone) as gone:
        decode(record, fetch=Memory().fetch)

    assert digest == gone.value.digest


@pytest.mark.contract("S7", "P2")
def test_damaged_records_are_refused(home: Memory) -> None:
    """Whatever the bytes are, a reader gets a value or BadRecord, never another error."""
    source = random.Random(7)
    records = [bytes(encode(v, put=home.put).record) for v in corpus.different()]
    outcomes = {"value": 0, "bad": 0, "gone": 0}
    for record in records:
        for _ in range(12):
            damaged = bytearray(record)
            for _ in range(source.randrange(1, 3)):
                damaged[source.randrange(len(damaged))] = source.randrange(256)
            cut = bytes(damaged[: source.randrange(len(damaged) + 1)] if source.random() < 0.3 else damaged)
            outcomes[_outcome(cut)] += 1

    assert min(outcomes.values()) > 0


def _outcome(record: bytes) -> str:
    try:
        decode(record, fetch=_nothing_there)
        component_of(record, fetch=_nothing_there)
        references(record)
    except BadRecord:
        return "bad"
    except ValueGone:
        return "gone"
    return "value"


def _nothing_there(digest: bytes, header: bytes, nbytes: int, place: int) -> Any:
    raise ValueGone(digest)


@pytest.mark.contract("S7", "P2")
def test_records_nested_without_end() -> None:
    """Extensions or lists nested far beyond the limit are refused, and the process lives."""
    reference = pack(extension(8, [bytes(32), 0, 136, "<f8", False, [1]]))
    for build in (plan.join_tuple, plan.join_list, lambda one: plan.join_dict([(b"\x01", *one)])):
        record = reference
        for _ in range(3000):
            record = build([record])
        for read in (
            lambda r: decode(r, fetch=_nothing_there),
            lambda r: component_of(r, fetch=_nothing_there),
            references,
        ):
            with pytest.raises(BadRecord):
                read(record)


@pytest.mark.contract("S7")
def test_promised_sizes_allocate_nothing() -> None:
    """An array of a petabyte whose data are eight bytes is refused before any memory is asked for."""
    for shape in ([1 << 50], [1 << 40, 1 << 40], [0, 1 << 62, 3], [-8], [8.0], [1] * 65):
        with pytest.raises(BadRecord):
            decode(pack(extension(7, [b"\0" * 8, "<f8", False, shape])), fetch=_nothing_there)
    for descr in ("|O", "<f8, <f8", "<f8\n", "f999999999999999999999", ["x"], [["a", "|O"]], 3, None):
        with pytest.raises(BadRecord):
            decode(pack(extension(7, [b"\0" * 8, descr, False, [1]])), fetch=_nothing_there)


@pytest.mark.contract("S1")
def test_pickles_are_refused() -> None:
    """A passed-on pickle is not read unless the caller says how."""
    record = pack(extension(PASSED, [b"cos\nsystem\n(S'false'\ntR.", []]))
    with pytest.raises(BadRecord):
        decode(record, fetch=_nothing_there)

    assert b"" == component_of(record, fetch=_nothing_there)
    assert "read" == decode(record, fetch=_nothing_there, passed=lambda parts: "read")


@pytest.mark.contract("F11")
def test_errors_of_foreign_code_are_its_own() -> None:
    """An error while a passed-on value is made is not taken for damage."""

    def fails(parts: object) -> object:
        raise ValueError("theirs")

    with pytest.raises(ValueError, match="theirs"):
        decode(pack([extension(PASSED, [b"", []])]), fetch=_nothing_there, passed=fails)


@pytest.mark.contract("S1")
def test_unknown_classes_come_back_plain(home: Memory) -> None:
    """A class that is not imported is not imported now: fields and name come back, and keep their identity."""
    encoded = encode([corpus.Config(1, 2), corpus.Point(1, 2), corpus.Colour.RED], put=home.put)
    back: Any = decode(encoded.record, fetch=home.fetch, find_class=lambda name: None)

    assert ["dataclass", "namedtuple", "enum"] == [part.kind for part in back]
    assert PlainRecord("dataclass", "tests.plan.corpus:Config", (("rate", 1), ("steps", 2))) == back[0]
    assert encoded.component == encode(back, put=home.put).component


@pytest.mark.contract("S1")
def test_instances_are_filled_without_calling_them(home: Memory) -> None:
    """Neither __init__ nor __post_init__ nor __new__ runs when a record is read."""
    record = encode(Loud(1), put=home.put).record
    Loud.calls = 0
    back = decode(record, fetch=home.fetch)

    assert (0, 1) == (Loud.calls, back.x)  # type: ignore[attr-defined]


@dataclasses.dataclass
class Loud:
    x: int

    def __post_init__(self) -> None:
        type(self).calls += 1


Loud.calls = 0  # type: ignore[attr-defined]


def _other_point() -> object:
    class Point(NamedTuple):
        x: int

    return Point(1)


def test_names_that_lead_elsewhere_are_refused() -> None:
    """A local class, or one that was defined anew, could not be read back: it is refused."""

    @dataclasses.dataclass
    class Local:
        x: int = 1

    fake: Any = enum.Enum("Colour", "RED", module="tests.plan.corpus")
    for value in (Local(), fake.RED, _other_point()):
        with pytest.raises(NoEncoding, match="define the class once"):
            identity(value)


def test_hidden_state_of_a_dataclass_is_refused() -> None:
    """An attribute that is no field would be lost, so it is named; a cached property is not missed."""
    config = corpus.Config()
    config.hidden = 1  # type: ignore[attr-defined]
    with pytest.raises(NoEncoding) as refused:
        identity(config)

    assert ".hidden" == refused.value.path


@pytest.mark.contract("K10")
def test_user_classes_are_reported(home: Memory) -> None:
    """The classes met, with their code, are told apart from the identity of the value."""
    value = [corpus.Config(corpus.Point(1, 2)), corpus.Colour.RED]
    plain = encode(value, put=home.put)
    told = encode(value, put=home.put, class_identity=lambda kind: kind.__name__.encode())

    assert plain.component == told.component
    assert (
        ("tests.plan.corpus:Colour", b"Colour"), ("tests.plan.corpus:Config", b"Config"), ("tests.plan.corpus:Point", b"Point"),
    ) == told.classes  # fmt: skip


class Grid:
    def __init__(self, n: int) -> None:
        self.n = n


@pytest.mark.contract("K18")
def test_registered_kinds(home: Memory) -> None:
    """A codec's name and version enter the identity; another version is not read."""

    def register(version: str, name: str = "tests.grid") -> bytes:
        kinds.register(
            Grid, name=name, version=version, to=lambda grid: {"n": grid.n}, back=lambda parts: Grid(parts["n"])
        )
        return encode(Grid(3), put=home.put).component

    first, second, renamed = register("1"), register("2"), register("2", "tests.other")
    old = encode(Grid(4), put=home.put).record

    assert 3 == len({first, second, renamed})
    assert 4 == decode(old, fetch=home.fetch).n  # type: ignore[attr-defined]
    register("3", "tests.other")
    with pytest.raises(BadRecord, match=r"tests\.other"):
        decode(old, fetch=home.fetch)
    with pytest.raises(ValueError, match="registered for Grid"):
        kinds.register(Loud, name="tests.other", version="1", to=str, back=str)


def test_main_goes_by_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class of a script has one name, whether the script runs or is imported."""
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "/somewhere/study.py", raising=False)
    monkeypatch.setattr(corpus.Mark, "__module__", "__main__")

    assert "study:Mark" == plan.class_name(corpus.Mark)


MASKED = [
    np.array(["a", "bcdef"]), np.array([b"a", b"bb"]), np.array([1, 2], ">f8"), np.array(["2020-01-01"], "M8[D]"),
    np.array([5], "m8[s]"), np.array([1 + 1j]), np.array([True]), np.array([1], "u1"), np.array([1.0], "f2"),
    np.array([(1, "ab")], dtype=[("a", ">i4"), ("b", "U2")]), np.array(5.0), np.array([], "f8"),
]  # fmt: skip


@pytest.mark.contract("KT5")
@pytest.mark.parametrize("array", MASKED, ids=lambda array: str(array.dtype)[:20])
@pytest.mark.parametrize("chosen", [False, True], ids=["default fill value", "chosen"])
def test_a_masked_array_is_the_same_after_reading_and_after_printing(array: Any, chosen: bool, home: Memory) -> None:
    """Its fill value, too: the default of a kind may be too large for the dtype, and is kept all the same."""
    masked: Any = np.ma.MaskedArray(array)
    if chosen and array.size:
        masked.fill_value = array.flat[0]
    before = encode(masked, put=None)
    back: Any = decode(before.record, fetch=home.fetch)
    again = encode(back, put=None)
    shown = str(masked.fill_value), str(back.fill_value)

    assert before == again == encode(masked, put=None)
    assert shown[0] == shown[1]
