"""Claims about declare/axes.py: labels, how axes meet, and what gather collects."""

from __future__ import annotations

from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.node import Along, Axis, Element, Gathered, Node, Plain, cell_id


class Colour(Enum):
    """Labels of their own."""

    RED = 1
    BLUE = 2


@fc.compute
def load(path: Any) -> Any:
    """Load."""


@fc.compute
def pair(a: Any, b: Any = None, c: Any = None) -> Any:
    """Take two or three."""


@fc.compute
def table(rows: Any) -> Any:
    """Take a list."""


def names(node: Node) -> tuple[str, ...]:
    """Give the names of a node's axes."""
    return tuple(axis.name for axis in node.axes)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (["a", "b"], ("a", "b")),
        (range(3), (0, 1, 2)),
        ((0.1, 0.2), (0.1, 0.2)),
        ([Path("a"), Path("b")], (Path("a"), Path("b"))),
        (list(Colour), (Colour.RED, Colour.BLUE)),
        ([date(2020, 1, 1)], (date(2020, 1, 1),)),
        (np.array([1.5, 2.5]), (1.5, 2.5)),
        (np.zeros((2, 3)), (0, 1)),
        ([[1], [2]], (0, 1)),
        ([1, [2]], (0, 1)),
        ([None, "a"], (0, 1)),
        ([], ()),
        ((x for x in "ab"), ("a", "b")),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), (np.datetime64("2020-01-01"),)),
    ],
    ids=lambda v: type(v).__name__,
)
def test_scalars_label_themselves(values: Any, labels: tuple[object, ...]) -> None:
    """Scalars, text, paths and enum members are their own labels, all else goes by position."""
    with fc.Flow() as flow:
        load(fc.each(x=values))

    assert labels == flow["load"].axes[0].labels


def test_values_are_kept_as_given() -> None:
    """A label is what a value is called; the call gets the value."""
    values = np.array([1.5, 2.5])
    with fc.Flow() as flow:
        load(fc.each(x=values))
    form = flow["load"].arguments["path"]

    assert isinstance(form, Along)
    assert [np.float64, np.float64] == [type(value) for value in form.values]
    assert [float, float] == [type(label) for label in form.axis.labels or ()]


@pytest.mark.contract("E3")
def test_a_label_occurs_once() -> None:
    """Two values that are called the same are refused, with their places."""
    with pytest.raises(fc.AxisMismatch) as caught:
        fc.each(rate=[0.1, 0.2, 0.1])

    assert "label 0.1 at places 0 and 2" == caught.value.found


@pytest.mark.parametrize("values", ["abc", b"abc", {"a": 1}, {1, 2}, 3, None, np.array(3.0)], ids=repr)
def test_each_wants_a_sequence(values: Any) -> None:
    """Text, dicts, sets and single values are no list of values."""
    with pytest.raises(fc.WiringMismatch, match="each"):
        fc.each(x=values)


def test_each_names_one_axis() -> None:
    """No axis, and several, are refused."""
    with pytest.raises(fc.WiringMismatch, match="2 axes"):
        fc.each(a=[1], b=[2])


def test_each_over_references_is_refused_with_the_way_out() -> None:
    """A list of nodes is no axis: calls in a loop do it."""
    with fc.Flow():
        nodes = [load("a"), load("b")]
        with pytest.raises(fc.WiringMismatch, match=r"for x in"):
            load(fc.each(x=nodes))


def test_axes_multiply_in_order_of_appearance() -> None:
    """Different names span a grid, in the order of the arguments."""
    with fc.Flow() as flow:
        grid = pair(fc.each(path=["a", "b"]), fc.each(rate=[1, 2, 3]))
        pair(fc.each(seed=range(2)), grid)

    assert ("path", "rate") == names(flow["pair"])
    assert ("seed", "path", "rate") == names(flow["pair_2"])


def test_equal_axes_are_one_object() -> None:
    """Two calls with the same name and labels share the axis, so their grids meet."""
    with fc.Flow() as flow:
        pair(pair(fc.each(x=[1, 2])), load(fc.each(x=(1, 2))))

    assert flow["pair"].axes[0] is flow["load"].axes[0] is flow["pair_2"].axes[0]


def test_several_each_on_one_axis_zip() -> None:
    """The first gives the labels, each gives its values."""
    with fc.Flow() as flow:
        pair(fc.each(i=["a", "b"]), fc.each(i=[10, 20]))
    forms = flow["pair"].arguments

    assert [("a", "b")] == [axis.labels for axis in flow["pair"].axes]
    assert [("a", "b"), (10, 20)] == [form.values for form in forms.values() if isinstance(form, Along)]


@pytest.mark.contract("E3")
def test_zipped_lengths_must_agree() -> None:
    """The error names both parameters and both lengths."""
    with fc.Flow(), pytest.raises(fc.AxisMismatch) as caught:
        pair(fc.each(i=["a", "b"]), fc.each(i=[10, 20, 30]))

    assert ("length 3 in b", "length 2, as in a", "i") == (caught.value.found, caught.value.expected, caught.value.axis)
    assert "test_axes.py:" in caught.value.at


@pytest.mark.contract("E3")
@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        ([1, 2, 3], [1, 2, 4], "label 4 at place 2 in b"),
        ([1, 2], [2, 1], "label 2 at place 0 in b"),
        ([1, 2], [1, 2, 3], "length 3 in b"),
    ],
    ids=["label", "order", "length"],
)
def test_grids_that_meet_must_have_equal_labels(one: list[int], other: list[int], found: str) -> None:
    """The first label that differs is named, in both arguments."""
    with fc.Flow(), pytest.raises(fc.AxisMismatch) as caught:
        pair(load(fc.each(x=one)), load(fc.each(x=other)))

    assert found == caught.value.found
    assert caught.value.expected.endswith("as in a")


