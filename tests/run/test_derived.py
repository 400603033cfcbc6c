"""Claims about what consumers are keyed by: values, derived keys, given values, choices (K2, K3, K31, K32, KT6)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.plan.classes import codecs_by_kind, codecs_by_name
from flowcore.plan.encode import forget_kinds
from flowcore.plan.records import combine
from flowcore.run.books import Books
from flowcore.run.engine import Engine
from flowcore.store.trace import Trace

pytestmark = pytest.mark.filterwarnings("ignore::flowcore.NotStorable", "ignore::flowcore.NotKeyable")


class Handle:
    """Something without an encoding."""

    def __init__(self, n: int) -> None:
        self.n = n


def opened(n: int) -> Handle:
    """Give what cannot be kept."""
    return Handle(n)


def several(n: int) -> list[Any]:
    """Give some that can be kept, and some that cannot."""
    return [Handle(n), Handle(n + 1), n, Handle(n + 2)]


def read(handle: Any) -> int:
    """Read it."""
    return handle.n if isinstance(handle, Handle) else -int(handle)


def itself(n: int) -> int:
    """Give what it gets."""
    return n


def parity(n: int) -> int:
    """Give the same for many arguments."""
    return n % 2


def plus(x: Any, y: Any = 0) -> Any:
    """Add."""
    return x + y


def run(flow: fc.Flow, store: Path, *targets: object, **options: Any) -> fc.Run:
    """Run here, quietly."""
    return flow.run(*targets, store=store, progress=False, executor="inline", **options)


def ran(done: fc.Run, *nodes: str) -> list[int]:
    """Count the cells of nodes that were computed."""
    return [done.counts(node).done for node in nodes]


def below(function: Any, n: int, **options: Any) -> fc.Flow:
    """Draw a consumer of what a function gives."""
    flow = fc.Flow()
    flow.add(read, flow.add(fc.compute(**options)(function), n, name="made"), name="read")
    return flow


@pytest.mark.contract("K2", "KT4")
def test_a_consumer_is_known_by_the_value_it_gets(store: Path) -> None:
    """Other arguments upstream that give the same value leave it alone."""

    def drawn(n: int) -> fc.Flow:
        flow = fc.Flow()
        flow.add(plus, flow.add(parity, n, name="parity"), 10, name="plus")
        return flow

    run(drawn(3), store)

    assert [1, 0] == ran(run(drawn(5), store), "parity", "plus")
    assert [1, 1] == ran(run(drawn(6), store), "parity", "plus")


@pytest.mark.contract("K2", "KT4")
def test_upstream_keys_lose_the_cutoff(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage of the test above: a consumer keyed by what made its input runs again."""
    put_all = Books.put_all

    def by_key(self: Books, nodes: Any, numbers: Any, records: Any, components: Any, classes: Any) -> None:
        called = [self.works[node].planned.arguments for node in nodes]
        named = [combine("key", [repr(arguments).encode()[:200]]) for arguments in called]
        put_all(self, nodes, numbers, records, named, classes)

    monkeypatch.setattr(Books, "put_all", by_key)

    def drawn(n: int) -> fc.Flow:
        flow = fc.Flow()
        flow.add(plus, flow.add(parity, n, name="parity"), 10, name="plus")
        return flow

    run(drawn(3), store)

    assert [1, 1] == ran(run(drawn(5), store), "parity", "plus")


@pytest.mark.contract("K2")
def test_a_gather_is_known_by_its_values_in_order(store: Path) -> None:
    """Labels count only where the task is handed them."""

    def drawn(labels: list[int], *, handed: bool) -> fc.Flow:
        flow = fc.Flow()
        grid = flow.add(parity, fc.each(n=labels), name="grid")
        flow.add(len, fc.gather(grid, labels=handed), name="count")
        return flow

    for handed in (False, True):
        run(drawn([1, 2], handed=handed), store)

    assert [0] == ran(run(drawn([3, 4], handed=False), store), "count")
    assert [1] == ran(run(drawn([3, 4], handed=True), store), "count")
    assert [1] == ran(run(drawn([2, 1], handed=False), store), "count")


