"""Claims about what drawing refuses: calls, types, names and circles (contract E1-E4)."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NewType, TypeVar

import numpy as np
import pytest
from numpy.typing import NDArray

import flowcore as fc
from flowcore.declare import fit
from flowcore.declare.drawing import current as canvas

T = TypeVar("T")
Metres = NewType("Metres", float)


@fc.compute
def erode(dem: Any, rate: float, years: int = 100, *, temperature: float = 0.0) -> float:
    """Erode."""
    raise AssertionError


@fc.compute
def number() -> float:
    """Give a number."""
    raise AssertionError


@fc.compute
def text() -> str:
    """Give text."""
    raise AssertionError


@fc.compute
def texts() -> list[str]:
    """Give texts."""
    raise AssertionError


@fc.compute
def half(x: float) -> float:
    """Halve."""
    raise AssertionError


@fc.compute
def total(xs: list[float]) -> float:
    """Sum up."""
    raise AssertionError


@fc.compute
def by_label(xs: dict[str, float]) -> float:
    """Sum up."""
    raise AssertionError


wrong: Any = erode


@pytest.mark.contract("E2")
def test_an_unknown_parameter() -> None:
    """It is told with what was meant, and a misspelt one is not told again as missing."""
    with fc.Flow(), pytest.raises(fc.UnknownParameter) as caught:
        wrong(1.0, rat=0.1)
    error = caught.value

    assert ("erode", "rat", ("rate",)) == (error.node, error.parameter, error.near)
    assert "test_drawing_errors.py:" in error.at
    assert "test_drawing_errors.py:" in error.defined
    assert isinstance(error, TypeError)


@pytest.mark.contract("E2")
def test_missing_arguments() -> None:
    """All of them in one error."""
    with fc.Flow(), pytest.raises(fc.MissingArgument) as caught:
        wrong()

    assert ("dem", "rate") == caught.value.parameters


@pytest.mark.contract("E2")
def test_all_that_is_wrong_with_a_call_at_once() -> None:
    """Several kinds come as one group."""
    with fc.Flow(), pytest.raises(ExceptionGroup) as caught:
        wrong(1.0, temprature=3, colour="red")
    found = [(type(e), getattr(e, "parameter", None)) for e in caught.value.exceptions]

    assert [(fc.UnknownParameter, "temprature"), (fc.UnknownParameter, "colour"), (fc.MissingArgument, None)] == found


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((1.0, 0.1, 5, 0.0), {}, "at most 3 arguments by position, but is given 4"),
        ((1.0, 0.1), {"dem": 2.0}, "takes one value, but is given two"),
    ],
    ids=["too many", "twice"],
)
def test_wrong_numbers_of_arguments(args: tuple[Any, ...], kwargs: dict[str, Any], message: str) -> None:
    """A wrong count is a wiring error with both counts."""
    with fc.Flow(), pytest.raises(fc.WiringMismatch, match=message):
        wrong(*args, **kwargs)


@pytest.mark.contract("E2")
def test_the_right_node_in_a_large_flow() -> None:
    """The error names the call that is wrong, and what was drawn before stays."""
    with fc.Flow() as flow:
        for step in range(1000):
            half(float(step))
        with pytest.raises(fc.MissingArgument) as caught:
            wrong(1.0)

    assert "erode" == caught.value.node
    assert 1000 == len(flow.nodes)


def test_the_traceback_has_one_frame_of_ours() -> None:
    """A drawing error points to the user's line."""
    with fc.Flow(), pytest.raises(fc.MissingArgument) as caught:
        wrong(1.0)
    files = [Path(frame.filename).name for frame in traceback.extract_tb(caught.value.__traceback__)]

    assert ["test_drawing_errors.py", "task.py"] == files


MISFITS: dict[str, Callable[[], Any]] = {
    "text for a number": lambda: half(text()),  # type: ignore[arg-type]
    "list for a number": lambda: half(texts()),  # type: ignore[arg-type]
    "number for a list": lambda: total(number()),  # type: ignore[arg-type]
    "element of texts": lambda: half(fc.each(x=texts())),  # type: ignore[arg-type]
    "gathered texts": lambda: total(fc.gather(fc_text_grid())),  # type: ignore[arg-type]
    "gathered list for a dict": lambda: by_label(fc.gather(half(fc.each(x=[1.0])))),  # type: ignore[arg-type]
    "gathered dict for a list": lambda: total(fc.gather(half(fc.each(x=[1.0])), labels=True)),  # type: ignore[arg-type]
    "axis of a number": lambda: half(fc.each(x=number())),  # type: ignore[arg-type]
}


@fc.compute
def text_of(x: float) -> str:
    """Give text."""
    raise AssertionError


def fc_text_grid() -> str:
    """Draw a grid of text."""
    return text_of(fc.each(x=[1.0, 2.0]))


@pytest.mark.contract("E4")
@pytest.mark.parametrize("draw", MISFITS.values(), ids=MISFITS.keys())
def test_types_that_cannot_fit(draw: Callable[[], Any]) -> None:
    """Both annotations, both lines."""
    with fc.Flow(), pytest.raises(fc.WiringMismatch) as caught:
        draw()

    assert "test_drawing_errors.py:" in caught.value.at
    assert "test_drawing_errors.py:" in caught.value.drawn
    assert caught.value.found != caught.value.expected


