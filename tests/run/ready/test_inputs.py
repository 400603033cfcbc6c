"""Claims about run/ready/inputs.py: what a cell is given, and what it is known by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flowcore as fc
from flowcore.testing.cells import plus, skip_odd, total


@dataclass
class Record:
    """A value of a user's class."""

    x: int


def echo(*args: Any, **kwargs: Any) -> Any:
    """Give the arguments."""
    return args, kwargs


def record(x: int) -> Any:
    """Give a record of the parity of a number."""
    return Record(x % 2)


def unfold(value: Any) -> Any:
    """Take a record apart."""
    return value.x


def ran(flow: fc.Flow, store: Path) -> fc.Run:
    """Run here."""
    return flow.run(*flow.nodes, store=store, executor="inline", progress=False)


def test_axes_meet_by_name(store: Path) -> None:
    """Shared axes go together, others multiply, and what has no axes goes to every cell."""
    flow = fc.Flow()
    rows = flow.add(plus, fc.each(x=[1, 2]), b=0)
    columns = flow.add(plus, fc.each(y=[10, 20]), b=0)
    both = flow.add(echo, rows, columns, rows, 7)
    run = ran(flow, store)

    assert {(x, y): ((x, y, x, 7), {}) for x in (1, 2) for y in (10, 20)} == dict(run[both])


def test_a_gathered_axis_is_whole_for_each_cell_along_it(store: Path) -> None:
    """As in an anomaly: a cell's own value, and those of all cells along the same axis."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=[1, 2, 3]), fc.each(y=[10, 20]))
    beside = flow.add(echo, grid, fc.gather(grid, over="x"), fc.gather(grid, over="y", labels=True))
    run = ran(flow, store)
    expected = {
        (x, y): ((x + y, [x_ + y for x_ in (1, 2, 3)], {y_: x + y_ for y_ in (10, 20)}), {})
        for x in (1, 2, 3) for y in (10, 20)
    }  # fmt: skip

    assert expected == dict(run[beside])


def test_a_gathered_axis_known_in_the_run_is_whole_too(store: Path) -> None:
    """The same, along the elements of a value."""
    flow = fc.Flow()
    items = flow.add(sorted, [3, 1])
    grid = flow.add(plus, fc.each(item=items))
    beside = flow.add(echo, grid, fc.gather(grid))
    run = ran(flow, store)

    assert {1: ((2, [2, 4]), {}), 3: ((4, [2, 4]), {})} == dict(run[beside])


def test_nothing_can_be_gathered(store: Path) -> None:
    """Along an axis of no length, or with all of it left out, it is an empty list or dict."""
    flow = fc.Flow()
    none = flow.add(sorted, [])
    empty = flow.add(echo, fc.gather(flow.add(plus, fc.each(item=none))))
    skipped = flow.add(echo, fc.gather(flow.add(skip_odd, fc.each(x=[1, 3])), labels=True, missing="drop"))
    run = ran(flow, store)

    assert ((([],), {}), (({},), {})) == (run[empty], run[skipped])


def test_references_in_containers_are_put_in_place(store: Path) -> None:
    """At any depth, with the constants around them."""
    flow = fc.Flow()
    one = flow.add(plus, 1)
    node = flow.add(echo, [one, 5, (one, {"k": one})], k={"deep": [one]})
    run = ran(flow, store)

    assert (([2, 5, (2, {"k": 2})],), {"k": {"deep": [2]}}) == run[node]


def test_each_consumer_gets_its_own(store: Path) -> None:
    """A list that one cell changes is as before for the next."""
    flow = fc.Flow()
    shared = flow.add(sorted, [2, 1])
    grow = flow.add(list.append, shared, fc.each(x=[1, 2, 3]))
    look = flow.add(echo, shared, after=grow)
    run = ran(flow, store)

    assert (([1, 2],), {}) == run[look]


def test_equal_values_of_a_users_class_are_one_identity(store: Path) -> None:
    """Whether computed, waited for or found in the store: their consumers are computed once, ever."""
    flow = fc.Flow()
    records = [flow.add(record, fc.each(x=[0, 1]), name=name) for name in ("computed", "waited")]
    after = [flow.add(unfold, one) for one in records]
    cold, warm = ran(flow, store), ran(flow, store)

    assert [(2, 0), (0, 2)] == [(cold.counts(node).done, cold.counts(node).hit) for node in records]
    assert 2 == sum(cold.counts(node).done for node in after)
    assert 0 == sum(warm.counts(node).done for node in (*records, *after))


def test_order_of_gathering_is_row_major(store: Path) -> None:
    """In the order of the grid's axes."""
    flow = fc.Flow()
    grid = flow.add(plus, fc.each(x=[1, 2]), fc.each(y=[10, 20, 30]))
    flat = flow.add(total, fc.gather(grid))
    values = [x + y for x in (1, 2) for y in (10, 20, 30)]

    assert total(values) == ran(flow, store)[flat]