def test_labels_may_be_long(store: Path) -> None:
    """A path of 300 characters is a label like any other."""
    flow = fc.Flow()
    grid = flow.add(parity, fc.each(n=[1, 2]), name="parity")
    named = flow.add(plus, fc.each(name=["a" * 300, "b" * 300]), "", name="named")
    flow.add(len, fc.gather(named, labels=True), name="count")

    assert 2 == run(flow, store)["count"]
    assert grid is not None


@pytest.mark.contract("K3", "KT6")
def test_a_value_without_encoding_goes_by_the_key_of_its_cell(store: Path) -> None:
    """The cell runs again, since nothing is kept of it; its consumer does while that key is another."""
    first, second, other = run(below(opened, 3), store), run(below(opened, 3), store), run(below(opened, 4), store)

    assert [[1, 1], [1, 0], [1, 1]] == [ran(done, "made", "read") for done in (first, second, other)]
    assert [3, 3, 4] == [done["read"] for done in (first, second, other)]


@pytest.mark.contract("K3", "KT6")
def test_below_a_task_that_is_not_cached_nothing_without_encoding_hits(store: Path) -> None:
    """Nobody vouches that it is the same in another run."""
    done = [run(below(opened, 3, cache=False), store) for _ in range(2)]

    assert [[1, 1], [1, 1]] == [ran(each, "made", "read") for each in done]


@pytest.mark.contract("K3", "KT6")
def test_elements_without_encoding_differ_from_each_other(store: Path) -> None:
    """Each goes by the key of the cell that made them, and its place; those with an encoding by their value."""

    def drawn(n: int) -> fc.Flow:
        flow = fc.Flow()
        made = flow.add(several, n, name="made")
        flow.add(read, fc.each(item=made), name="read")
        return flow

    first, second, other = run(drawn(3), store), run(drawn(3), store), run(drawn(4), store)

    assert [[3, 4, -3, 5], [3, 4, -3, 5], [4, 5, -4, 6]] == [
        done["read"].array().tolist() for done in (first, second, other)
    ]
    assert [[4], [0], [4]] == [ran(done, "read") for done in (first, second, other)]


@pytest.mark.contract("K3")
def test_an_argument_without_encoding_can_be_left_out(store: Path) -> None:
    """As the message says; what is not left out still counts."""

    def drawn(n: int, x: int) -> fc.Flow:
        flow = fc.Flow()
        task = fc.compute(ignore=("handle",))(lambda handle, x: (handle.n, x))
        flow.add(task, Handle(n), x, name="one")
        flow.add(task, fc.each(handle=[Handle(n), Handle(n + 1)]), x + 10, name="grid")
        return flow

    first, second, other = run(drawn(3, 1), store), run(drawn(7, 1), store), run(drawn(3, 2), store)

    assert [[1, 1], [0, 0], [1, 1]] == [ran(done, "one", "grid") for done in (first, second, other)]
    assert (3, 1) == second["one"]


@pytest.mark.contract("K3", "E6")
def test_one_object_may_be_left_out_here_and_count_there(store: Path) -> None:
    """Left out as one argument, it still keeps the node from being kept as another."""
    flow = fc.Flow()
    handle = Handle(3)
    flow.add(fc.compute(ignore=("a",))(lambda a, b: a.n + b.n), handle, handle, name="both")
    done = [run(flow, store) for _ in range(2)]

    assert [[1], [1]] == [ran(each, "both") for each in done]


@pytest.mark.contract("K31", "KT6")
@pytest.mark.parametrize("value", [100, np.arange(5000)], ids=["small", "array"])
def test_a_given_value_answers_no_real_question(store: Path, value: Any) -> None:
    """The next plain run has the hits and values that it had before."""

    def drawn() -> fc.Flow:
        flow = fc.Flow()
        flow.add(plus, flow.add(parity, 3, name="parity"), 10, name="plus")
        return flow

    plain = run(drawn(), store)
    what_if = run(drawn(), store, given={"parity": value})
    again = run(drawn(), store)
    fresh = run(drawn(), store.parent / "other", given={"parity": value})
    real = run(drawn(), store.parent / "other")

    assert np.array_equal(value + 10, what_if["plus"])
    assert [0, 1] == ran(what_if, "parity", "plus")
    assert [0, 0] == ran(again, "parity", "plus")
    assert plain["plus"] == again["plus"] == real["plus"] == 11
    assert [1, 1] == ran(real, "parity", "plus")
    assert np.array_equal(value + 10, fresh["plus"])


