"""Making a node ready to run, when its first cell is: its arguments are looked at, its recipe is found or made.

It is here that user data is looked at: constants are encoded, the function is packed,
its code is identified. If something cannot be keyed the node still runs, and is not kept
(contract K3, E6); if something cannot travel, no cell of the node runs (F9).

What nodes of one task share is made once (`recipe.py`): a node that has the recipe of an
earlier one costs the encoding of its small constants and one digest.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

from flowcore.declare.checkpoint import CHECKPOINT
from flowcore.declare.node import Along, Node
from flowcore.doubts import NotReproducible
from flowcore.errors import NotPicklable
from flowcore.plan.code import Fingerprint, class_fingerprint, fingerprint, modules_read
from flowcore.plan.encode import NoEncoding, encode, encode_plain, find_class
from flowcore.plan.extension import array_digest
from flowcore.plan.graph import Planned
from flowcore.plan.keys import SharedKeys, common_components
from flowcore.plan.modules import Modules
from flowcore.plan.pieces import is_followed
from flowcore.plan.records import tells_itself
from flowcore.plan.streams import RNG
from flowcore.plan.tracking import Watch, watch
from flowcore.run.job import Component, Keep, Part, Record, TaskSpec, Tracked, dumps
from flowcore.run.ready.claims import claim_source, has_checkpoint, with_claims
from flowcore.run.ready.inputs import Feeder, FromAxis, feeder
from flowcore.run.ready.recipe import Recipe
from flowcore.run.ready.requests import Source, asked, draws, stream_sources
from flowcore.run.ready.work import Work
from flowcore.run.ready.written import Encoder, Packed, Surround, is_cached
from flowcore.store.codecs import Codec

_ids = itertools.count(1)


def new_task() -> int:
    """Give an id for a task that no other has in this process."""
    return next(_ids)


def unkept(task: TaskSpec) -> TaskSpec:
    """Give a task whose results are handed over and not kept, for cells whose value the store loses (contract F25)."""
    return replace(task, id=next(_ids), keep=Keep.PASS_ON)


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
    known = surround.kin.find(planned)
    if known is not None:
        return known
    node = planned.node
    encoder = Encoder(planned, surround)
    feeders = _feeders(planned, surround, encoder)
    if node.kind == "choose":
        task = TaskSpec(id=next(_ids), name=node.name)
        recipe = Recipe(owner=None, options=node.options, shared=False, lane="engine", task=task, keep=Keep.PASS_ON)
        return Work(planned=planned, recipe=recipe, keys=None, feeders=feeders)
    parts = [(name, encoder.argument(name, shape)) for name, shape in planned.arguments.items()]
    recipe = _recipe(planned, surround, encoder, parts)
    varying = {name: component for name, component in encoder.varying.items() if name not in node.options.ignore}
    keys = recipe.keys.node(tuple(varying.values())) if recipe.keys is not None else None
    if recipe.code is not None and recipe.code.draws and (recipe.keys is not None or recipe.common is not None):
        surround.tell(NotReproducible(node=planned.name, draws=recipe.code.draws, at=node.site), node.site)
    feeders.extend(encoder.small)
    work = Work(
        planned=planned, recipe=recipe, keys=keys, feeders=feeders, classes=tuple(encoder.classes),
        supplies=_supplies(planned, surround, recipe, feeders, varying), held=tuple(encoder.held),
        sketches=encoder.sketches() if keys is not None else {}, told=varying,
    )  # fmt: skip
    surround.kin.learn(planned, work)
    return work


def _recipe(planned: Planned, surround: Surround, encoder: Encoder, parts: list[tuple[str, Part]]) -> Recipe:
    """Find the recipe of a node among those of earlier ones, or make it."""
    node = planned.node
    if encoder.refused or encoder.classes or node.task is None or _alone(node):
        return _make(planned, surround, encoder, parts)
    shape = dumps([[name for name, _ in parts], [part for _, part in parts], node.positional, len(planned.slots)])
    known = surround.recipes.setdefault((id(node.task.function), node.task.name, shape), [])
    for recipe in known:
        if recipe.serves(node.options):
            return recipe
    recipe = _make(planned, surround, encoder, parts, shared=True)
    if recipe.shared:
        known.append(recipe)
    return recipe


def _alone(node: Node) -> bool:
    """Tell whether something in a node's options, or what its cells ask for, is counted or kept node by node."""
    options = node.options
    return bool(options.tracks or options.same or options.extend) or has_checkpoint(node.task)


