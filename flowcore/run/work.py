"""A node made ready to run: its task as executors get it, its cells' arguments, and their keys.

Made once, when the first cell of the node is ready, because it is here that user data
is looked at: constants are encoded, the function is packed, its code is identified. If
something cannot be keyed the node still runs, and is not kept (contract K3, E6); if
something cannot travel, no cell of the node runs (F9).
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import TypeAlias

from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.node import Along
from flowcore.doubts import NotReproducible
from flowcore.errors import MissingFile, NotKeyable, NotPicklable
from flowcore.notices import notice
from flowcore.plan.cells import Space
from flowcore.plan.code import Fingerprint, class_fingerprint, fingerprint, modules_read
from flowcore.plan.encode import NoEncoding, find_class
from flowcore.plan.graph import Constant, Container, Place, Planned, Shape
from flowcore.plan.keys import NodeKeys, common_components
from flowcore.plan.modules import Modules
from flowcore.plan.pieces import is_followed
from flowcore.plan.records import combine, component_of_form, references, tells_itself
from flowcore.plan.sketch import sketch
from flowcore.plan.streams import RNG
from flowcore.run.claims import ClaimSource, claim_source, has_checkpoint, with_claims
from flowcore.run.inputs import Feeder, FromAxis, FromGather, LabelRecord, feeder
from flowcore.run.job import Component, Keep, Part, Record, TaskSpec, Tracked
from flowcore.run.parameters import Own, component_columns
from flowcore.run.requests import Source, asked, draws, stream_sources
from flowcore.run.values import Values
from flowcore.store.codecs import Codec

Packed: TypeAlias = tuple[tuple[str, ...] | bytes, tuple[Record, ...]]
_ids = itertools.count(1)
_SKETCHED = 64  # large constants of a node that are told
_LIVE = frozenset({"numpy.random._generator.Generator", "numpy.random.mtrand.RandomState", "random.Random"})
_LIVE_REMEDY = "Leave it out of this call, and give the task a stream a cell: `rng: np.random.Generator = fc.rng()`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Surround:
    """What preparing a node needs of its run."""

    codec: Codec
    spaces: Callable[[int], Space]
    label: LabelRecord
    run_id: str
    leaves_process: Callable[[str], bool]  # whether a runner's cells leave this process
    named: Callable[[int, int], Component]  # from node and cell to what it is called, as an identity
    seed: int = 0
    resume: str = "own"  # what becomes of states that other code has left
    cell: Callable[[int, int], str] = "{}[{}]".format  # readable id of a cell
    depth: int = 0  # how many runs this one is nested in
    tell: Callable[[NotKeyable | NotReproducible, str], None] = (
        notice  # told of what is wrong with a node, and its place
    )
    packed: dict[int, tuple[object, Packed]] = field(default_factory=dict)  # functions, by id, as they travel


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
                    keep=Keep.PASS_ON, feeders=_feeders(planned, surround, _Encoder(planned, surround)))  # fmt: skip
    encoder = _Encoder(planned, surround)
    feeders = _feeders(planned, surround, encoder)
    parts = [(name, encoder.part(shape, f"args.{name}")) for name, shape in planned.arguments.items()]
    cached = _cached(planned)
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
        code=code, met=tuple(found for _, found in classes), sketches=encoder.sketches() if keys is not None else {},
    )  # fmt: skip


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


def _cached(planned: Planned) -> bool:
    return planned.node.task is not None and planned.node.options.cache is not False


def _must(planned: Planned) -> bool:
    """Tell whether the user wrote that the result has to be kept."""
    options = planned.node.options
    return options.cache == "required" or (options.cache is True and "cache" in options.given)


def _identify(planned: Planned, surround: Surround, encoder: _Encoder) -> Fingerprint | None:
    """Identify the code; None, with a warning, if that cannot be done."""
    assert planned.node.task is not None, "only tasks are cached"
    options = planned.node.options
    try:
        return fingerprint(planned.node.task.function, ignore=options.ignore, tracks=options.tracks)
    except NoEncoding as refused:
        encoder.refuse(refused.path, refused)
        return None


def _constants(planned: Planned, encoder: _Encoder) -> dict[str, Component]:
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


def _feeders(planned: Planned, surround: Surround, encoder: _Encoder) -> list[Feeder]:
    space = surround.spaces(planned.number)
    found: list[Feeder] = []
    for form in planned.slots:
        if isinstance(form, Along):
            encoded = [encoder.fresh(value, f"each({form.axis.name}=...)[{i}]") for i, value in enumerate(form.values)]
            found.append(FromAxis(space, form.axis.name, encoded))
        else:
            found.append(feeder(form, space, surround.spaces, surround.label))
    return found


class _Encoder:
    """Encodes what the user wrote into a call; remembers what has no encoding."""

    def __init__(self, planned: Planned, surround: Surround) -> None:
        self._planned = planned
        self._codec = surround.codec
        self._cached = _cached(planned)
        self._tell = surround.tell
        self._known: dict[int, tuple[object, Record, Component]] = {}
        self.classes: dict[str, bytes] = {}
        self.held: list[Record] = []
        self.refused = False
        self._large: dict[Component, Record] = {}  # of what does not tell itself by its component

    def value(self, value: object, path: str) -> tuple[Record, Component]:
        """Give the record and the identity of a value; passed on, with a warning, if it has no encoding."""
        known = self._known.get(id(value))
        if known is None:
            known = self._known[id(value)] = (value, *self.fresh(value, path))
        return known[1], known[2]

    def fresh(self, value: object, path: str) -> tuple[Record, Component]:
        """As `value`, for one that is asked for once only."""
        try:
            encoded = self._codec.argument(value, name=path)
            if encoded.classes:
                self.classes.update(encoded.classes)
            if references(encoded.record):
                self.held.append(encoded.record)
            if not tells_itself(encoded.component):
                self._large[encoded.component] = encoded.record
            return encoded.record, encoded.component
        except MissingFile as missing:
            missing.node, missing.parameter, missing.at = self._planned.name, path, self._planned.node.site
            raise
        except NoEncoding as refused:
            self.refuse(f"{path}{refused.path}", refused)
            record = self._codec.pass_on(value, name=path)
            self.held.append(record)
            # A node with such an argument is not keyed; its random streams count it as the place where it stands.
            return record, combine("unkeyed", [component_of_form(path.encode("utf-8", "surrogatepass"))])

    def refuse(self, path: str, refused: NoEncoding) -> None:
        """Say that the node is not kept, or raise where that is not acceptable (contract E6)."""
        live = refused.kind in _LIVE
        remedy = _LIVE_REMEDY if live else ""
        node = self._planned.node
        raised = live or (self._cached and _must(self._planned))
        trouble = NotKeyable(
            node=node.name, path=path, kind=refused.kind, at=node.site, refused=raised, remedy=remedy or refused.hint
        )
        if raised:
            raise trouble
        if self._cached and not self.refused:
            self._tell(trouble, node.site)
        self.refused = True

    def part(self, shape: Shape, path: str) -> Part:
        """Give a part of the call in the form that crosses borders."""
        if isinstance(shape, Place):
            return ["slot", shape.slot]
        if isinstance(shape, Constant):
            return ["const", self.value(shape.value, path)[0]]
        if shape.kind == "dict":
            pairs = [[self.value(k, path)[0], self.part(item, f"{path}[{k!r}]")] for k, item in shape.items]
            return ["dict", pairs]
        return [shape.kind, [self.part(item, f"{path}[{i}]") for i, (_, item) in enumerate(shape.items)]]

    def constant_component(self, shape: Shape, name: str) -> Component:
        """Give the identity of an argument without slots."""
        assert isinstance(shape, Constant), "containers without references are constants"
        return self.value(shape.value, f"args.{name}")[1]

    def default_components(self, planned: Planned) -> dict[str, Component]:
        """Give the identities of parameters left at their defaults, so that writing one out changes nothing (K11)."""
        assert planned.node.task is not None, "only tasks are keyed"
        try:
            parameters = inspect.signature(planned.node.task.function).parameters
        except (TypeError, ValueError):  # written in C, without a signature
            return {}
        found: dict[str, Component] = {}
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty or name in planned.arguments:
                continue
            try:
                found[name] = self._codec.encode(parameter.default, keep=False).component
            except NoEncoding:  # written out it would be refused; as a default it is part of the code's identity
                continue
        return found

    def own(self, name: str, shape: Shape) -> Own:
        """Say how the component of a parameter with slots is made."""
        slots = self._planned.slots_of(name)
        if isinstance(shape, Place):
            return Own(name, slots, None)
        return Own(name, slots, combine("shape", self._skeleton(shape, f"args.{name}")))

    def sketches(self) -> dict[Component, str]:
        """Tell what the larger constants are like, by identity: of these nothing else is kept."""
        return {component: sketch(record) for component, record in itertools.islice(self._large.items(), _SKETCHED)}

    def _skeleton(self, shape: Shape, path: str) -> list[Component]:
        if isinstance(shape, Place):
            return [b"slot"]
        if isinstance(shape, Constant):
            return [b"const", self.value(shape.value, path)[1]]
        assert isinstance(shape, Container), "a shape is a place, a constant or a container"
        keys = [self.value(key, path)[1] for key, _ in shape.items] if shape.kind == "dict" else []
        inner = [combine("item", self._skeleton(item, path)) for _, item in shape.items]
        return [shape.kind.encode(), str(len(inner)).encode(), *keys, *inner]