def test_a_node_gives_a_dynamic_axis() -> None:
    """Its length is known in the run; a hidden node spreads the value out."""
    with fc.Flow() as flow:
        item = load(fc.each(item=load("list")))
    node = flow["load_2"]
    form = node.arguments["path"]

    assert item is not None
    assert isinstance(form, Element)
    assert form.axis is node.axes[0]
    assert (None, "expand") == (form.axis.labels, form.axis.source.kind if form.axis.source else None)
    assert [("values", flow["load"])] == list(form.axis.source.sources()) if form.axis.source else None


def test_one_dynamic_axis_for_one_node() -> None:
    """Grids over the same node and name meet; another node is another axis."""
    with fc.Flow() as flow:
        lines = load("list")
        pair(load(fc.each(item=lines)), load(fc.each(item=lines)))
        with pytest.raises(fc.AxisMismatch, match="in the run"):
            pair(fc.each(item=lines), load(fc.each(item=load("other"))))

    hidden = [source for n in flow.nodes if n.kind == "expand" for _, source in n.sources()]
    assert 1 == hidden.count(flow["load"])


def test_a_dynamic_axis_follows_the_axes_of_its_source() -> None:
    """A ragged axis comes after what it depends on, whatever came first."""
    with fc.Flow() as flow:
        grid = load(fc.each(path=["a", "b"]))
        pair(fc.each(seed=[1, 2]), fc.each(item=grid))

    assert ("seed", "path", "item") == names(flow["pair"])


def test_gather_takes_axes_away() -> None:
    """What is left is the grid of the consumer."""
    with fc.Flow() as flow:
        grid = pair(fc.each(path=["a", "b"]), fc.each(rate=[1, 2]))
        table(fc.gather(grid, over="rate"))
        table(fc.gather(grid))
        table(fc.gather(grid, over=("rate", "path"), labels=True, missing="drop"))

    assert [("path",), (), ()] == [names(flow[n]) for n in ("table", "table_2", "table_3")]
    assert Gathered(flow["pair"], ("path", "rate"), True, "drop") == flow["table_3"].arguments["rows"]


@pytest.mark.contract("E3")
@pytest.mark.parametrize("over", ["rats", ("path", "rats")], ids=str)
def test_gather_over_a_missing_axis(over: Any) -> None:
    """The axes that are there are told."""
    with fc.Flow():
        grid = load(fc.each(path=["a", "b"]))
        with pytest.raises(fc.AxisMismatch) as caught:
            fc.gather(grid, over=over)

    assert ("rats", "one of 'path'") == (caught.value.axis, caught.value.expected)


@pytest.mark.contract("E3")
def test_gather_of_a_plain_node() -> None:
    """One cell is no grid."""
    with fc.Flow(), pytest.raises(fc.AxisMismatch, match="has no axes"):
        fc.gather(load("a"))


@pytest.mark.parametrize("missing", ["drop", "drop-failed"])
def test_dropping_needs_labels(missing: Any) -> None:
    """A list would not show what is missing."""
    with fc.Flow():
        grid = load(fc.each(path=["a", "b"]))
        with pytest.raises(fc.WiringMismatch, match="labels=True"):
            fc.gather(grid, missing=missing)


def test_an_outer_axis_is_not_gathered_alone() -> None:
    """Ragged rows cannot be put side by side."""
    with fc.Flow() as flow:
        ragged = load(fc.each(item=load(fc.each(path=["a", "b"]))))
        with pytest.raises(fc.AxisMismatch, match="'item' gathered too"):
            fc.gather(ragged, over="path")
        table(fc.gather(ragged, over="item"))
        table(fc.gather(ragged))

    assert [("path",), ()] == [names(flow["table"]), names(flow["table_2"])]


def test_a_grid_passed_plainly_keeps_its_axes() -> None:
    """Elementwise is the default."""
    with fc.Flow() as flow:
        table(load(fc.each(path=["a"])))

    assert Plain(flow["load"]) == flow["table"].arguments["rows"]
    assert ("path",) == names(flow["table"])


def test_cells_have_readable_names() -> None:
    """Text is quoted, paths are text, numbers are themselves; a plain node is its own cell."""
    with fc.Flow() as flow:
        load("a")
        pair(fc.each(path=[Path("a.npz")]), fc.each(rate=[0.1]), fc.each(colour=[Colour.RED]))

    assert "load" == cell_id(flow["load"], ())
    assert "pair[path='a.npz', rate=0.1, colour=Colour.RED]" == cell_id(flow["pair"], (Path("a.npz"), 0.1, Colour.RED))
    assert "pair[path='x', rate=2, colour=3]" == cell_id(flow["pair"], {"rate": 2, "path": "x", "colour": 3})


@pytest.mark.contract("S6")
def test_a_readable_name_has_no_control_characters() -> None:
    """Labels cannot steer the terminal."""
    with fc.Flow() as flow:
        load(fc.each(x=["\x1b[31m" + "long" * 100]))

    told = cell_id(flow["load"], flow["load"].axes[0].labels or ())

    assert told.isprintable()
    assert len(told) < 250


def test_axes_are_told_apart_by_object() -> None:
    """An axis is itself, not its contents."""
    assert Axis("x", (1,)) != Axis("x", (1,))
