"""Claims about run/ready/recipe.py and run/ready/preparing.py: what nodes share, and that sharing changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import flowcore as fc
from flowcore.run.ready import preparing
from flowcore.run.session import Session

LARGE = "a text that is longer than what goes with the cells of a message, over and over again. " * 10


@fc.compute
def join(left: Any, right: Any = 1, more: Any = None) -> Any:
    """Tell what it is called with."""
    return f"{left} {right} {more}"


@fc.compute
def noisy(scale: float, rng: Any = fc.rng()) -> float:
    """Draw a number."""
    return scale * float(rng.random())


def session(run: fc.Run) -> Session:
    """Give what is behind a run."""
    return run._session


def keys(run: fc.Run) -> dict[str, str]:
    """Give the key of each node's one cell."""
    found = session(run)
    works = found.books.works.values()
    return {work.planned.name: work.keyed([0], found.values)[0][0].hex() for work in works if work.keys is not None}


def drawn(*names: str) -> fc.Flow:
    """Draw some of these nodes, in the order of their names here."""
    with fc.Flow("kin") as flow:
        first = flow.add(join, 1, 2, name="first")
        calls: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
            "second": ((3, 4), {}), "third": ((first, 5), {}), "fourth": ((first, "five"), {}),
            "listed": (([first, 1], 2), {}), "other list": (([first, 2], 2), {}), "mapped": (({"a": first}, 2), {}),
            "default": ((7,), {}), "written": ((7, 1), {}), "named": ((), {"left": 1, "right": 2}),
            "large": ((LARGE, 2), {}), "larger": ((LARGE + "!", 2), {}), "large again": ((LARGE, 3), {}),
        }  # fmt: skip
        for name in names or calls:
            positional, keywords = calls[name]
            flow.add(join, *positional, name=name, **keywords)
    return flow


NAMES = ("second", "third", "fourth", "listed", "other list", "mapped", "default", "written", "named", "large",
         "larger", "large again")  # fmt: skip


@pytest.mark.contract("K1")
def test_a_cell_has_the_same_key_and_value_alone_and_among_kin(tmp_path: Path) -> None:
    """Whatever other nodes a recipe was made for, before or after."""
    together = drawn().run(store=tmp_path / "all", progress=False)
    alone = [drawn(name).run(store=tmp_path / name, progress=False) for name in NAMES]

    assert keys(together) == {name: key for run in alone for name, key in keys(run).items()}
    assert [run[name] for run, name in zip(alone, NAMES, strict=True)] == [together[name] for name in NAMES]


@pytest.mark.contract("P1")
def test_an_age_of_a_second_is_not_true(tmp_path: Path) -> None:
    """Python says that they are equal; but the one answers for ever, and the other for a second."""
    with fc.Flow("ages") as flow:
        for number, cache in enumerate([True, "1s", 1, True]):
            join.options(cache=cache)(number)
    run = flow.run(store=tmp_path, progress=False)

    assert [None, 1.0, 1.0, None] == [work.recipe.answers_for for work in session(run).books.works.values()]


def test_nodes_that_differ_in_small_constants_are_identified_once(tmp_path: Path) -> None:
    """A hundred calls of one task are one task to those who run it; what differs in more has its own."""
    with fc.Flow("many") as flow:
        last: Any = 0
        for place in range(100):
            last = join(last, place) if place else join(-1, -1)
            listed = [join([last, place], 2) for place in range(2)]
    run = flow.run(*listed, store=tmp_path, progress=False)
    recipes = {id(work.recipe) for work in session(run).books.works.values()}

    assert 4 == len(recipes), "those with two constants, with one, and each of the two lists with another item"


def test_a_large_constant_is_sent_once_a_worker(tmp_path: Path) -> None:
    """It is part of the task, and no column of its cells."""
    run = drawn("large", "second").run(store=tmp_path, progress=False)
    works = {work.planned.name: work for work in session(run).books.works.values()}

    assert [1, 2] == [len(works[name].feeders) for name in ("large", "second")]
    assert works["large"].recipe is not works["second"].recipe


def test_streams_of_kin_are_those_of_cells_alone(tmp_path: Path) -> None:
    """A cell's random numbers depend on its arguments, and not on which nodes were made ready before it."""
    with fc.Flow("noise") as flow:
        for place in range(3):
            flow.add(noisy, float(place + 1), name=f"n{place}")
    with fc.Flow("noise") as last:
        last.add(noisy, 3.0, name="n2")
    kin, alone = flow.run(store=tmp_path / "a", progress=False), last.run(store=tmp_path / "b", progress=False)

    assert 1 == len({id(work.recipe) for work in session(kin).books.works.values()})
    assert alone["n2"] == kin["n2"]


def test_other_options_are_another_recipe(tmp_path: Path) -> None:
    """What is written into the options counts; options that are equal do not have to be one object."""
    with fc.Flow("options") as flow:
        nodes = [flow.add(task, place) for place, task in enumerate([
            join, join.options(retries=1), join.options(retries=1), join.options(timeout=60),
        ])]  # fmt: skip
    run = flow.run(*nodes, store=tmp_path, progress=False)
    recipes = [id(work.recipe) for work in session(run).books.works.values()]

    assert 3 == len(set(recipes))
    assert recipes[1] == recipes[2]


def test_a_recipe_for_every_shape_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of the tests above: were the shape of a call left out, a cell would be called with another's."""
    monkeypatch.setattr(preparing, "dumps", lambda _: b"")

    with pytest.raises(fc.RunFailed):
        drawn("large", "larger").run(store=tmp_path, progress=False)
