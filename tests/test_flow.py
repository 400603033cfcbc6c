"""Claims about flow.py: drawing, groups, results and options. Running is claimed elsewhere."""

from __future__ import annotations

import gc
import math
import threading
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.declare.drawing import current, drawing
from flowcore.declare.node import Literal, Node, Plain, Ref, node_of


@fc.compute
def double(x: float) -> float:
    """Double."""
    return 2 * x


@fc.compute
def total(xs: list[float]) -> float:
    """Sum up."""
    return sum(xs)


@fc.compute
def listed() -> list[float]:
    """Give numbers."""
    return [1.0, 2.0]


@fc.flow
def doubles(values: list[float], times: int = 1) -> Any:
    """Double each of some values, several times."""
    grid = fc.each(value=values)
    for _ in range(times):
        grid = double(grid)
    return grid


def names(flow: fc.Flow) -> list[str]:
    """Give the names of a flow's nodes."""
    return [node.name for node in flow.nodes]


def found(value: object) -> Node:
    """Give the node of a reference."""
    node = node_of(value)
    assert node is not None
    return node


def test_drawing_runs_nothing() -> None:
    """Calls become nodes, and the functions are not called."""
    calls: list[int] = []

    @fc.compute
    def note(x: int) -> int:
        calls.append(x)
        return x

    with fc.Flow("quiet") as flow:
        note(note(1))

    assert (["note", "note_2"], []) == (names(flow), calls)


def test_a_drawing_function_gives_a_flow() -> None:
    """Its name is the function's, its result what the function returned."""
    flow = doubles([1.0, 2.0], times=2)

    assert ("doubles", ["double", "double_2"], flow["double_2"]) == (flow.name, names(flow), node_of(flow.result))
    assert None is current()


def test_each_call_of_a_drawing_function_is_a_flow_of_its_own() -> None:
    """Flows share no nodes."""
    one, other = doubles([1.0]), doubles([1.0])

    assert one["double"] is not other["double"]


def test_a_flow_called_in_a_flow_is_a_group() -> None:
    """Its nodes are drawn into the outer flow; a second call is a group of its own."""

    @fc.flow
    def inner(x: float) -> Any:
        return {"value": double(x)}

    @fc.flow
    def middle(x: float) -> Any:
        return inner(x)["value"]

    with fc.Flow("outer") as flow:
        total([inner(1.0)["value"], middle(2.0), inner(3.0)["value"]])

    assert ["double", "double_2", "double_3", "total"] == names(flow)
    assert [("inner",), ("middle", "inner"), ("inner_2",), ()] == [node.group for node in flow.nodes]


def test_a_group_ends_with_an_error() -> None:
    """What is drawn after a group that failed is outside of it."""

    @fc.flow
    def broken() -> Any:
        raise ValueError("no")

    with fc.Flow() as flow:
        with pytest.raises(ValueError, match="no"):
            broken()
        double(1.0)

    assert () == flow["double"].group


def test_a_block_in_a_block_is_another_flow() -> None:
    """Explicit flows stay apart, and the outer one goes on after."""
    with fc.Flow("outer") as outer:
        double(1.0)
        with fc.Flow("inner") as inner:
            double(2.0)
        double(3.0)

    assert (["double", "double_2"], ["double"]) == (names(outer), names(inner))


def test_an_error_leaves_the_drawing() -> None:
    """After a failed block, tasks are functions again."""
    with pytest.raises(ZeroDivisionError), fc.Flow():
        _ = 1 / 0

    assert 4.0 == double(2.0)


def test_threads_draw_for_themselves() -> None:
    """A thread started while drawing is not drawing."""
    answers: list[float] = []
    with fc.Flow() as flow:
        thread = threading.Thread(target=lambda: answers.append(double(2.0)))
        thread.start()
        thread.join()

    assert ([4.0], []) == (answers, names(flow))


def test_drawing_can_be_suspended() -> None:
    """A cell that runs where a flow is drawn calls tasks plainly."""
    with fc.Flow() as flow, drawing(None):
        answer = double(2.0)

    assert (4.0, []) == (answer, names(flow))


def test_names_are_numbered() -> None:
    """A number is left out where somebody has taken the name."""
    with fc.Flow() as flow:
        flow.add(double, 1.0, name="double_2")
        for _ in range(3):
            double(1.0)

    assert ["double_2", "double", "double_3", "double_4"] == names(flow)


def test_add_takes_any_callable() -> None:
    """Functions of others become nodes, with a kind, a name, and an order."""
    flow = fc.Flow("by hand")
    first = flow.add(math.sqrt, 2.0, kind="io", name="root")
    second = flow.add(np.linalg.svd, first, compute_uv=False, after=[flow["root"]])
    flow.add(np.add, second, 1, after=first)

    assert ["root", "svd", "add"] == names(flow)
    assert ["io", "compute", "compute"] == [node.kind for node in flow.nodes]
    assert [(), (flow["root"],), (flow["root"],)] == [node.after for node in flow.nodes]
    assert {"a": Plain(flow["root"]), "compute_uv": Literal(False)} == flow["svd"].arguments
    assert {"0": Plain(flow["svd"]), "1": Literal(1)} == {
        str(i): form for i, form in enumerate(flow["add"].arguments.values())
    }


