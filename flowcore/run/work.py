"""A node made ready to run: its task as executors get it, its cells' arguments, and their keys.

Made once, when the first cell of the node is ready, because it is here that user data
is looked at: constants are encoded, the function is packed, its code is identified. If
something cannot be keyed the node still runs, and is not kept (contract K3, E6); if
something cannot travel, no cell of the node runs (F9).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import field
from types import FunctionType

from flowcore.dataclass import dataclass
from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.node import Along
from flowcore.doubts import NotReproducible
from flowcore.errors import NotPicklable
from flowcore.plan.code import Fingerprint, class_fingerprint, fingerprint, modules_read
from flowcore.plan.encode import NoEncoding, encode, find_class
from flowcore.plan.extension import array_digest
from flowcore.plan.graph import Planned
from flowcore.plan.keys import NodeKeys, common_components
from flowcore.plan.modules import Modules
from flowcore.plan.pieces import is_followed
from flowcore.plan.streams import RNG
from flowcore.plan.tracking import Watch, watch
from flowcore.run.claims import ClaimSource, claim_source, has_checkpoint, with_claims
from flowcore.run.inputs import Feeder, FromAxis, FromGather, feeder
from flowcore.run.job import Component, Keep, Part, Record, TaskSpec, Tracked
from flowcore.run.parameters import Own, component_columns
from flowcore.run.requests import Source, asked, draws, stream_sources
from flowcore.run.values import Values
from flowcore.run.written import Encoder, Packed, Surround, is_cached
from flowcore.store.codecs import Codec

_ids = itertools.count(1)


@dataclass(slots=True, kw_only=True)
class Work:
    """A node ready to run."""

    planned: Planned
    lane: str
    task: TaskSpec
    keys: NodeKeys | None  # None: its cells are not keyed
    keep: Keep
    feeders: list[Feeder]
    own: list[Own] = field(default_factory=list)
    classes: tuple[str, ...] = ()  # names of user classes in the call's constants
    supplies: dict[str, Source] = field(default_factory=dict)  # by kind: what cells are supplied from
    draws: bool = False  # whether its cells have random streams, which should not be the same
    code: Fingerprint | None = None  # of the task, where it is cached and could be identified
    met: tuple[Fingerprint, ...] = ()  # of the user classes in its constants
    sketches: dict[Component, str] = field(default_factory=dict)  # of constants whose identity does not tell them
    watch: Watch | None = None  # over what the task tracks and may change during the run
    held: tuple[Record, ...] = ()  # of constants, axis values and functions' buffers: they live as long as the run

    @property
    def number(self) -> int:
        """The node's number."""
        return self.planned.number

    @property
    def claims(self) -> ClaimSource | None:
        """What its cells claim their checkpoints from; None: its task has none."""
        source = self.supplies.get(CHECKPOINT)
        return source if isinstance(source, ClaimSource) else None

    @property
    def answers_for(self) -> float | None:
        """For how many seconds a kept result answers; None: for ever."""
        cache = self.planned.node.options.cache
        return None if isinstance(cache, bool | str) else float(cache)

    @property
    def limit_name(self) -> object:
        """What the cells in flight are counted under, where there is a limit."""
        limit = self.planned.node.options.limit
        return (limit.name or self.number) if limit is not None else None

    def lacking(self, numbers: Sequence[int], lost: Callable[[int, int], bool]) -> list[int]:
        """Give the cells that are handed a gather from which failed cells are left out."""
        gathers = [feed for feed in self.feeders if isinstance(feed, FromGather)]
        return [n for n in numbers if any(gather.lacks(n, lost) for gather in gathers)] if gathers else []

    def columns(self, numbers: Sequence[int], values: Values) -> list[list[Record]]:
        """Give the records in each slot, for these cells."""
        return [feed.records(numbers, values) for feed in self.feeders]

    def keyed(self, numbers: Sequence[int], values: Values) -> tuple[list[bytes], list[list[Component]]]:
        """Give the key of each of these cells, and what entered it besides what all share."""
        assert self.keys is not None, "asked for keyed nodes only"
        own = self.own_components(numbers, values)
        keys = self.keys.keys(own) if own else self.keys.keys([])
        return (keys * len(numbers) if len(keys) == 1 and len(numbers) > 1 else keys), own

    def functions(self) -> dict[bytes, FunctionType]:
        """Give the user's functions that its identity is made of, by their digests as parts."""
        codes = (*self.met, *((self.code,) if self.code is not None else ()))
        return {digest: function for code in codes for digest, function in code.functions}

    def facts(self) -> dict[str, object]:
        """Give what is known of the node once it is made ready, for the journal."""
        common = dict(self.keys.common) if self.keys is not None else {}
        facts: dict[str, object] = {"name": self.planned.name, "runner": self.lane, "common": common}
        facts["own"] = [own.name for own in self.own]
        unfollowed = list(self.code.unfollowed) if self.code is not None else []
        told: dict[str, object] = {"told": self.sketches, "blind": unfollowed}
        return facts | {name: fact for name, fact in told.items() if fact}

    def own_components(self, numbers: Sequence[int], values: Values) -> list[list[Component]]:
        """Give the identities that enter these cells' keys, a column a parameter."""
        return component_columns(self.own, self.feeders, numbers, values)


