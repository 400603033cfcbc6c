"""Claims about cli/signature.py, readers.py and docstring.py: what a drawing function's options are. No process."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import enum
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NewType, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.cli.docstring import described
from flowcore.cli.parser import Parser, Usage
from flowcore.cli.readers import reader_of
from flowcore.cli.signature import EMPTY, add_options, call_of, options_of

Metres = NewType("Metres", float)


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


@pytest.mark.parametrize(
    ("annotation", "text", "expected"),
    [
        (int, "900", 900), (int, "1_000", 1000), (int, "1e6", 1_000_000), (float, "0.1", 0.1),
        (float, "-inf", -float("inf")),
        (str, "a,b", "a,b"), (str, "", ""), (Path, "a/b", Path("a/b")), (bool, "yes", True), (bool, "False", False),
        (complex, "1+2j", 1 + 2j), (list[float], "0.1,0.2", [0.1, 0.2]), (list[float], "0.1, 0.2", [0.1, 0.2]),
        (list[int], "", []), (list[str], '["a,b","c"]', ["a,b", "c"]), (list[list[int]], "[[1,2],[3]]", [[1, 2], [3]]),
        (Sequence[int], "1,2", [1, 2]), (set[int], "1,1", {1}), (tuple[float, ...], "1,2", (1.0, 2.0)),
        (tuple[int, str], "1,a", (1, "a")), (list, "1,a", [1, "a"]), (tuple, "1", (1,)),
        (Literal["up", "down"], "down", "down"), (Literal[1, 2], "2", 2), (Colour, "RED", Colour.RED),
        (Colour, "g", Colour.GREEN), (int | None, "none", None), (Optional[int], "3", 3),  # noqa: UP045 - also seen
        (str | int, "3", 3), (int | str, "x", "x"), (float | int, "3", 3.0), (dict, '{"a": 1}', {"a": 1}),
        (Mapping[str, int], "{'a': 1}", {"a": 1}), (Annotated[int, "years"], "3", 3), (Metres, "3", 3.0),
        (datetime.date, "2026-01-31", datetime.date(2026, 1, 31)), (Any, "0.1", 0.1), (Any, "text", "text"),
        (list[Path], "a,b", [Path("a"), Path("b")]), (list[bool], "[true, false]", [True, False]),
    ],
    ids=str,
)  # fmt: skip
def test_texts_are_read(annotation: Any, text: str, expected: object) -> None:
    """Each kind of parameter has a text, and the value has the annotated type."""
    reader = reader_of(annotation)

    assert reader is not None
    assert (expected, type(expected)) == (reader.read(text), type(reader.read(text)))


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("annotation", "text", "told"),
    [
        (int, "1.5", "whole number"), (int, "x", "whole number"), (int, "nan", "whole"), (float, "x", "no number"),
        (list[float], "0.1,x", "'x' is no number"), (Literal["up", "down"], "dwon", "Did you mean 'down'"),
        (Colour, "REED", "Did you mean 'RED'"), (bool, "maybe", "neither"), (tuple[int, int], "1", "1 parts, not 2"),
        (dict, "[1]", "no dict"), (datetime.date, "31.1.2026", "2026-01-31"), (list[str], "[a", "JSON"),
    ],
    ids=str,
)  # fmt: skip
def test_unreadable_texts(annotation: Any, text: str, told: str) -> None:
    """What cannot be read is refused with what would be right."""
    reader = reader_of(annotation)

    assert reader is not None
    with pytest.raises(argparse.ArgumentTypeError, match=told.replace("'", ".")):
        reader.read(text)


@pytest.mark.parametrize("annotation", [Parser, bytes, list[Parser], tuple[int, Parser], type(None)], ids=str)
def test_kinds_without_text(annotation: Any) -> None:
    """What a command line cannot say is known to be so."""
    assert None is reader_of(annotation)


@pytest.mark.parametrize(
    ("default", "text", "expected"),
    [(500, "9", 9), (0.5, "1", 1.0), ("a", "1", "1"), ([0.1], "1,2", [1.0, 2.0]), ((1, 2), "3", (3,)), ([], "1", [1]),
     (False, "yes", True), (Path("a"), "b", Path("b")), (Colour.RED, "GREEN", Colour.GREEN), (None, "3", 3)],
    ids=str,
)  # fmt: skip
def test_defaults_stand_for_annotations(default: object, text: str, expected: object) -> None:
    """Without an annotation, the default says what kind it is."""
    reader = reader_of(inspect.Parameter.empty, default)

    assert reader is not None
    assert expected == reader.read(text)


@given(st.lists(st.floats(allow_nan=False)))
def test_lists_of_floats_come_back(values: list[float]) -> None:
    """What Python prints for numbers is read as those numbers."""
    reader = reader_of(list[float])

    assert reader is not None
    assert values == reader.read(",".join(map(repr, values)))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text brings out anything but a value or a sentence."""
    for annotation in (int, list[float], dict, Colour, datetime.date, int | None, Any, tuple[int, ...]):
        reader = reader_of(annotation)
        assert reader is not None
        with contextlib.suppress(argparse.ArgumentTypeError):
            reader.read(text)