def _make(
    planned: Planned, surround: Surround, encoder: Encoder, parts: list[tuple[str, Part]], *, shared: bool = False
) -> Recipe:
    """Identify and pack a task as a node calls it."""
    node = planned.node
    cached, saves = is_cached(planned), has_checkpoint(node.task)
    code = _identify(planned, surround, encoder) if cached or saves else None
    own = [encoder.own(name, shape) for name, shape in planned.arguments.items() if planned.slots_of(name)]
    own = [parameter for parameter in own if parameter.name not in node.options.ignore]
    constants = _constants(planned, encoder) if node.task is not None else {}
    classes = _known_classes(encoder.classes)
    common = None
    if code is not None and not encoder.refused:
        common = _common(planned, surround, code, constants, classes)
    keys, keep = None, Keep.PASS_ON
    varying = [name for name in encoder.varying if name in constants]
    if common is not None and cached:
        keep = Keep.REQUIRED if node.options.cache == "required" else Keep.KEEP
        named = [f"argument {name}" for name in varying]
        rest = {name: component for name, component in common.items() if name not in named}
        keys = SharedKeys(common=rest, varying=named, own=[parameter.name for parameter in own])
    injected = asked(node.task) if node.task is not None else ()
    if saves:
        injected = with_claims(injected, planned, common, surround.resume)
    lane = surround.lane(node.runner) if node.kind not in ("item", "expand") else "thread"
    return Recipe(
        owner=node.task.function if node.task is not None else None, options=node.options,
        shared=shared and not encoder.refused, lane=lane, keys=keys, keep=keep, own=own, code=code,
        common=common if saves else None,
        constants={name: component for name, component in constants.items() if name not in varying},
        task=_task(planned, surround, parts, keep, code, injected), met=tuple(found for _, found in classes),
        draws=draws(planned, code), watch=_watch(planned, code) if keys is not None else None,
    )  # fmt: skip


def _supplies(
    planned: Planned, surround: Surround, recipe: Recipe, feeders: list[Feeder], varying: dict[str, Component]
) -> dict[str, Source]:
    """Give what the cells of a node are supplied from."""
    supplies = stream_sources(planned, recipe, surround, varying, feeders)
    if has_checkpoint(planned.node.task):
        common = recipe.common | {f"argument {n}": c for n, c in varying.items()} if recipe.common is not None else None
        supplies[CHECKPOINT] = claim_source(
            planned, common, recipe.own, feeders, keyed=recipe.keys is not None, name=surround.cell
        )
    return supplies


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
        timeout=options.timeout, cores=options.cores, gpus=options.gpus, depth=surround.depth, injected=injected,
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
    return common


def _known_classes(classes: dict[str, bytes]) -> list[tuple[str, Fingerprint]]:
    """Give user classes with what they are made of."""
    found = ((name, identity, find_class(name)) for name, identity in classes.items())
    return [(name, class_fingerprint(kind) if kind is not None else Fingerprint(digest=identity))
            for name, identity, kind in found]  # fmt: skip


def _label(value: object, encoder: Encoder, path: str, i: int) -> tuple[Record, Component]:
    """Encode an element of an axis: of most there is nothing more to know than what they tell themselves."""
    plain = encode_plain(value)
    if plain is not None and tells_itself(plain.component):
        return plain.record, plain.component
    return encoder.fresh(value, f"{path}[{i}]")


def _feeders(planned: Planned, surround: Surround, encoder: Encoder) -> list[Feeder]:
    space = surround.spaces(planned.number)
    found: list[Feeder] = []
    for slot, form in enumerate(planned.slots):
        if isinstance(form, Along):
            ignored = next(
                (n for n in planned.node.options.ignore if n in planned.arguments and slot in planned.slots_of(n)), ""
            )
            path = f"args.{ignored}" if ignored else f"each({form.axis.name}=...)"
            encoded = [_label(value, encoder, path, i) for i, value in enumerate(form.values)]
            found.append(FromAxis(space, form.axis.name, encoded))
        else:
            found.append(feeder(form, space, surround))
    return found