def prepare(planned: Planned, surround: Surround) -> Work:
    """Make a node ready.

    Raises
    ------
    NotPicklable
        If its function or an argument cannot reach the process it is to run in.
    NotKeyable
        If it cannot be keyed and the user wrote that it must be kept; or for a live
        random generator as argument.
    """
    node = planned.node
    lane = {"item": "thread", "expand": "thread", "choose": "engine"}.get(node.kind, node.runner)
    if node.kind == "choose":
        return Work(planned=planned, lane=lane, task=TaskSpec(id=next(_ids), name=node.name), keys=None,
                    keep=Keep.PASS_ON, feeders=_feeders(planned, surround, Encoder(planned, surround)))  # fmt: skip
    encoder = Encoder(planned, surround)
    feeders = _feeders(planned, surround, encoder)
    parts = [(name, encoder.part(shape, f"args.{name}")) for name, shape in planned.arguments.items()]
    cached = is_cached(planned)
    saves = has_checkpoint(node.task)
    code = _identify(planned, surround, encoder) if cached or saves else None
    own = [encoder.own(name, shape) for name, shape in planned.arguments.items() if planned.slots_of(name)]
    constants = _constants(planned, encoder) if node.task is not None else {}
    own = [o for o in own if o.name not in node.options.ignore]
    classes = _known_classes(encoder.classes)
    keys, keep = None, Keep.PASS_ON
    common = None
    if code is not None and not encoder.refused:
        common = _common(planned, surround, code, constants, classes)
    if common is not None and cached:
        keep = Keep.REQUIRED if node.options.cache == "required" else Keep.KEEP
        keys = NodeKeys(common=common, own=[o.name for o in own])
    supplies: dict[str, Source] = stream_sources(planned, code, surround, constants, own, feeders)
    injected = asked(node.task) if node.task is not None else ()
    if saves:
        injected = with_claims(injected, planned, common, surround.resume)
        supplies[CHECKPOINT] = claim_source(planned, common, own, feeders, keyed=keys is not None, name=surround.cell)
    return Work(
        planned=planned, lane=lane, keys=keys, keep=keep, feeders=feeders, own=own if keys is not None else [],
        task=_task(planned, surround, parts, keep, code, injected), classes=tuple(encoder.classes),
        held=tuple(encoder.held), supplies=supplies, draws=draws(planned, code),
        watch=_watch(planned, code) if keys is not None else None, code=code,
        met=tuple(found for _, found in classes), sketches=encoder.sketches() if keys is not None else {},
    )  # fmt: skip


def _watch(planned: Planned, code: Fingerprint | None) -> Watch | None:
    """Give a watch over what the task tracks besides code."""
    tracks = planned.node.options.tracks
    return watch(tracks, [name for name, _ in code.parts]) if tracks and code is not None else None


def _task(
    planned: Planned, surround: Surround, parts: list[tuple[str, Part]], keep: Keep, code: Fingerprint | None,
    injected: tuple[tuple[str, str, dict[str, object]], ...],
) -> TaskSpec:  # fmt: skip
    node, options = planned.node, planned.node.options
    if node.kind in ("item", "expand"):
        positional = [part for _, part in parts]
        if node.kind == "item":
            positional.append(["const", surround.codec.encode(node.key, keep=False).record])
        return TaskSpec(id=next(_ids), name=node.name, mode=node.kind, positional=tuple(positional))
    assert node.task is not None, "only items, elements and choices have no task"
    away = surround.leaves_process(node.runner)
    function, buffers = _packed(node.task.function, surround) if away else (b"", ())
    count = node.positional
    comparable = isinstance(function, tuple) and not (options.ignore or options.tracks)  # identified plainly there
    piecemeal = code is not None and away and not comparable
    modules, tracks = _compared(planned, surround.codec) if piecemeal else ((), ())
    return TaskSpec(
        id=next(_ids), name=node.name, function=function, live=node.task.function, buffers=buffers,
        mode="async" if node.task.is_async else "sync",
        positional=tuple(part for _, part in parts[:count]), keywords=tuple(parts[count:]),
        keep=keep, code=code.digest if code is not None and comparable else b"",
        modules=modules, ignore=options.ignore, tracks=tracks,
        timeout=options.timeout, cores=options.cores, depth=surround.depth, injected=injected,
        same=options.same.plain if options.same is not None and keep != Keep.PASS_ON else None,
    )  # fmt: skip


