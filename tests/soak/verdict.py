"""What one run of the soak is held to, by what was known when it began and what was done to it since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from tests.drawings import Model
from tests.oracle import LOST, Compared, meant
from tests.soak.plan import Told

NONE = "none"


def wrong_values(model: Model, told: Told, excused: set[str], *, may_lose: bool) -> list[str]:
    """Compare each value with the oracle's.

    Parameters
    ----------
    model : Model
        The oracle, of when the run began.
    told : Told
        What the run came to.
    excused : set of str
        Kinds of failures that were asked for: of these, and of what needs them, there is no value.
    may_lose : bool
        Whether values may be gone: the store was hurt.
    """
    excusable = any(kind in excused for _, _, kind in told.failures)
    problems = []
    for number, (step, outcomes, found) in enumerate(zip(model.steps, model.all(), told.values, strict=True)):
        expected = meant(outcomes, step)
        for label, want, have in _pairs(expected, found):
            if want == have or (have == NONE and excusable) or (have == LOST and may_lose):
                continue
            problems.append(f"step {number} {label}: {want} was meant, {have} was found: {step}")
    wanted = {
        (number, label) for number, outcomes in enumerate(model.all())
        for label, outcome in outcomes.items() if outcome.state == "failed"
    }  # fmt: skip
    failed = {(int(node.lstrip("abcdefghijklmnopqrstuvwxyz_")), label): kind for node, label, kind in told.failures}
    problems += [f"step {n} {label} failed: {kind}" for (n, label), kind in failed.items()
                 if (n, label) not in wanted and kind not in excused]  # fmt: skip
    problems += [f"step {n} {label} did not fail" for n, label in wanted - failed.keys() if not excusable]
    return problems


def _pairs(expected: Compared, found: Compared) -> Iterable[tuple[object, object, object]]:
    """Yield label, what was meant and what was found, of each cell."""
    if expected[0] == "value":
        yield (), expected[1], found[1]
        return
    want: Any = expected[1]
    have: Any = found[1] if isinstance(found[1], dict) else {}
    for label in {**want, **have}:
        yield label, want.get(label, NONE), have.get(label, NONE)


def needless(model: Model, executed: Counter[str], finished: set[object], *, exactly: bool) -> list[str]:
    """Name what ran although it need not have.

    Parameters
    ----------
    model : Model
        The oracle.
    executed : Counter of str
        Lines of what ran.
    finished : set
        Computations whose records were there when the run began, and were not hurt since.
    exactly : bool
        Whether the others may run once only: nobody died.
    """
    allowed = Counter(model.always)
    allowed.update(line for computation, line in model.kept.items() if computation not in finished)
    allowed.update(model.inner)
    allowed.update(line for line in [*allowed] if line.startswith("dozes "))  # once to be ended, and once more
    if exactly:
        more = executed - allowed
        return [f"{line} ran {executed[line]} times, {allowed[line]} are right" for line in more]
    return [f"{line} ran" for line in executed if not allowed[line]]
