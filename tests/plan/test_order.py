"""Claims about plan/order.py: the longest way goes first, and what was begun is finished."""

from __future__ import annotations

import flowcore as fc
from flowcore.plan.graph import Graph
from flowcore.plan.order import later, ways


@fc.compute
def step(x: object) -> object:
    """Stand for anything."""
    return x


def graph_of(flow: fc.Flow) -> Graph:
    """Give the graph of all nodes of a flow."""
    return Graph(flow.nodes)


def test_a_long_chain_goes_before_many_short_ones() -> None:
    """Without any duration known, cells are counted."""
    with fc.Flow("both") as flow:
        wide = step(fc.each(x=range(10)))
        end = step(0)
        for _ in range(10):
            end = step(end)
    found = ways(graph_of(flow), {})

    assert {found[node.number] for node in flow.nodes[1:]} == {found[flow.nodes[-1].number]}
    assert found[flow.nodes[0].number] < found[flow.nodes[1].number]
    assert wide is not end


def test_seconds_decide_where_they_are_known() -> None:
    """One slow cell is a longer way than a chain of quick ones."""
    with fc.Flow("both") as flow:
        quick = step(step(step(1)))
        slow = step(2)
    numbers = [node.number for node in flow.nodes]
    found = ways(graph_of(flow), {numbers[0]: 0.1, numbers[1]: 0.1, numbers[2]: 0.1, numbers[3]: 60.0})

    assert found[numbers[3]] > max(found[n] for n in numbers[:3])
    assert quick is not slow


def test_a_short_side_branch_goes_with_what_feeds_it() -> None:
    """Else every value it needs would have to be held until the long branch is through."""
    with fc.Flow("branches") as flow:
        source = step(0)
        step(source)
        step(step(step(step(source))))
    found = ways(graph_of(flow), {})

    assert 1 == len(set(found.values()))


def test_ways_that_differ_little_count_as_equal() -> None:
    """Durations are guesses: half as long again decides nothing, four times as long does."""
    with fc.Flow("three") as flow:
        for x in range(3):
            step(x)
    a, b, c = (node.number for node in flow.nodes)
    found = ways(graph_of(flow), {a: 1.1, b: 1.6, c: 6.0})

    assert found[a] == found[b] < found[c]


def test_a_chain_of_10_000_takes_no_recursion() -> None:
    """One walk back and one forth."""
    with fc.Flow("chain") as flow:
        end = step(0)
        for _ in range(10_000):
            end = step(end)

    assert 10_001 == len(ways(graph_of(flow), {}))


def test_the_world_is_asked_first_and_the_engines_thread_last() -> None:
    """So downloads are on their way while cells compute."""
    assert ["thread", "async", "process", "brought", "inline"] == later(
        ["inline", "process", "thread", "brought", "async"]
    )
