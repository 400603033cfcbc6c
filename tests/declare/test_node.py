"""Claims about declare/node.py and call.py: references, what they refuse, and where they are found."""

from __future__ import annotations

import copy
import math
import operator
import os
import pickle
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.node import Along, Gathered, Literal, Node, Plain, Ref, Tree, node_of


class Pair(NamedTuple):
    """A record that is a tuple."""

    low: float
    high: float


@fc.compute
def one(x: Any = None) -> Any:
    """Give one value."""


@fc.compute
def two(x: Any = None) -> tuple[float, str]:
    """Give two values."""
    raise AssertionError


@fc.compute
def record(x: Any = None) -> Pair:
    """Give a record."""
    raise AssertionError


@fc.compute
def take(value: Any, *more: Any, **options: Any) -> Any:
    """Take anything."""


USES: dict[str, Callable[[Any], object]] = {
    "bool": bool, "len": len, "iter": iter, "int": int, "float": float, "complex": complex, "round": round,
    "index": operator.index, "fspath": os.fspath, "open": open, "abs": abs, "reversed": reversed, "bytes": bytes,
    "format": lambda x: f"{x}", "format spec": lambda x: f"{x:.3f}", "contains": lambda x: 1 in x,
    "add": lambda x: x + 1, "radd": lambda x: 1 + x, "iadd": lambda x: x.__iadd__(1), "neg": lambda x: -x,
    "matmul": lambda x: x @ x, "pow": lambda x: x**2, "and": lambda x: x & 1, "divmod": lambda x: divmod(x, 2),
    "less": lambda x: x < 1, "more": lambda x: 1 > x, "equal": lambda x: x == 1, "unequal": lambda x: x != 1,
    "equal to None": lambda x: None == x, "sqrt": math.sqrt, "floor": math.floor, "range": range,  # noqa: E711
    "sum": lambda x: sum([x]), "sorted": lambda x: sorted([x, x]), "slice": lambda x: [1, 2][x],
    "getattr": lambda x: x.mean, "call of attribute": lambda x: x.mean(), "setattr": lambda x: setattr(x, "a", 1),
    "delattr": lambda x: delattr(x, "a"), "setitem": lambda x: operator.setitem(x, 0, 1),
    "delitem": lambda x: operator.delitem(x, 0), "slice of it": lambda x: x[1:2], "item by reference": lambda x: x[x],
    "pickle": pickle.dumps, "copy": copy.copy, "deepcopy": copy.deepcopy,
    "np.asarray": np.asarray, "np.array in list": lambda x: np.array([x, 1.0]), "np.sin": np.sin,
    "array + ref": lambda x: np.ones(2) + x, "ref * array": lambda x: x * np.ones(2), "np.mean": np.mean,
    "object array": lambda x: np.array([x], dtype=object), "np.stack": lambda x: np.stack([x, x]),
}  # fmt: skip


@pytest.mark.contract("E5")
@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
@pytest.mark.parametrize(
    "make", [one, lambda: fc.each(x=[1]), lambda: fc.gather(one(fc.each(x=[1])))], ids=["ref", "each", "gather"]
)
def test_a_reference_is_no_value(use: Callable[[Any], object], make: Callable[[], Any]) -> None:
    """Every use of what has no value yet raises at once, and says where."""
    with fc.Flow():
        reference = make()
        with pytest.raises(fc.NoValueYet) as caught:
            use(reference)

    assert "test_node.py:" in caught.value.drawn
    assert caught.value.expression


@pytest.mark.contract("E5")
def test_the_message_says_what_where_and_what_to_do() -> None:
    """The expression, the line of the use, the line of the drawing, the remedy."""
    with fc.Flow():
        reference = one()
        with pytest.raises(fc.NoValueYet) as caught:
            _ = reference + 1
    text = str(caught.value)

    assert "one + ..." == caught.value.expression
    assert caught.value.at in text
    assert caught.value.drawn in text
    assert int(caught.value.drawn.rpartition(":")[2]) + 2 == int(caught.value.at.rpartition(":")[2])
    assert "Make this step a task, or read the value from the run" in text


@pytest.mark.contract("E5")
@pytest.mark.parametrize(
    ("use", "told"),
    [
        ("bool", "bool(one)"),
        ("radd", "... + one"),
        ("getattr", "one.mean"),
        ("np.sin", "np.ufunc(one)"),
        ("len", "len(one)"),
    ],
)
def test_the_expression_is_told(use: str, told: str) -> None:
    """As the user wrote it, as far as that can be known."""
    with fc.Flow(), pytest.raises(fc.NoValueYet) as caught:
        USES[use](one())

    assert told == caught.value.expression


