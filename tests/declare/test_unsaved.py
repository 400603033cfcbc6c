"""Claims about declare/unsaved.py: what a resumed loop would silently get wrong is refused while drawing."""

from __future__ import annotations

import itertools
import linecache
import re
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.declare.unsaved import unsaved_state

LOOPS = re.findall(r"^# (.*): (.*)\n((?:.+\n)+)", Path(__file__).with_name("loops.txt").read_text(), re.MULTILINE)
_numbers = itertools.count()


def made(body: str) -> Callable[..., Any]:
    """Make a function with this body, whose source can be had."""
    source = "def task(x, n, ckpt=None, rng=None):\n" + textwrap.indent(body, "    ") + "\n"
    name = f"<loop {next(_numbers)}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    space: dict[str, Any] = {"make": print}
    exec(compile(source, name, "exec"), space)
    function: Callable[..., Any] = space["task"]
    return function


@pytest.mark.contract("E13")
@pytest.mark.parametrize(("name", "expected", "body"), LOOPS, ids=[name for name, _, _ in LOOPS])
def test_what_is_not_saved_is_named(name: str, expected: str, body: str) -> None:
    """Every variable that a later step needs and no state has is named, and no other."""
    found = unsaved_state(made(body), "ckpt", ("ckpt", "rng"))

    assert expected == (", ".join(found.names) if found is not None else "nothing"), name


def test_the_corpus_is_large() -> None:
    """At least forty loops, of both kinds."""
    flagged = [expected for _, expected, _ in LOOPS if expected != "nothing"]

    assert (True, True) == (len(flagged) >= 40, len(LOOPS) - len(flagged) >= 25)


@fc.compute
def forgetful(n: int, ckpt: fc.Checkpoint = fc.Checkpoint()) -> int:
    """Sum up, and forget it."""
    total = 0
    for step in ckpt.steps(n):
        total += step
    return total


@pytest.mark.contract("E13")
def test_it_is_refused_while_drawing() -> None:
    """The error comes with the first call that is drawn, names the line, and calling it plainly stays possible."""
    with fc.Flow("sums"), pytest.raises(fc.UnsavedState) as caught:
        forgetful(3)

    assert 3 == forgetful(3)
    assert ("forgetful", ("total",)) == (caught.value.task, caught.value.names)
    assert "test_unsaved.py:" in caught.value.lines_at[0]


def test_two_checkpoints_are_refused() -> None:
    """A cell has one state."""

    @fc.compute
    def twice(a: fc.Checkpoint = fc.Checkpoint(), b: fc.Checkpoint = fc.Checkpoint()) -> int:
        return 1

    with fc.Flow("two"), pytest.raises(fc.BadOption, match="one checkpoint"):
        twice()