@pytest.mark.contract("K31")
def test_what_is_computed_from_a_given_value_is_kept(store: Path) -> None:
    """By its digest: given again, it is answered; and so is a real value that is equal."""

    def drawn(n: int) -> fc.Flow:
        flow = fc.Flow()
        flow.add(plus, flow.add(parity, n, name="parity"), 10, name="plus")
        return flow

    run(drawn(3), store, given={"parity": 0})

    assert [0, 0] == ran(run(drawn(3), store, given={"parity": 0}), "parity", "plus")
    assert [1, 0] == ran(run(drawn(4), store), "parity", "plus")


@dataclass(frozen=True)
class Land:
    """A value of a user's class."""

    height: int

    def area(self) -> int:
        """Compute something."""
        return self.height


def measured(land: Any) -> Any:
    """Call a method of what it gets."""
    return land.area()


@pytest.mark.contract("K10", "K31")
def test_the_class_of_a_given_value_counts(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The given value is the same, and what its method does is not."""
    flow = fc.Flow()
    flow.add(measured, flow.add(itself, 1, kind="compute", name="land"), kind="compute", name="measured")
    first = run(flow, store, given={"land": Land(3)})["measured"]
    monkeypatch.setattr(Land, "area", lambda self: self.height**2)
    told = flow.why("measured", store=store, given={"land": Land(3)}).verdict

    assert (3, "will run", 9) == (first, told, run(flow, store, given={"land": Land(3)})["measured"])


class Peak:
    """A class that only a registered codec takes apart."""

    def __init__(self, height: int) -> None:
        self.height = height

    def area(self) -> int:
        """Compute something."""
        return self.height


def raised(peak: Any) -> Any:
    """Give another one."""
    return type(peak)(peak.height + 1)


@pytest.fixture
def codec() -> Iterator[None]:
    """A codec, as long as a test lasts."""
    fc.register_codec(Peak, name="tests.peak", version="1", to=lambda peak: peak.height, back=Peak)
    yield
    del codecs_by_name["tests.peak"], codecs_by_kind[Peak]
    forget_kinds()


@pytest.mark.contract("K10", "K18")
def test_the_class_of_a_registered_kind_counts(codec: None, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a constant and from upstream: the value is the same, and what its method does is not."""
    flow = fc.Flow()
    flow.add(measured, Peak(3), kind="compute", name="constant")
    flow.add(measured, flow.add(raised, Peak(3), kind="compute", name="raised"), kind="compute", name="upstream")
    first = run(flow, store)
    monkeypatch.setattr(Peak, "area", lambda self: self.height**2)
    second = run(flow, store)

    assert [3, 4] == [first[name] for name in ("constant", "upstream")]
    assert [9, 16] == [second[name] for name in ("constant", "upstream")]


@pytest.mark.contract("K18")
def test_workers_know_registered_codecs(codec: None, store: Path) -> None:
    """Values go there and come back, and are kept."""
    flow = fc.Flow()
    flow.add(raised, flow.add(raised, Peak(3), kind="compute", name="one"), kind="compute", name="two")
    done = [flow.run(store=store, progress=False, workers=1) for _ in range(2)]

    assert [5, 5] == [each["two"].height for each in done]
    assert [[1, 1], [0, 0]] == [ran(each, "one", "two") for each in done]


@pytest.mark.contract("K18")
def test_a_class_that_is_defined_again_takes_its_codec_with_it(codec: None) -> None:
    """As when a notebook's cell runs twice; another class is refused the name."""
    again = type("Peak", (), {"__module__": Peak.__module__, "__init__": Peak.__init__})
    fc.register_codec(again, name="tests.peak", version="1", to=lambda peak: peak.height, back=again)
    with pytest.raises(ValueError, match="registered for Peak"):
        fc.register_codec(Land, name="tests.peak", version="1", to=str, back=str)
    fc.register_codec(Peak, name="tests.peak", version="1", to=lambda peak: peak.height, back=Peak)

    assert again not in codecs_by_kind


def columns(**named: int) -> list[str]:
    """Give what a table made of these would have in front."""
    return list(named)


@pytest.mark.contract("K11", "K14")
def test_what_keywords_gather_has_an_order(store: Path) -> None:
    """A dict has one, and so has whatever is made of it; parameters with names have none."""
    found = []
    for order in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 2}):
        flow = fc.Flow()
        flow.add(columns, **order, kind="compute", name="columns")
        flow.add(plus, **{{"a": "x", "b": "y"}[name]: n for name, n in order.items()}, kind="compute", name="plus")
        done = run(flow, store)
        found.append((done["columns"], *ran(done, "columns", "plus")))

    assert [(["a", "b"], 1, 1), (["b", "a"], 1, 0), (["a", "b"], 0, 0)] == found


