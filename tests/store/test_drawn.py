"""Claims about store/drawn.py: nodes in columns are told as each by itself would be, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgpack
import pytest

import flowcore as fc
from flowcore.store.cast import Casts
from flowcore.store.drawn import Drawn, unpack_drawn
from flowcore.store.history import NodeFacts, read_run, run_paths
from flowcore.store.journal import Record, read_frames


def two_kinds() -> Record:
    """Give the record of three nodes, of two kinds, as it is read."""
    drawn = Drawn()
    plain = drawn.kind({"kind": "compute", "runner": "process"}, [])
    fed = drawn.kind({"kind": "compute", "runner": "thread"}, ["x", "x", "y"])
    drawn.add(plain, 4, "first", "a.py:1", [])
    drawn.add(fed, 7, "second", "a.py:2", [4, 4, 5])
    drawn.add(plain, 8, "third", "a.py:1", [])
    record: Record = msgpack.unpackb(msgpack.packb(drawn.pack()))
    return record


def test_nodes_come_back_in_order_with_all_that_is_told_of_them() -> None:
    """What they share, and what each has for itself."""
    expected = [
        (4, {"name": "first", "site": "a.py:1", "from": [], "kind": "compute", "runner": "process"}),
        (7, {"name": "second", "site": "a.py:2", "from": [["x", 4], ["x", 4], ["y", 5]], "kind": "compute",
             "runner": "thread"}),
        (8, {"name": "third", "site": "a.py:1", "from": [], "kind": "compute", "runner": "process"}),
    ]  # fmt: skip

    assert expected == list(Casts().take(two_kinds()))


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        (1, []), (1, [[{}, [5]], [{}, []]]), (1, "kinds"), (2, 2), (3, [4]), (4, [0, 3]), (4, b"\0\2\0"),
        (5, ["first", "second"]), (5, ["first", 2, "third"]), (6, []), (6, ["a", "b"]), (7, [4, 2]), (7, b"\4\4\xff"),
    ],
)  # fmt: skip
def test_a_record_that_does_not_fit_tells_of_nothing(place: int, wrong: object) -> None:
    """Columns of other lengths, places that there are not, names that are none: refused, and no node is made up."""
    record = two_kinds()
    record[place] = wrong

    with pytest.raises(ValueError, match=r"nodes|numbers"):
        list(unpack_drawn(record))


def test_a_fact_of_another_type_is_left_out() -> None:
    """As in a record of one node; and what a node has for itself is not overruled by what it shares."""
    kind = [{"kind": 5, "name": "no", "runner": "inline"}, []]
    record: Record = ["nodes", [kind], 1, [3, 1], [0, 1], ["n"], ["s"], []]

    assert [(3, {"name": "n", "site": "s", "from": [], "runner": "inline"})] == list(unpack_drawn(record))


def plus(x: int, y: list[int]) -> int:
    """Add up."""
    return x + sum(y)


def test_nodes_are_written_in_the_order_of_drawing_whatever_their_form(store: Path) -> None:
    """Grids and nodes with an order stand one by one among the columns; who reads finds all of them, in order."""
    flow = fc.Flow("mixed")
    nodes = [flow.add(plus, 1, [], name="a")]
    nodes.append(flow.add(plus, nodes[0], [nodes[0], nodes[0]], name="b"))
    nodes.append(flow.add(plus, fc.each(x=[1, 2]), [nodes[1]], name="grid"))
    nodes.append(flow.add(plus, 2, [nodes[1]], name="after", after=[nodes[0]]))
    nodes.append(flow.add(plus, nodes[1], [4], name="c"))
    flow.run(store=store, executor="inline", progress=False)
    (path,) = run_paths(store).values()
    kinds = [record[0] for _, _, records in read_frames(path) for record in records]
    told = [one.facts for one in read_run(path) if isinstance(one, NodeFacts) and "name" in one.facts]

    assert ["run", "axes", "nodes", "node", "node"] == kinds[:5]
    assert ["a", "b", "grid", "after", "c"] == [facts["name"] for facts in told[:5]]
    assert [["x", 0], ["y", 0], ["y", 0]] == told[1]["from"]