def test_add_makes_one_task_of_one_function() -> None:
    """A function used many times is read once."""
    flow = fc.Flow()
    for _ in range(3):
        flow.add(math.sqrt, 2.0)

    assert 1 == len({id(node.task) for node in flow.nodes})


def test_add_works_after_the_block() -> None:
    """`add` names its flow, so it needs no block; a reference of that flow is at home."""
    with fc.Flow() as flow:
        first = double(1.0)
    flow.add(double, first)

    assert ["double", "double_2"] == names(flow)


def test_a_block_can_be_entered_again() -> None:
    """More is drawn into the same flow."""
    flow = fc.Flow()
    with flow:
        double(1.0)
    with flow:
        double(2.0)

    assert ["double", "double_2"] == names(flow)


def test_choose_draws_a_node_of_two_branches() -> None:
    """Its grid is that of all three."""
    with fc.Flow() as flow:
        grid = double(fc.each(x=[1.0, 2.0]))
        chosen = fc.choose(double(0.0), grid, 3.0)
    node = flow["choose"]

    assert node is node_of(chosen)
    assert ("choose", ["condition", "a", "b"], ["x"]) == (node.kind, list(node.arguments), [a.name for a in node.axes])
    assert Literal(3.0) == node.arguments["b"]


def test_choose_outside_a_flow_chooses() -> None:
    """As with tasks, values are values there."""
    assert ("a", "b") == (fc.choose(True, "a", "b"), fc.choose(0, "a", "b"))


@pytest.mark.contract("E5")
def test_choose_outside_a_flow_refuses_references() -> None:
    """A reference has no truth."""
    with fc.Flow():
        reference = double(1.0)

    with pytest.raises(fc.NoValueYet):
        fc.choose(reference, 1, 2)


def test_results_have_the_shape_that_was_returned() -> None:
    """Lists, tuples and dicts of references stay as they are."""

    @fc.flow
    def shaped() -> Any:
        return {"one": double(1.0), "more": [double(2.0), (double(3.0), "text")]}

    result = shaped().result

    assert isinstance(result["one"], Ref)
    assert "double_3" == found(result["more"][1][0]).name


def test_a_block_assigns_its_result() -> None:
    """A reference, or nothing."""
    with fc.Flow() as flow:
        flow.result = double(1.0)

    assert flow["double"] is node_of(flow.result)
    assert None is fc.Flow().result


def test_a_result_is_of_this_flow() -> None:
    """References of another flow, and marks, are no result."""
    with fc.Flow() as other:
        foreign = double(fc.each(x=[1.0]))
    flow = fc.Flow()

    with pytest.raises(fc.ForeignReference):
        flow.result = [1, {"k": foreign}]
    with other, pytest.raises(fc.WiringMismatch, match="Return the node"):
        other.result = fc.gather(foreign)


def test_options_are_defaults_of_all_nodes() -> None:
    """Those drawn before and after; what a task writes out stays."""
    own = double.options(retries=1)
    with fc.Flow() as flow:
        double(1.0)
        flow.options(retries=5)
        own(1.0)
        flow.options(runner="thread")
        double(1.0)

    assert [(5, "thread"), (1, "thread"), (5, "thread")] == [(n.options.retries, n.runner) for n in flow.nodes]
    assert 0 == double.declared.retries


@pytest.mark.contract("E2")
def test_options_of_a_flow_are_checked() -> None:
    """As those of a task."""
    wrong: Any = {"retires": 3}
    with pytest.raises(fc.BadOption, match="retries"):
        fc.Flow().options(**wrong)


def test_nodes_are_found_by_name() -> None:
    """An unknown name tells what is near."""
    flow = doubles([1.0])
    with pytest.raises(fc.UnknownNode) as caught:
        flow["dubble"]

    assert (("double",), True, True, False) == (
        caught.value.near, "double" in flow, flow["double"] in flow, "x" in flow,
    )  # fmt: skip


def test_numbers_are_places() -> None:
    """A node's number is its place among the nodes, hidden ones included."""
    with fc.Flow() as flow:
        total(fc.gather(double(fc.each(x=listed()))))

    assert list(range(len(flow.nodes))) == [node.number for node in flow.nodes]
    assert ["compute", "expand", "compute", "compute"] == [node.kind for node in flow.nodes]


@pytest.mark.contract("P11")
def test_drawing_is_linear() -> None:
    """A chain of 20,000 nodes takes no stack, and a bounded number of objects a node."""
    with fc.Flow() as flow:
        gc.collect()
        before = len(gc.get_objects())
        value = 1.0
        for _ in range(20_000):
            value = double(value)
        gc.collect()
        objects = len(gc.get_objects()) - before

    assert 20_000 == len(flow.nodes)
    assert objects < 20_000 * 5


def test_a_flow_can_be_shown() -> None:
    """Its name and size."""
    assert "<Flow 'doubles': 1 node>" == repr(doubles([1.0]))


def test_a_flow_function_looks_like_its_function() -> None:
    """For the CLI and for help()."""
    assert ("doubles", "Double each of some values, several times.") == (doubles.__name__, doubles.__doc__)  # type: ignore[attr-defined]


def test_a_flow_function_may_be_named() -> None:
    """The name of its flows."""

    @fc.flow(name="other")
    def drawn() -> None:
        double(1.0)

    assert "other" == drawn().name
