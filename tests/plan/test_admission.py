"""Claims about plan/admission.py: never more than there is, and nobody starves."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowcore.plan.admission import NOTHING, PATIENCE, Admission, Need

TEN = Need(cores=4, memory=10, gpus=2)
needs = st.builds(
    Need, cores=st.integers(0, 5), memory=st.integers(0, 12), gpus=st.integers(0, 2)
)  # some more than there is


@dataclass
class Crowd:
    """Tasks without end, each of which asks whenever something has changed, as an engine does."""

    needs: list[Need]
    admission: Admission = field(default_factory=lambda: Admission(TEN))
    running: list[int] = field(default_factory=list)
    passed: dict[int, int] = field(default_factory=dict)  # seats begun since a waiter was refused first
    worst: int = 0

    def begin(self, who: int) -> bool:
        """Let a task ask; tell whether a seat of it began."""
        need = self.needs[who]
        if self.admission.ask(who, need, busy=bool(self.running)):
            if need != NOTHING:
                self.passed.setdefault(who, 0)
            return False
        self.admission.admit(who, need)
        self.passed.pop(who, None)
        for other in self.passed:
            self.passed[other] += self.needs[other].meets(need)
        self.worst = max([self.worst, *self.passed.values()])
        self.running.append(who)
        return True

    def end(self, place: int) -> None:
        """Let one of those that run end."""
        self.admission.leave(self.needs[self.running.pop(place % len(self.running))])


def alone(need: Need) -> bool:
    """Tell whether a need is more than there is."""
    return not need.within(TEN)


@given(st.lists(needs, min_size=1, max_size=5), st.lists(st.integers(0, 20), max_size=200))
def test_never_more_than_there_is(asked: list[Need], events: list[int]) -> None:
    """Whatever asks and ends in whatever order, all that runs fits, or is one alone."""
    crowd = Crowd(asked)
    for event in events:
        if event % 2 and crowd.running:
            crowd.end(event)
        else:
            crowd.begin(event % len(asked))
        ours = [crowd.needs[who] for who in crowd.running]

        assert sum(n.cores for n in ours) == crowd.admission.taken.cores
        if any(map(alone, ours)):
            assert 1 == len(ours)
        else:
            assert crowd.admission.taken.within(TEN)


@pytest.mark.contract("P5")
@given(st.lists(needs, min_size=1, max_size=6), st.data())
def test_something_always_goes_on(asked: list[Need], data: st.DataObject) -> None:
    """Once all that ran has ended, somebody who asks may begin: no line holds up everybody."""
    crowd = Crowd(asked)
    for _ in range(data.draw(st.integers(0, 60))):
        if crowd.running and data.draw(st.booleans()):
            crowd.end(data.draw(st.integers(0, 20)))
        else:
            crowd.begin(data.draw(st.integers(0, len(asked) - 1)))
    while crowd.running:
        crowd.end(0)

    assert any(crowd.begin(who) for who in range(len(asked)))


@given(st.lists(needs.filter(lambda need: need != NOTHING), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_nobody_starves(asked: list[Need], random: object) -> None:
    """However small the others are, and whoever ends first, a waiter is passed by a bounded number of seats."""
    crowd = Crowd(asked)
    for _ in range(150):
        order = list(range(len(asked)))
        random.shuffle(order)  # type: ignore[attr-defined]
        for who in order:
            any(not crowd.begin(who) for _ in range(20))
        if crowd.running:
            crowd.end(random.randrange(100))  # type: ignore[attr-defined]

    assert crowd.worst <= PATIENCE + len(asked) * TEN.memory


def test_a_large_one_is_passed_and_then_gets_its_turn() -> None:
    """Small ones pass while there is room for them; after so many, what ends is left to the one that waits."""
    admission, small, large = Admission(Need(memory=10)), Need(memory=2), Need(memory=10)
    for _ in range(5):
        assert "" == admission.ask("small", small)
        admission.admit("small", small)
    refusals = []
    for _ in range(PATIENCE + 1):
        assert "memory" == admission.ask("large", large)
        admission.leave(small)
        refusals.append(admission.ask("small", small))
        if not refusals[-1]:
            admission.admit("small", small)

    assert [""] * PATIENCE + ["its turn"] == refusals
    for _ in range(4):
        admission.leave(small)
    assert "" == admission.ask("large", large)


def test_who_waits_for_other_things_is_in_nobodys_way() -> None:
    """A waiter for memory, however long it has waited, does not hold up who needs a device."""
    admission = Admission(TEN)
    admission.admit("all", Need(memory=10))
    admission.ask("large", Need(memory=10))
    for _ in range(2 * PATIENCE):
        admission.admit("device", Need(gpus=1))
        admission.leave(Need(gpus=1))

    assert "" == admission.ask("device", Need(gpus=1))


def test_more_than_there_is_runs_alone() -> None:
    """It waits until nothing else runs, nothing begins meanwhile, and nothing begins beside it."""
    admission, huge = Admission(Need(memory=10)), Need(memory=11)
    admission.admit("small", Need(memory=1))
    told = [admission.ask("huge", huge, busy=True), admission.ask("other", NOTHING, busy=True)]
    admission.leave(Need(memory=1))
    told += [admission.ask("other", NOTHING), admission.ask("huge", huge)]
    admission.admit("huge", huge)
    told.append(admission.ask("other", NOTHING, busy=True))
    admission.leave(huge)

    assert ["all others to end", "its turn", "its turn", "", "a cell that runs alone"] == told
    assert "" == admission.ask("other", NOTHING)


def test_who_withdraws_holds_up_nobody() -> None:
    """A waiter that has something else to wait for leaves the line."""
    admission = Admission(Need(memory=10))
    admission.admit("small", Need(memory=1))
    admission.ask("huge", Need(memory=11), busy=True)
    admission.withdraw("huge")

    assert "" == admission.ask("small", Need(memory=1), busy=True)
    assert not admission.shut


def test_the_line_is_kept_in_order() -> None:
    """Of two that have waited long, the one that came first goes first."""
    admission, half = Admission(Need(memory=10)), Need(memory=6)
    admission.admit("first", Need(memory=10))
    for who in ("a", "b"):
        admission.ask(who, half)
    for _ in itertools.repeat(None, PATIENCE):
        admission.admit("small", Need(memory=1))
        admission.leave(Need(memory=1))
    admission.leave(Need(memory=10))

    assert ["its turn", ""] == [admission.ask("b", half), admission.ask("a", half)]
