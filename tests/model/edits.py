"""What a user may change between two runs, drawn at random.

Constants and values along axes are exchanged for near-equal ones: another type, dtype,
shape or order with the same text, bytes, hash or sum.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from tests.drawings import AXES, Axes, Const, Many, Step
from tests.model.world import DRESSING, KNOBS, World

_LONG = np.zeros(3_000)
_MIDDLE = np.concatenate([np.zeros(1_500), np.ones(1), np.zeros(1_499)])
FAMILIES: tuple[tuple[Any, ...], ...] = (
    (0, False, 0.0, -0.0, None, "", b"", np.int64(0), np.float64(0), np.float32(0), [], (), {}),
    (1, True, 1.0, np.float64(1), np.bool_(True), "1", b"1", "True", [1], (1,)),
    (-1, -2, 2**61 - 2, "-1", float("nan"), "nan", 1j),
    (["a-b", "c"], ["a", "b-c"], ("a", "b-c"), ["a-b-c"], ["a", "b", "c"], "a-b-c"),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2, "b": 1}, [["a", 1], ["b", 2]]),
    (
        np.arange(6, dtype="<i4"), np.arange(6, dtype="<u4"), np.arange(6, dtype="<i4").view("<f4"),
        np.arange(6, dtype=">i4"), np.arange(6, dtype="<i8"), np.arange(6, dtype="<i4").reshape(2, 3),
        np.arange(6, dtype="<i4").reshape(3, 2), list(range(6)), np.arange(6, dtype="<i4").tobytes(),
    ),
    (_LONG, _MIDDLE, _LONG.reshape(2, -1), _LONG.reshape(-1, 2), _LONG.view("<i8"), _LONG + 1e-12, _LONG[:-1]),
)  # fmt: skip
_PLAIN = (*FAMILIES[0][:10], *FAMILIES[1][:8], -1, -2)  # what can be a label
_MORE: dict[str, tuple[tuple[object, object], ...]] = {  # labels that may be added, and the other value there
    "x": ((4, "d"), (-1, "A"), (-2, "a-b")), "y": (("r", 0.0), ("a-b", -0.0)), "z": ((2.5, True), (0, 1)),
}  # fmt: skip


def files_in(folder: Path) -> list[Path]:
    """Make files that constants may name."""
    paths = [folder / name for name in ("a.txt", "b.txt")]
    for path in paths:
        path.write_text("one")
    return paths


@dataclass
class Scene:
    """What is run, and how it was edited so far."""

    steps: list[Step]
    world: World
    axes: Axes = field(default_factory=lambda: dict(AXES))
    families: tuple[tuple[Any, ...], ...] = FAMILIES
    files: list[Path] = field(default_factory=list)
    prefix: str = "s"
    told: list[str] = field(default_factory=list)  # the edits, for messages


def turn(scene: Scene, draw: Any) -> None:
    """Edit a function: body, default, closure, constant, table, helper, the helper's helper, or nothing it gives."""
    used = sorted(scene.world.states)
    if not used:
        return
    name, knob = draw(st.sampled_from(used)), draw(st.sampled_from(KNOBS))
    value = draw(st.integers(0, 2))
    scene.world = scene.world.turned(name, knob, value)
    scene.told.append(f"{knob} of {name} = {value}")


def dress(scene: Scene, draw: Any) -> None:
    """Edit what has no meaning: comment, docstring, annotation, blank lines, order of functions."""
    what, value = draw(st.sampled_from(DRESSING)), draw(st.integers(0, 2))
    scene.world = scene.world.dressed(what, value)
    scene.told.append(f"{what} = {value}")


def rename(scene: Scene, draw: Any) -> None:
    """Call the nodes something else."""
    scene.prefix = draw(st.sampled_from(["s", "t", "node_"]))
    scene.told.append(f"nodes are called {scene.prefix}")


def exchange(scene: Scene, draw: Any) -> None:
    """Write another constant into a call, a near-equal one if there was one of a family before."""
    places = [(i, j) for i, step in enumerate(scene.steps) for j, a in enumerate(step.arguments) if _constants(a)]
    if not places:
        return
    i, j = draw(st.sampled_from(places))
    step = scene.steps[i]
    changed = _exchanged(step.arguments[j], scene.families, draw)
    arguments = (*step.arguments[:j], changed, *step.arguments[j + 1 :])
    scene.steps = [*scene.steps[:i], replace(step, arguments=arguments), *scene.steps[i + 1 :]]
    scene.told.append(f"argument {j} of step {i} = {changed}")


def write(scene: Scene, draw: Any) -> None:
    """Write a file anew, often in the same second and at the same size, and now and then with its old times."""
    path = draw(st.sampled_from(scene.files)) if scene.files else None
    text = draw(st.sampled_from(["one", "two", "ONE", "three", ""]))
    put_back = draw(st.booleans())
    if path is None:
        return
    before = path.stat()
    path.write_text(text)
    if put_back:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    scene.told.append(f"{path.name} = {text!r}")


def relabel(scene: Scene, draw: Any) -> None:
    """Reorder an axis, take a label out, add one, or change the other value there."""
    axis = draw(st.sampled_from(sorted(AXES)))
    pairs = list(zip(*scene.axes[axis], strict=True))
    match draw(st.sampled_from(["reorder", "drop", "add", "change"])):
        case "reorder":
            pairs = draw(st.permutations(pairs))
        case "drop":
            pairs = pairs[1:] or pairs
        case "add":
            there = {label for label, _ in pairs}
            pairs += [pair for pair in _MORE[axis] if pair[0] not in there][:1] if len(pairs) < 4 else []
        case "change":
            others = [value for _, value in pairs[1:]]
            value = draw(st.sampled_from([value for value in _PLAIN if value not in others]))
            pairs = [(pairs[0][0], value), *pairs[1:]]
    labels, others = zip(*pairs, strict=True)
    scene.axes = {**scene.axes, axis: (tuple(labels), tuple(others))}
    scene.told.append(f"axis {axis} = {scene.axes[axis]}")


EDITS: dict[str, Callable[[Scene, Any], None]] = {
    "turn": turn, "dress": dress, "rename": rename, "exchange": exchange, "relabel": relabel, "write": write,
}  # fmt: skip


def _constants(argument: Any) -> bool:
    return isinstance(argument, Const) or (isinstance(argument, Many) and any(map(_constants, argument.parts)))


def _exchanged(argument: Any, families: tuple[tuple[Any, ...], ...], draw: Any) -> Any:
    if isinstance(argument, Const):
        family = next((f for f in families if any(argument.value is value for value in f)), None)
        return Const(draw(st.sampled_from(family or draw(st.sampled_from(families)))))
    parts = [_exchanged(part, families, draw) if _constants(part) else part for part in argument.parts]
    return replace(argument, parts=tuple(parts))
