"""Claims about plan/keys.py: what makes a key, and what it costs."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowcore.plan.code import Fingerprint
from flowcore.plan.keys import NodeKeys, SharedKeys, common_components, difference

CODE = Fingerprint(digest=bytes(32), parts=(("body", b"1"), ("global DT", b"2")))


def keys(common: dict[str, bytes], **own: list[bytes]) -> list[bytes]:
    """Give the keys of a node with these components."""
    return NodeKeys(common=common, own=list(own)).keys(list(own.values()))


def test_golden_key() -> None:
    """A key never changes between versions; if it must, the schema number is raised."""
    found = keys({"code": bytes(32), "argument x": b"\0\x01"}, y=[b"\0\x02", b"\0\x03"], z=[b"\1" + bytes(32)])

    assert GOLDEN == [key.hex() for key in found]


GOLDEN = [
    "4ab6718dcdbc48e91c038ae63199dd3a23fde41df9048427336ad5b6d9395f09",
    "3de73af1d02fb4d504c8251c2aa21509d1178c6bec331adcdd0bcd86bb509605",
]


_names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


@pytest.mark.contract("K1")
@given(
    common=st.dictionaries(_names, st.binary(max_size=300)),
    varying=st.dictionaries(_names, st.binary(max_size=255), max_size=20),
    own=st.dictionaries(_names, st.binary(max_size=40), max_size=3),
)
@example(common={"code: note": b"1", "code": b"2"}, varying={"argument x": b"\0\1"}, own={})
@example(common={}, varying={f"argument {i}": b"1" for i in range(20)}, own={"y": b"2"})
def test_a_key_is_the_same_alone_and_among_kin(
    common: dict[str, bytes], varying: dict[str, bytes], own: dict[str, bytes]
) -> None:
    """What nodes share is packed once, and the keys of each are those of its components, bit for bit."""
    rest = {name: part for name, part in common.items() if name not in varying}
    shared = SharedKeys(common=rest, varying=list(varying), own=list(own))
    found = shared.node(list(varying.values()))
    alone = NodeKeys(common=rest | varying, own=list(own))

    assert alone.common == found.common
    assert alone.keys([[part] for part in own.values()]) == found.keys([[part] for part in own.values()])


@pytest.mark.contract("K1")
def test_every_component_counts() -> None:
    """Names, values, boundaries and the split into common and own all enter; no two of these keys meet."""
    found = [
        keys({"a": b"1"}), keys({"a": b"2"}), keys({"b": b"1"}), keys({"a": b"1", "b": b""}), keys({"a": b"", "b": b"1"}), keys({}),
        keys({"a": b"1"}, x=[b"1"]), keys({"a": b"1"}, y=[b"1"]), keys({"a": b"1"}, x=[b"2"]), keys({}, a=[b"1"]),
        keys({}, x=[b"12"], y=[b"3"]), keys({}, x=[b"1"], y=[b"23"]), keys({}, x=[b"123"], y=[b""]), keys({}, y=[b"12"], x=[b"3"]),
        keys({}, x=[b"3"], y=[b"12"]), keys({}, xy=[b"123"]),
    ]  # fmt: skip

    assert len(found) == len({key for (key,) in found})
    assert all(32 == len(key) for (key,) in found)


def test_common_components_have_no_order() -> None:
    """Common components go by name: the order in which they were given does not count."""
    pairs = [("a", b"1"), ("b", b"2"), ("c", b"3")]

    assert 1 == len({keys(dict(p))[0] for p in itertools.permutations(pairs)})


def test_columns_are_cells() -> None:
    """A key is the same alone, in a batch, and next to a shared column."""
    column = [bytes([0, i]) for i in range(10)]
    together = keys({"a": b"1"}, x=column, y=[b"s"])

    assert together == [keys({"a": b"1"}, x=[c], y=[b"s"])[0] for c in column]
    assert together == keys({"a": b"1"}, x=column, y=[b"s"] * 10)
    assert 10 == len(set(together))


def test_columns_that_do_not_fit() -> None:
    """Too few columns, or of different lengths, are a mistake of the caller."""
    for columns in ([], [[b"1"]], [[b"1", b"2"], [b"1", b"2", b"3"]]):
        with pytest.raises(ValueError, match="columns"):
            NodeKeys(common={}, own=["x", "y"]).keys(columns)


@pytest.mark.contract("K8")
def test_what_all_cells_share() -> None:
    """Schema, Python's minor version and numpy's version are always there; options are not."""
    common = common_components(
        CODE, constants={"x": b"\0\x01"}, version="2", classes=[("m:C", Fingerprint(digest=b"id"))]
    )

    assert {"schema", "python", "library numpy", "code", "argument x", "version", "class m:C"} < set(common)
    assert f"{sys.version_info.major}.{sys.version_info.minor}".encode() == common["python"]


@pytest.mark.contract("K27")
def test_notes_are_not_hashed() -> None:
    """Parts of the code are told by name for `why`, but names of modules and functions make no key."""
    moved = Fingerprint(digest=CODE.digest, parts=(("helper other:f", b"1"),))
    one = common_components(CODE, constants={}, version=None)
    two = common_components(moved, constants={}, version=None)

    assert keys(one) == keys(two)
    assert one != two


def test_difference_names_what_changed() -> None:
    """Parts of the code are named where they are known, else the code as a whole."""
    old = common_components(CODE, constants={"x": b"1"}, version=None)
    edited = Fingerprint(digest=b"1" * 32, parts=(("body", b"1"), ("global DT", b"3")))
    new = common_components(edited, constants={"x": b"2"}, version="1")

    assert ["argument x", "code: global DT", "version"] == difference(old, new)
    assert ["code"] == difference({"code": b"1"}, {"code": b"2"})
    assert [] == difference(old, old)


def test_keys_do_not_import_numpy() -> None:
    """Judging a warm run needs no numpy."""
    script = "import sys, flowcore.plan.keys as k; print('numpy' in sys.modules, bool(k.numpy_version()))"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert "False True" == out.strip()