@pytest.mark.contract("E5")
def test_a_reference_has_no_attributes() -> None:
    """So code that probes what it got takes none for an array."""
    with fc.Flow():
        reference: Any = one()

    assert [False] * 4 == [hasattr(reference, name) for name in ("mean", "shape", "__array_interface__", "__dict__")]
    assert None is getattr(reference, "mean", None)


@pytest.mark.contract("E5")
def test_references_are_compared_by_identity() -> None:
    """They live in sets and dicts, and are found in lists."""
    with fc.Flow():
        a: Any = one()
        b: Any = one()

    assert [True, False, False, True] == [a == a, a == b, a != a, a != b]  # noqa: PLR0124
    assert 2 == len({a, b, a})
    assert b in [a, b]


def test_a_reference_can_be_shown() -> None:
    """A debugger must not raise."""
    with fc.Flow():
        reference = one(fc.each(x=[1]))

    assert "<reference to <compute node 'one' (x)>, no value yet>" == repr(reference) == str(reference)


def test_unpacking_follows_the_annotation() -> None:
    """A tuple of fixed length, or a namedtuple, gives references to its items."""
    with fc.Flow() as flow:
        low, high = record()
        number, text = two()
        take(low, high, number, text)

    items = [node for node in flow.nodes if node.kind == "item"]
    assert [("record", 0), ("record", 1), ("two", 0), ("two", 1)] == [
        (source.name, node.key) for node in items for _, source in node.sources()
    ]
    assert [float, str] == [node.returns for node in items[2:]]


@pytest.mark.contract("E4")
def test_unpacking_into_the_wrong_number() -> None:
    """The error knows both numbers and both lines."""
    with fc.Flow():
        source: Any = two()
        with pytest.raises(fc.WiringMismatch) as caught:
            _a, _b, _c = source

    assert ("2 by two", "3 values") == (caught.value.found, caught.value.expected)
    assert "test_node.py:" in caught.value.drawn
    assert caught.value.at != caught.value.drawn


@pytest.mark.contract("E5")
def test_unpacking_without_annotation() -> None:
    """It is told how to make it possible."""
    with fc.Flow(), pytest.raises(fc.NoValueYet, match=r"tuple\[X, Y\]"):
        _a, _b = one()


def test_items_are_made_once() -> None:
    """The same part is the same node; 1 and True are two parts."""
    with fc.Flow() as flow:
        source: Any = one()
        parts = [source[0], source[0], source["k"], source[-1], source[1], source[True], source["a", 1]]

    assert parts[0] is parts[1]
    assert ["one[0]", "one['k']", "one[-1]", "one[1]", "one[True]", "one[('a', 1)]"] == [n.name for n in flow.nodes[1:]]
    assert [0, "k", -1, 1, True, ("a", 1)] == [n.key for n in flow.nodes[1:]]


def test_an_item_of_a_grid_is_a_grid() -> None:
    """Each cell gives its part."""
    with fc.Flow() as flow:
        grid: Any = one(fc.each(x=[1, 2]))
        grid[0]

    assert flow["one"].axes == flow["one[0]"].axes


def test_references_in_containers_are_edges() -> None:
    """At any depth, in the order of writing; what has none stays as it is."""
    data = {"a": [1, 2], "b": (3,)}
    with fc.Flow() as flow:
        a, b = one(1), one(2)
        take([a, {"k": (b, 5)}], data, key={"x": [a]})
    forms = flow["take"].arguments

    na, nb = Plain(flow["one"]), Plain(flow["one_2"])
    inner = Tree("dict", (("k", Tree("tuple", ((None, nb), (None, Literal(5))))),))
    assert Tree("list", ((None, na), (None, inner))) == forms["value"]
    assert isinstance(forms["more[0]"], Literal)
    assert data is forms["more[0]"].value
    assert ["value", "value", "key"] == [parameter for parameter, _ in flow["take"].sources()]


def test_marks_in_containers_count() -> None:
    """A gather may be one entry of a dict, an each one of a list."""
    with fc.Flow() as flow:
        grid = one(fc.each(x=[1, 2]))
        take({"all": fc.gather(grid), "rate": fc.each(rate=[1, 2])})
    form = flow["take"].arguments["value"]

    assert isinstance(form, Tree)
    assert [Gathered, Along] == [type(item) for _, item in form.items]
    assert ["rate"] == [axis.name for axis in flow["take"].axes]


