"""Values that were passed on and cannot be unpickled: who made them is to blame (contract F11).

A value without encoding goes as a pickle from the cell that made it to those that use
it, and only there it turns out whether it can be read. The first that cannot read it
says which of its inputs it was. The maker, done by then, is *condemned*: it is ready
once more, and fails when it is taken up. Whoever needs its value waits for that, the
cell that found out included, and does not run; what was computed from other values
stays. The engine's thread.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from flowcore.errors import FlowcoreError, NotPicklable
from flowcore.plan.states import BROKEN, State
from flowcore.run.books import Books, Cell
from flowcore.run.flight import Batch
from flowcore.run.job import Failed
from flowcore.run.outcomes.equals import release_parked
from flowcore.run.ready.inputs import FromGather
from flowcore.run.ready.work import Work

Fail: TypeAlias = Callable[[int, Sequence[int], FlowcoreError], None]


def condemn(result: Failed, work: Work, number: int, books: Books) -> bool:
    """Charge an input that cannot be unpickled to the cell that made it; False if that is not known."""
    if result.input is None:
        return False
    slot, place = result.input
    origins = work.feeders[slot].origins(number)
    maker = origins[place] if place < len(origins) else None
    if maker is None or maker[0] not in books.works:
        return False
    if maker not in books.condemned and books.schedule.state(*maker) == State.DONE:
        planned, failure = books.works[maker[0]].planned, result.failure
        told = f"it is pickled, and cannot be unpickled ({failure.type.removeprefix('builtins.')}: {failure.text})"
        books.condemned[maker] = NotPicklable(
            node=f"The result of {planned.name}", path="result", kind="value that only pickle can represent",
            reason=told, at=planned.node.site,
        )  # fmt: skip
    if maker not in books.condemned:
        return False
    _hold(work.number, number, maker, books)
    return True


def _hold(node: int, number: int, maker: Cell, books: Books) -> None:
    """Let a cell wait until its maker has failed; if it has, the cell does not run."""
    if books.schedule.state(*maker) in BROKEN:  # it was told to those that were waiting then, and not to this one
        books.schedule.blocked(node, [number])
    else:
        books.schedule.lost(maker[0], [maker[1]], by=(node, number))


def spared(node: int, numbers: Sequence[int], books: Books, fail_all: Fail) -> list[int]:
    """Fail those of these cells, taken up, that are condemned; give the others."""
    guilty = [n for n in numbers if (node, n) in books.condemned]
    for number in guilty:
        books.count(node).done -= 1
        fail_all(node, [number], books.condemned[node, number])
    return [n for n in numbers if n not in guilty]


def fed(batch: Batch, books: Books) -> Batch | None:
    """Let those cells of a batch wait that were judged with a value that was condemned since; give the others."""
    if not books.condemned:
        return batch
    hungry = set()
    for i, (node, number) in enumerate(zip(batch.nodes, batch.numbers, strict=True)):
        work = books.works[node]
        needed, left_out = (_maker(work, number, books, tolerant=tolerant) for tolerant in (False, True))
        maker = needed or left_out
        if maker is not None and (needed or books.schedule.state(*maker) not in BROKEN):
            _hold(node, number, maker, books)
        elif left_out is not None and batch.keys[i]:
            books.schedule.again(node, [number])  # keyed with what is left out now: such a result is not kept
        else:
            continue
        hungry.add(i)
        release_parked(books, batch.keys[i])
    left = [i for i in range(len(batch.numbers)) if i not in hungry]
    return batch if not hungry else batch.at(left) if left else None


def _maker(work: Work, number: int, books: Books, *, tolerant: bool) -> Cell | None:
    """Give a condemned cell that feeds this one, plainly or into a gather that leaves failed cells out."""
    for feed in work.feeders:
        if (isinstance(feed, FromGather) and feed.tolerant) == tolerant:
            for origin in feed.origins(number):
                if origin in books.condemned:
                    return origin
    return None