def sweep(
    path: Path, /, rates: list[float], years: int = 500, *, deep: bool = False, colour: Colour = Colour.RED
) -> None:
    """Sweep a land over rates.

    It takes long.

    Parameters
    ----------
    path : Path
        Where the land is.
    rates, years : numbers
        Erodibilities, and
        how long: 100% of them.
    *others
        Not read.

    Returns
    -------
    table
        Not a parameter.
    """  # fmt: skip


def parsed(*texts: str) -> tuple[list[object], dict[str, object]]:
    """Give the call of `sweep` that a command line stands for."""
    parser = Parser("run", "")
    options = options_of(sweep)
    add_options(parser, options)
    return call_of(sweep, options, vars(parser.read(texts)))


def test_the_call_has_what_was_given() -> None:
    """Given values only, positional ones in place; defaults stay the function's."""
    assert ([Path("a")], {"rates": [0.1]}) == parsed("--path", "a", "--rates", "0.1")
    assert {"rates": [], "years": 9, "deep": True, "colour": Colour.GREEN} == parsed(
        "--path=a", "--rates=", "--years", "9", "--deep", "--colour", "GREEN"
    )[1]


def test_negative_numbers_are_values() -> None:
    """A list that begins with a minus is no option."""
    assert [-1.0, 2.0] == parsed("--path", "a", "--rates", "-1,2")[1]["rates"]
    assert [-0.5] == parsed("--path", "a", "--rates", "-.5")[1]["rates"]


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["--path", "a"], "--rates FLOAT,... must be given"),
        ([], "--path PATH, --rates FLOAT,... must be given"),
        (["--rate", "1"], "no option --rate. Did you mean '--rates'"),
        (["--path", "a", "--rates", "1", "left"], "no place for 'left'"),
        (["--path", "a", "--years", "many"], "--years: 'many' is no whole number"),
        (["--ye", "1"], "no option --ye"),
    ],
)
def test_wrong_command_lines(texts: list[str], told: str) -> None:
    """Each is told in a sentence; what is unknown before what is missing, and nothing is abbreviated."""
    with pytest.raises(Usage) as caught:
        parsed(*texts)

    assert told in str(caught.value)


def test_help_comes_from_the_docstring() -> None:
    """Descriptions, kinds and defaults; a percent sign is only that."""
    parser = Parser("run", described(sweep.__doc__).summary)
    add_options(parser, options_of(sweep))
    text = " ".join(parser.format_help().split())

    assert "Sweep a land over rates." in text
    assert "--path PATH Where the land is. (must be given)" in text
    assert "--years INT Erodibilities, and how long: 100% of them. (default: 500)" in text
    assert "--colour {RED,GREEN} (default: RED)" in text


def test_docstrings_are_taken_apart() -> None:
    """Sections after the parameters are none; names together share a text; stars go."""
    found = described(sweep.__doc__)

    assert ["path", "rates", "years", "others"] == list(found.parameters)
    assert "Erodibilities, and how long: 100% of them." == found.parameters["years"]
    assert {} == described(None).parameters == described("One line.").parameters == described("").parameters
    assert {"x": ""} == described("A.\n\nParameters\n----------\nx : int").parameters


def test_names_that_a_run_has() -> None:
    """A parameter that is called as an option of the run gets a longer name."""

    def drawn(workers: int, grid_size: int, lambda_: float) -> None: ...

    assert ["--flow-workers", "--grid-size", "--lambda"] == [
        option.flag for option in options_of(drawn, taken={"--workers"})
    ]


def test_annotations_that_cannot_be_found() -> None:
    """A name that only type checkers import leaves the parameter to its default."""

    def drawn(model: NowhereDefined = 3, *args: int, **more: int) -> None: ...  # type: ignore[name-defined] # noqa: F821

    (option,) = options_of(drawn)

    assert option.reader is not None
    assert (9, "INT") == (option.reader.read("9"), option.reader.shown)


def test_a_parameter_that_cannot_be_given() -> None:
    """It is told by name when it is needed, and left alone when it has a default."""

    def needed(land: Parser) -> None: ...
    def spare(land: Parser | None = None) -> None: ...

    with pytest.raises(Usage, match="'land' has a kind"):
        call_of(needed, options_of(needed), {})
    assert ([], {}) == call_of(spare, options_of(spare), {})
    assert EMPTY is options_of(needed)[0].default