@pytest.mark.contract("E4")
@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (str, int), (int, str), (np.ndarray, str), (NDArray[np.float64], str), (list[int], str), (str, float | None),
        (list[str], list[int]), (dict[str, str], dict[str, int]), (None, int), (bytes, str), (dict, list),
        (str | None, int), (Annotated[str, "x"], int), (Metres, str), (np.float64, str),
        (float, Path), (set[int], dict),
    ],
    ids=str,
)  # fmt: skip
def test_what_certainly_cannot_fit(given: object, wanted: object) -> None:
    """Families of plain classes that never mix."""
    assert not fit.fits(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, float), (float, int), (bool, complex), (np.float64, float), (float, NDArray[np.float64]), (str, Path),
        (list[float], np.ndarray), (str, object), (str, Any), (fit.EMPTY, int), (str, fit.EMPTY), (str, T),
        (str, str | int),
        (str | int, int), (Metres, float), (list[Any], list[int]), (tuple[int, str], list[int]), (fc.Flow, str),
        (str, fc.Flow), (None, int | None), (list, list[int]), (int, "a string"), (type, int), (Callable, int),
    ],
    ids=str,
)  # fmt: skip
def test_what_may_fit_is_let_through(given: object, wanted: object) -> None:
    """A right drawing is never refused; in doubt it is let through."""
    assert fit.fits(given, wanted)


def test_an_annotation_that_cannot_be_read_hides_no_other() -> None:
    """A name that only type checkers see is no reason to check nothing."""

    def consume(a: Nowhere, b: float) -> float:  # type: ignore[name-defined] # noqa: F821
        raise AssertionError

    task: Any = fc.compute(consume)
    with fc.Flow(), pytest.raises(fc.WiringMismatch, match="b of consume"):
        task(text(), text())


@pytest.mark.contract("E4")
def test_one_name_for_two_nodes() -> None:
    """Both lines are told."""
    flow = fc.Flow()
    flow.add(number, name="same")
    with pytest.raises(fc.DuplicateName) as caught:
        flow.add(text, name="same")

    assert "same" == caught.value.name
    assert caught.value.at != caught.value.first


@pytest.mark.contract("E1")
def test_a_circle() -> None:
    """The path and the line of each node on it."""
    flow = fc.Flow()
    a = flow.add(number, name="a", after="c")
    b = flow.add(half, a, name="b")
    flow.add(half, b, name="c")

    with pytest.raises(fc.CycleError) as caught:
        _ = flow.nodes
    assert ("a", "b", "c", "a") == caught.value.path
    assert 3 == len(set(caught.value.sites))
    with pytest.raises(fc.CycleError):
        _ = flow.nodes


@pytest.mark.contract("E1")
def test_a_node_after_itself() -> None:
    """The shortest circle."""
    flow = fc.Flow()
    flow.add(number, name="a", after=["a"])
    with pytest.raises(fc.CycleError) as caught:
        _ = flow.graph

    assert ("a", "a") == caught.value.path


@pytest.mark.contract("E1")
def test_the_shortest_circle_comes_first() -> None:
    """Several circles come as one group, the easiest to see first."""
    flow = fc.Flow()
    x = flow.add(number, name="x", after="z")
    flow.add(half, flow.add(half, x, name="y"), name="z")
    flow.add(half, flow.add(number, name="p", after="q"), name="q")
    with pytest.raises(ExceptionGroup) as caught:
        _ = flow.nodes
    errors: Any = caught.value.exceptions

    assert [("p", "q", "p"), ("x", "y", "z", "x")] == [error.path for error in errors]


@pytest.mark.contract("E1")
def test_a_long_circle_is_cut_short() -> None:
    """At most ten of its nodes are shown, and the number of all."""
    flow = fc.Flow()
    last = flow.add(number, name="n0", after="n99")
    for step in range(1, 100):
        last = flow.add(half, last, name=f"n{step}")
    with pytest.raises(fc.CycleError, match=r"n9 \.\.\. \(101 in all\)"):
        _ = flow.nodes


def test_a_name_drawn_later_is_an_edge() -> None:
    """Order without a circle is fine."""
    with fc.Flow() as flow:
        flow.add(number, name="late", after=["early", "early"])
        flow.add(number, name="early")

    assert (flow["early"], flow["early"]) == flow["late"].after


def test_a_name_that_never_comes() -> None:
    """It is told when the drawing ends."""

    @fc.flow
    def drawn() -> None:
        number()
        current = canvas()
        assert current is not None
        current.add(number, (), {}, kind=None, name="a", after=["nmber"])

    with pytest.raises(fc.UnknownNode) as caught:
        drawn()

    assert ("nmber", ("number",)) == (caught.value.name, caught.value.near)


@pytest.mark.parametrize("use", [*MISFITS.values(), wrong, lambda: fc.each(x=[1, 1]), lambda: number() + 1])
def test_drawing_errors_survive_pickling(use: Callable[[], Any]) -> None:
    """Any of them may have to leave a worker."""
    with fc.Flow(), pytest.raises(fc.GraphError) as caught:
        use()
    back = pickle.loads(pickle.dumps(caught.value))

    assert (type(caught.value), str(caught.value)) == (type(back), str(back))
