"""What the journal says of a run as a whole: enough to read it without the flow that was run.

Owns the facts of the run and of its nodes, and what is said at its end. The engine adds
what it learns cell by cell. Facts are names, numbers and labels (which are names),
never values (contract S11).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Iterable, Mapping, Sequence

from flowcore.collector import at_rest
from flowcore.declare.node import HIDDEN, Axis, Node, label_told
from flowcore.machine import default_memory
from flowcore.plan.graph import Graph, Planned
from flowcore.plan.keys import numpy_version
from flowcore.plan.libraries import distribution
from flowcore.plan.states import State
from flowcore.run.books import Books, CellFailure, Counts
from flowcore.run.job import Failure
from flowcore.run.ready.work import Work
from flowcore.settings import Settings
from flowcore.store.cache import Cache
from flowcore.store.codecs import Codec
from flowcore.store.drawn import Drawn
from flowcore.store.durations import task_identity

Known = dict[tuple[int, int], dict[str, object]]  # facts of nodes that call one task with the same options, by ids

_PLAIN = frozenset({str, bool, float})
_WIDE = 1 << 63
_AT_ONCE = 4096  # nodes in one record
_DONE = int(State.DONE)
_LEFT = tuple(
    (int(state), state.name.lower()) for state in (State.SKIPPED, State.BLOCKED, State.INTERRUPTED)
)  # ends of cells that nothing else is written of
_NONE = Counts()
COUNTED = ("cells", "done", "hit", "failed", *(name for _, name in _LEFT))


def tell_beginning(
    cache: Cache,
    graph: Graph,
    *,
    flow: str,
    settings: Settings,
    given: Iterable[int],
    codec: Codec,
    about: Mapping[str, object],
) -> int:
    """Write down what the run is, and, once there is time, all of its nodes; give how many axes they have.

    `about` has when it began, and what else its caller knows.
    """
    nodes, executor = graph.planned(), settings.executor
    axes = {id(axis): axis for planned in nodes for axis in planned.node.axes}
    labelled = [_axis(axis, codec) for axis in axes.values()]

    def opening() -> None:
        with at_rest:
            cache.axes(labelled)
            _tell_nodes(cache, nodes, {about: place for place, about in enumerate(axes)})

    cache.run({
        "flow": flow, "python": sys.version.split()[0], "machine": _machine(),
        "workers": settings.workers, "memory": settings.memory or default_memory(),
        "seed": settings.seed, "on_error": settings.on_error,
        "executor": executor if isinstance(executor, str | None) else type(executor).__name__,
        "targets": list(graph.targets), "given": sorted(given), **about,
    }, opening)  # fmt: skip
    return len(axes)


def _tell_nodes(cache: Cache, nodes: Sequence[Planned], places: Mapping[int, int]) -> None:
    """Write down nodes in their order: in columns where calls have one shape, and the others one by one."""
    known: Known = {}
    drawn, kinds = Drawn(), dict[Hashable, int]()
    for planned in nodes:
        node = planned.node
        alike = bool(planned.call) and not node.after  # a node of one cell, called with whole values only
        if drawn and (not alike or len(drawn) >= _AT_ONCE):
            cache.drawn(drawn)
            drawn, kinds = Drawn(), {}
        if not alike:
            cache.node(node.number, _node(planned, [places[id(axis)] for axis in node.axes], known))
            continue
        about = node.kind, id(node.task), id(node.options), node.group, planned.call
        kind = kinds.get(about)
        if kind is None:
            kind = kinds[about] = drawn.kind(_node(planned, (), known), [name for name, _ in node.sources()])
        drawn.add(kind, node.number, node.name, node.site, [slot.node.number for slot in planned.slots])  # type: ignore[union-attr]
    if drawn:
        cache.drawn(drawn)


def tell_drawn(cache: Cache, drawn: Sequence[Planned], first_axis: int, *, by: tuple[int, int], codec: Codec) -> int:
    """Write down nodes that a cell has drawn, whose axes follow those told of before; give how many axes they have."""
    axes = {id(axis): axis for planned in drawn for axis in planned.node.axes}
    if axes:
        cache.axes([_axis(axis, codec) for axis in axes.values()], first_axis)
    places = {about: place for place, about in enumerate(axes, first_axis)}
    known: Known = {}
    for planned in drawn:
        facts = _node(planned, [places[id(axis)] for axis in planned.node.axes], known)
        cache.node(planned.number, facts | {"drawn": list(by)})
    return len(axes)


def tell_ready(cache: Cache, works: Iterable[Work], told: set[int]) -> None:
    """Write down nodes that were made ready: by recipe, and those with large constants one by one.

    `told` has the recipes that were written down, by their tasks.
    """
    kin: dict[int, list[Work]] = {}
    for work in works:
        if work.recipe.shared and not work.sketches:
            kin.setdefault(work.task.id, []).append(work)
        else:
            cache.node(work.number, work.facts())
    for task, alike in kin.items():
        recipe = alike[0].recipe
        if task not in told:
            told.add(task)
            cache.recipe(task, recipe.facts())
        names = recipe.keys.varying if recipe.keys is not None else ()
        columns = list(zip(*(work.keys.varying for work in alike if work.keys is not None), strict=True))
        cache.cast(task, [work.number for work in alike], names, columns)


def tell_end(cache: Cache, books: Books) -> dict[str, int]:
    """Write down how far the cells came of which nothing was written so far; give all counts."""
    graph, whole = books.graph, dict.fromkeys(COUNTED, 0)
    for number, planned in graph.nodes.items():
        states, shown = books.schedule.states(number), planned.node.kind not in HIDDEN
        counts = books.counts.get(number, _NONE)
        if shown:
            whole["cells"] += len(states)
            whole["done"] += counts.done
            whole["hit"] += counts.hit
            whole["failed"] += counts.failed
        if states.count(_DONE) == len(states):
            continue
        for state, name in _LEFT:
            left = [n for n, found in enumerate(states) if found == state]
            if left:
                cache.left(number, name, left)
            whole[name] += len(left) if shown else 0
    for (number, cell), tries in books.tries.items():
        cache.tried(number, cell, tries.total)
    return whole


def _node(planned: Planned, axes: Sequence[int], known: Known) -> dict[str, object]:
    node = planned.node
    about = id(node.task), id(node.options)
    shared = known.get(about)
    if shared is None:
        shared = known[about] = {"task": task_identity(node) or None, "runner": node.runner, **_needs(node)}
    over = [[edge.source, list(edge.over)] for edge in planned.edges if edge.over]
    return {
        "name": node.name, "kind": node.kind, "group": node.group, "site": node.site, "axes": axes,
        "from": [[name, source.number] for name, source in node.sources()],
        "after": [before.number for before in node.after], **({"over": over} if over else {}), **shared,
    }  # fmt: skip


def _machine() -> dict[str, object]:
    """Give what may matter to who compares two runs; looked up without importing anything for it."""
    system = os.uname()
    return {
        "numpy": numpy_version(), "flowcore": distribution("flowcore"), "cores": os.cpu_count() or 0,
        "system": f"{system.sysname} {system.release}", "processor": system.machine, "host": system.nodename,
        "main": str(getattr(sys.modules.get("__main__"), "__file__", "") or ""),
    }  # fmt: skip


def _needs(node: Node) -> dict[str, object]:
    """Give what may make its cells wait, besides their inputs."""
    limit, memory = node.options.limit, node.options.memory
    told: dict[str, object] = {"memory": memory} if memory else {}
    return (
        told
        if limit is None
        else told
        | {
            "limit": [
                str(limit.name or (node.task.name if node.task is not None else node.name)),
                limit.count,
                limit.period,
            ]
        }
    )


def _axis(axis: Axis, codec: Codec) -> dict[str, object]:
    """Give an axis as plain data; labels that are not go as records, with what they are called in ids."""
    labels, source = axis.labels, axis.source.number if axis.source is not None else None
    if labels is None or all(type(x) in _PLAIN or (type(x) is int and -_WIDE <= x < _WIDE) for x in labels):
        return {"name": axis.name, "labels": None if labels is None else list(labels), "source": source}
    records = [[codec.encode(label, keep=False).record, label_told(label)] for label in labels]
    return {"name": axis.name, "records": records, "source": source}


def failure_facts(failure: CellFailure) -> dict[str, object]:
    """Give a failure for the journal: what and where, no data (contract S11)."""
    error, tried = failure.error, {"attempts": failure.attempts, "arguments": dict(failure.arguments)}
    if isinstance(error, Failure):
        told = {"type": error.type, "text": error.text, "at": error.at, "traceback": error.traceback}
        return told | tried | {"causes": [[cause.type, cause.text, cause.at] for cause in error.causes]}
    told = {"type": f"flowcore.errors.{type(error).__name__}", "text": str(error), "at": "", "traceback": ""}
    return told | tried