def _packed(function: Callable[..., object], surround: Surround) -> Packed:
    """Pack a function once a run, when it is first identified, so that what travels is what was keyed."""
    known = surround.packed.get(id(function))
    if known is None:
        known = surround.packed[id(function)] = (function, surround.codec.pack_function(function))
    return known[1]


def _compared(planned: Planned, codec: Codec) -> tuple[Modules, Tracked]:
    """Give what a worker compares its modules with, and the code among what the task tracks (F32)."""
    task, options = planned.node.task, planned.node.options
    assert task is not None, "only code is compared"
    sent: list[object] = []
    packed = []
    for tracked in filter(is_followed, options.tracks):
        try:
            packed.append(codec.pack_function(tracked))
        except NotPicklable:  # it cannot be looked at there; the function does not need it to travel
            continue
        sent.append(tracked)
    return modules_read(task.function, ignore=options.ignore, tracks=sent), tuple(packed)


def _identify(planned: Planned, surround: Surround, encoder: Encoder) -> Fingerprint | None:
    """Identify the code; None, with a warning, if that cannot be done."""
    assert planned.node.task is not None, "only tasks are cached"
    options = planned.node.options
    try:
        return fingerprint(planned.node.task.function, ignore=options.ignore, tracks=options.tracks)
    except NoEncoding as refused:
        encoder.refuse(refused.path, refused)
        return None


def _constants(planned: Planned, encoder: Encoder) -> dict[str, Component]:
    """Give the identities of what all cells of a node are called with, by parameter."""
    constants = {name: encoder.constant_component(shape, name) for name, shape in planned.arguments.items()
                 if not planned.slots_of(name)}  # fmt: skip
    constants.update(encoder.default_components(planned))
    return {name: component for name, component in constants.items() if name not in planned.node.options.ignore}


def _common(
    planned: Planned, surround: Surround, code: Fingerprint, constants: dict[str, Component],
    classes: list[tuple[str, Fingerprint]],
) -> dict[str, bytes]:  # fmt: skip
    """Give the components that the keys of a node's cells share."""
    task, options = planned.node.task, planned.node.options
    assert task is not None, "only tasks are keyed"
    common = common_components(code, constants=constants, version=options.version, classes=classes)
    gathered = [name for name in task.form.others(planned.arguments) if name not in options.ignore]
    if len(gathered) > 1:  # a dict has an order, and so have the columns of a table made of one
        common["order of keywords"] = encode(gathered, put=array_digest).component
    if RNG in code.asks:  # else a hit would have drawn other numbers (K21)
        common |= {"seed": str(surround.seed).encode(), "task": task.name.encode("utf-8", "surrogatepass")}
    if code.draws:
        surround.tell(NotReproducible(node=planned.name, draws=code.draws, at=planned.node.site), planned.node.site)
    return common


def _known_classes(classes: dict[str, bytes]) -> list[tuple[str, Fingerprint]]:
    """Give user classes with what they are made of."""
    found = ((name, identity, find_class(name)) for name, identity in classes.items())
    return [(name, class_fingerprint(kind) if kind is not None else Fingerprint(digest=identity))
            for name, identity, kind in found]  # fmt: skip


def _feeders(planned: Planned, surround: Surround, encoder: Encoder) -> list[Feeder]:
    space = surround.spaces(planned.number)
    found: list[Feeder] = []
    for slot, form in enumerate(planned.slots):
        if isinstance(form, Along):
            ignored = next(
                (n for n in planned.node.options.ignore if n in planned.arguments and slot in planned.slots_of(n)), ""
            )
            path = f"args.{ignored}" if ignored else f"each({form.axis.name}=...)"
            encoded = [encoder.fresh(value, f"{path}[{i}]") for i, value in enumerate(form.values)]
            found.append(FromAxis(space, form.axis.name, encoded))
        else:
            found.append(feeder(form, space, surround.spaces, surround.label))
    return found
