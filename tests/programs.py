"""Random drawings, made from what hypothesis draws, and how many of them a claim is held to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from tests.drawings import AXES, Along, Collect, Const, Element, Many, Step, Use, axes_of, union
from tests.vocabulary import LIVELY, PARTS, PLAIN, RANDOM, SOURCES

MOST_CELLS = 40


def examples(count: int, *, more: int) -> settings:
    """Give the settings of a claim: `count` examples, and `more` times as many in the long form, which shrinks them."""
    phases = [Phase.explicit, Phase.generate, *([Phase.shrink] if more > 1 else [])]  # shrinking takes minutes
    return settings(max_examples=count * more, phases=phases, suppress_health_check=list(HealthCheck))


@st.composite
def programs(
    draw: st.DrawFn,
    *,
    most: int = 8,
    runners: tuple[str | None, ...] = (None,),
    lively: bool = False,
    dozing: bool = False,
) -> list[Step]:
    """Give a drawing of up to `most` steps.

    `lively`: of tasks that are not as plain calls are as well; `dozing`: with one that hangs, now and then.
    """
    steps: list[Step] = []
    if dozing and draw(st.integers(0, 3)) == 0:
        steps.append(Step("dozes", (Const(draw(st.integers(0, 20))),), ()))
    for _ in range(draw(st.integers(2, most))):
        kind = draw(st.sampled_from(["call"] * 8 + ["item", "choose"] + ["lively"] * 3 * lively))
        made = {"item": _item, "choose": _choice, "lively": _lively}.get(kind, _call)(draw, steps, runners)
        steps.append(made or _call(draw, steps, runners) or Step("whole", (Const(len(steps)),), ()))
    return steps


def _call(draw: st.DrawFn, steps: list[Step], runners: tuple[str | None, ...]) -> Step | None:
    arguments = tuple(_argument(draw, steps, depth=0) for _ in range(draw(st.integers(1, 3))))
    zipped = [a for a in arguments if isinstance(a, Along)]
    arguments = tuple(
        Along(a.axis, 0) if isinstance(a, Along) and next(z for z in zipped if z.axis == a.axis) is a else a
        for a in arguments
    )  # the first on an axis gives the labels
    axes = union(axes_of(a, steps) for a in arguments)
    if size(axes) > MOST_CELLS:
        return None
    after = ()
    if steps and draw(st.integers(0, 5)) == 0:
        after = (draw(st.integers(0, len(steps) - 1)),)
    name = draw(st.sampled_from([*PLAIN, *PLAIN, *SOURCES, *SOURCES, *PARTS, "even"]))
    kind = draw(st.sampled_from(["compute"] * 5 + ["io"]))
    runner = draw(st.sampled_from(runners)) if kind == "compute" else None
    return Step(name, arguments, axes, after=after, kind=kind, runner=runner)


def _lively(draw: st.DrawFn, steps: list[Step], runners: tuple[str | None, ...]) -> Step | None:
    made = _call(draw, steps, runners)
    name = draw(st.sampled_from(LIVELY))
    kind = draw(st.sampled_from(["io", "kept io"] if name == "waits" else ["compute", "compute", "kept io"]))
    # A gather, or a container, has another stream than the list that it comes to.
    if made is None or (name in RANDOM and any(isinstance(a, Collect | Many) for a in made.arguments)):
        return None
    return replace(made, function=name, kind=kind, runner=made.runner if kind == "compute" else None)


def _argument(draw: st.DrawFn, steps: list[Step], *, depth: int) -> Any:
    forms = ["const", "along"]
    forms += ["use"] * 4 if steps else []
    sources = [i for i, step in enumerate(steps) if step.function in SOURCES]
    grids = [i for i, step in enumerate(steps) if step.axes]
    forms += ["element"] * 2 if sources else []
    forms += ["collect"] * 3 if grids else []
    forms += ["many"] if depth == 0 and steps else []
    match draw(st.sampled_from(forms)):
        case "const":
            return Const(draw(st.sampled_from([0, 1, 2.5, "s", None, [1, 2], {"k": (1,)}])))
        case "along":
            return Along(draw(st.sampled_from(sorted(AXES))), draw(st.integers(0, 1)) if depth == 0 else 0)
        case "use":
            return Use(draw(st.integers(0, len(steps) - 1)))
        case "element":
            return Element(draw(st.sampled_from(sources)))
        case "collect":
            return _collect(draw, draw(st.sampled_from(grids)), steps)
    kind = draw(st.sampled_from(["list", "tuple", "dict"]))
    return Many(kind, tuple(_argument(draw, steps, depth=1) for _ in range(draw(st.integers(1, 2)))))


def _collect(draw: st.DrawFn, step: int, steps: list[Step]) -> Collect:
    axes = steps[step].axes
    chosen = tuple(axis for axis in axes if draw(st.booleans())) or axes
    for axis in axes:  # what stays must not depend on what goes
        if axis not in chosen and set(_needs(axis, steps)) & set(chosen):
            chosen = axes
    missing = draw(st.sampled_from(["need", "drop", "drop-failed"]))
    return Collect(step, chosen, missing != "need" or draw(st.booleans()), missing)


def _item(draw: st.DrawFn, steps: list[Step], runners: tuple[str | None, ...]) -> Step | None:
    del runners
    sources = [i for i, step in enumerate(steps) if step.function in PARTS]
    if not sources:
        return None
    source = draw(st.sampled_from(sources))
    key = draw(st.sampled_from(PARTS[steps[source].function]))
    same = any(s.function == "item" and s.arguments == (Use(source),) and s.key == key for s in steps)
    return None if same else Step("item", (Use(source),), steps[source].axes, key=key)


def _choice(draw: st.DrawFn, steps: list[Step], runners: tuple[str | None, ...]) -> Step | None:
    del runners
    conditions = [i for i, step in enumerate(steps) if step.function == "even"]
    if not conditions:
        return None
    arguments = (Use(draw(st.sampled_from(conditions))), *(_branch(draw, steps) for _ in range(2)))
    axes = union(axes_of(a, steps) for a in arguments)
    return Step("choose", arguments, axes) if size(axes) <= MOST_CELLS else None


def _branch(draw: st.DrawFn, steps: list[Step]) -> Any:
    return Use(draw(st.integers(0, len(steps) - 1)))


def size(axes: tuple[str, ...]) -> int:
    """Give an upper bound of the number of cells."""
    count = 1
    for axis in axes:
        count *= len(AXES[axis][0]) if axis in AXES else 3
    return count


def _needs(axis: str, steps: list[Step]) -> tuple[str, ...]:
    return () if axis in AXES else steps[int(axis[1:])].axes