@pytest.mark.contract("P11")
def test_a_list_of_100_000_references() -> None:
    """Wide containers are read in one pass."""
    with fc.Flow() as flow:
        references = [one(i) for i in range(1000)] * 100
        take(references)

    assert 100_000 == sum(1 for _ in flow["take"].sources())


@pytest.mark.contract("P11")
def test_deep_containers() -> None:
    """A reference 200 levels down is found; beyond the limit the drawing says so, and a ring ends."""
    with fc.Flow() as flow:
        nested: Any = one()
        for _ in range(200):
            nested = [nested]
        take(nested)
        ring: list[Any] = []
        ring.append(ring)
        with pytest.raises(fc.WiringMismatch, match="256 deep"):
            take(ring)

    assert [flow["one"]] == [source for _, source in flow["take"].sources()]


@dataclass
class Config:
    """Holds anything."""

    rate: Any


Point = namedtuple("Point", "x y")  # noqa: PYI024 - the old kind is meant


class Bag(list[Any]):
    """A list of the user's own."""


@pytest.mark.contract("E5")
@pytest.mark.parametrize(
    ("hide", "path"),
    [
        (Config, "value.rate"), (lambda ref: {ref}, "value[...]"),
        (lambda ref: Point(1, ref), "value.y"),
        (lambda ref: {ref: 1}, "a key of value"), (lambda ref: [1, Config(ref)], "value[1].rate"),
        (lambda ref: OrderedDict(k=ref), "value['k']"), (lambda ref: Bag([ref]), "value[...]"),
        (lambda ref: frozenset([ref]), "value[...]"), (lambda ref: Config(fc.each(x=[1])), "value.rate"),
    ],
    ids=["dataclass", "set", "namedtuple", "key", "nested", "OrderedDict", "list subclass", "frozenset", "mark"],
)  # fmt: skip
def test_a_hidden_reference_is_refused(hide: Callable[[Any], Any], path: str) -> None:
    """Where it could be no edge, the path to it is told."""
    with fc.Flow(), pytest.raises(fc.NoValueYet) as caught:
        take(hide(one()))

    assert f"{path} of take()" == caught.value.expression


@pytest.mark.contract("E5")
def test_a_reference_of_another_flow() -> None:
    """It is refused, with the name of the flow it belongs to."""
    with fc.Flow("first") as first:
        foreign = one()
    with fc.Flow("second"), pytest.raises(fc.ForeignReference) as caught:
        take([1, foreign])

    assert ("one", "first") == (caught.value.node, caught.value.flow)
    with fc.Flow("third"), pytest.raises(fc.ForeignReference):
        take(first["one"])


@pytest.mark.contract("E5")
def test_a_reference_of_a_closed_flow() -> None:
    """After the block nothing can be drawn from it by accident."""
    with fc.Flow("first"):
        closed: Any = one()

    with pytest.raises(fc.ForeignReference):
        closed[0]
    with pytest.raises(fc.NoValueYet, match="outside its flow"):
        take(closed)
    with pytest.raises(fc.NoValueYet, match="outside its flow"):
        take(1, key=closed)


def test_nodes_are_taken_where_references_are() -> None:
    """A node may be wired, iterated and gathered by itself."""
    with fc.Flow() as flow:
        one(fc.each(x=[1, 2]))
        node: Any = flow["one"]
        take(node, fc.gather(node), [fc.each(item=node)])

    assert ["x", "item"] == [axis.name for axis in flow["take"].axes]
    assert flow["one"] is node_of(node)


def test_positional_arguments_are_counted() -> None:
    """A call can be replayed as it was written."""
    with fc.Flow() as flow:
        take(1, 2, 3, key=4)
    node = flow["take"]

    assert ({"value": 1, "more[0]": 2, "more[1]": 3, "key": 4}, 3) == (
        {name: form.value for name, form in node.arguments.items() if isinstance(form, Literal)},
        node.positional,
    )


def test_nodes_have_the_line_of_their_call() -> None:
    """Whoever draws is named, not flowcore."""
    with fc.Flow() as flow:
        one()
        flow.add(one, name="other")
    lines = [int(node.site.rpartition(":")[2]) for node in flow.nodes]

    assert all(node.site.partition(":")[0].endswith("test_node.py") for node in flow.nodes)
    assert 1 == lines[1] - lines[0]


def test_a_reference_is_small() -> None:
    """References have no dict, and nodes neither."""
    with fc.Flow() as flow:
        reference: Any = one()

    assert isinstance(reference, Ref)
    assert isinstance(flow["one"], Node)
    assert [False, False] == [hasattr(x, "__dict__") for x in (reference, flow["one"])]