@pytest.mark.contract("K31", "KT6")
def test_a_given_value_without_encoding_vouches_for_nothing(store: Path) -> None:
    """As below a task that is not cached."""
    done = [run(below(opened, 3), store, given={"made": Handle(9)}) for _ in range(2)]

    assert [[0, 1], [0, 1]] == [ran(each, "made", "read") for each in done]
    assert 3 == run(below(opened, 3), store)["read"]


@pytest.mark.contract("K31", "KT6")
def test_a_recorded_given_value_is_seen(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sabotage: with a record under the node's own key, a what-if answers the real question."""

    def recording(self: Engine, node: int, numbers: Any) -> None:
        given, books = self._given[node], self._books  # noqa: SLF001
        work = self._work(node, numbers)  # noqa: SLF001
        assert work is not None
        keys, _ = work.keyed(numbers, books.values)
        books.cache.record(Trace(
            node=node, numbers=list(numbers), keys=keys, components=[given[n][1] for n in numbers],
            records=[given[n][0] for n in numbers], seconds=[0.0] * len(numbers),
        ))  # fmt: skip
        supply(self, node, numbers)

    supply = Engine._supply  # noqa: SLF001
    monkeypatch.setattr(Engine, "_supply", recording)
    flow = fc.Flow()
    flow.add(plus, flow.add(parity, 3, name="parity"), 10, name="plus")
    run(flow, store, given={"parity": 100})
    monkeypatch.undo()

    assert 110 == run(flow, store)["plus"]


@pytest.mark.contract("K32")
def test_a_choice_is_the_branch_it_takes(store: Path) -> None:
    """A consumer does not know why: another condition with the same side, or an equal branch, changes nothing."""

    def drawn(condition: int, a: int, b: int) -> fc.Flow:
        flow = fc.Flow()
        with flow:
            flow.result = fc.choose(
                flow.add(parity, condition, name="odd"), flow.add(plus, a, 0, name="a"), flow.add(itself, b, name="b")
            )
        flow.add(plus, flow.result, 1, name="after")
        return flow

    run(drawn(1, 5, 7), store, "after")

    assert [1, 0, 0] == ran(run(drawn(3, 5, 7), store, "after"), "odd", "a", "after")
    assert [1, 0] == ran(run(drawn(2, 7, 5), store, "after"), "b", "after")


@pytest.mark.contract("K32")
def test_a_skip_is_left_out_of_a_gather(store: Path) -> None:
    """Its place is not there, whatever its neighbours give; so adding a cell that skips changes nothing below."""

    def even(n: int) -> int:
        if n % 2:
            raise fc.Skip("odd")
        return n

    def drawn(ns: list[int]) -> fc.Flow:
        flow = fc.Flow()
        grid = flow.add(even, fc.each(n=ns), name="even")
        flow.add(lambda found: sum(found.values()), fc.gather(grid, labels=True, missing="drop"), name="sum")
        return flow

    run(drawn([2, 4]), store)
    more = run(drawn([2, 3, 4]), store)

    assert 6 == more["sum"]
    assert [0] == ran(more, "sum")
    assert 1 == more.counts("even").skipped
