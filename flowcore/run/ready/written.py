"""What the user wrote into a call: encoded, identified, or refused.

Owns what becomes of constants, defaults and axis values while a node is made ready
(`work.py`): their records and identities, and the warning or error for one that has none
(contract E6). Each is looked at once.
"""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable
from dataclasses import field
from typing import TypeAlias

from flowcore.dataclass import dataclass
from flowcore.doubts import NotReproducible
from flowcore.errors import MissingFile, NotKeyable
from flowcore.notices import notice
from flowcore.plan.cells import Link, Space
from flowcore.plan.encode import NoEncoding
from flowcore.plan.graph import Constant, Container, Place, Planned, Shape
from flowcore.plan.records import combine, component_of_form, references, tells_itself
from flowcore.plan.sketch import sketch
from flowcore.run.job import Component, Part, Record
from flowcore.run.ready.inputs import Feeder, FromCall, LabelRecord
from flowcore.run.ready.kin import Kin
from flowcore.run.ready.parameters import Own
from flowcore.run.ready.recipe import Recipe
from flowcore.store.codecs import Codec

Packed: TypeAlias = tuple[tuple[str, ...] | bytes, tuple[Record, ...]]
_SMALL = 256  # bytes of a constant's record; what is larger is sent with the task, once a worker
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
    lane: Callable[[str], str] = str  # from a runner to the lane of its cells under the run's settings
    depth: int = 0  # how many runs this one is nested in
    tell: Callable[[NotKeyable | NotReproducible, str], None] = (
        notice  # told of what is wrong with a node, and its place
    )
    packed: dict[int, tuple[object, Packed]] = field(default_factory=dict)  # functions, by id, as they travel
    defaults: dict[int, tuple[object, dict[str, object]]] = field(default_factory=dict)  # and of their parameters
    recipes: dict[tuple[int, str, bytes], list[Recipe]] = field(default_factory=dict)  # by function and shape of call
    kin: Kin = field(default_factory=Kin)  # recipes of nodes that are alike but for short constants
    links: dict[tuple[int, int, tuple[str, ...]], Link] = field(default_factory=dict)  # by the ids of linked spaces

    def link(self, producer: int, consumer: Space, over: tuple[str, ...] = ()) -> Link:
        """Give the link from a node's cells to those of a space."""
        space = self.spaces(producer)
        about = id(space), id(consumer), over
        found = self.links.get(about)
        if found is None:
            found = self.links[about] = Link(space, consumer, over)
        return found


def is_cached(planned: Planned) -> bool:
    """Tell whether the results of a node are kept, if they can be."""
    return planned.node.task is not None and planned.node.options.cache is not False


def must_be_kept(planned: Planned) -> bool:
    """Tell whether the user wrote that the result has to be kept."""
    options = planned.node.options
    return options.cache == "required" or (options.cache is True and "cache" in options.given)


class Encoder:
    """Encodes what the user wrote into a call; remembers what has no encoding."""

    def __init__(self, planned: Planned, surround: Surround) -> None:
        self._planned = planned
        self._codec = surround.codec
        self._defaults = surround.defaults
        self._cached = is_cached(planned)
        self._tell = surround.tell
        self._known: dict[tuple[int, bool], tuple[object, Record, Component]] = {}
        self.classes: dict[str, bytes] = {}
        self.held: list[Record] = []
        self.small: list[Feeder] = []  # constants that are slots of the call, behind those of the drawing
        self.varying: dict[str, Component] = {}  # their identities, by parameter
        self.refused = False
        self._large: dict[Component, Record] = {}  # of what does not tell itself by its component

    def value(self, value: object, path: str) -> tuple[Record, Component]:
        """Give the record and the identity of a value; passed on, with a warning, if it has no encoding."""
        place = id(value), self._ignores(path)
        known = self._known.get(place)
        if known is None:
            known = self._known[place] = (value, *self.fresh(value, path))
        return known[1], known[2]

    def fresh(self, value: object, path: str) -> tuple[Record, Component]:
        """As `value`, for one that is asked for once only."""
        try:
            encoded = self._codec.argument(value, name=path)
            if encoded.classes and not self._ignores(path):
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
            if not self._ignores(path) or refused.kind in _LIVE:
                self.refuse(f"{path}{refused.path}", refused)
            record = self._codec.pass_on(value, name=path)
            self.held.append(record)
            # A node with such an argument is not keyed; its random streams count it as the place where it stands.
            return record, combine("unkeyed", [component_of_form(path.encode("utf-8", "surrogatepass"))])

    def _ignores(self, path: str) -> bool:
        """Tell whether the user left the argument at a path out of the key."""
        ignored = self._planned.node.options.ignore
        return bool(ignored) and path.startswith("args.") and re.split(r"[.\[]", path)[1] in ignored

    def refuse(self, path: str, refused: NoEncoding) -> None:
        """Say that the node is not kept, or raise where that is not acceptable (contract E6)."""
        live = refused.kind in _LIVE
        remedy = _LIVE_REMEDY if live else ""
        node = self._planned.node
        raised = live or (self._cached and must_be_kept(self._planned))
        trouble = NotKeyable(
            node=node.name, path=path, kind=refused.kind, at=node.site, refused=raised, remedy=remedy or refused.hint
        )
        if raised:
            raise trouble
        if self._cached and not self.refused:
            self._tell(trouble, node.site)
        self.refused = True

    def argument(self, name: str, shape: Shape) -> Part:
        """Give an argument in the form that crosses borders; a small constant as a slot, whose value goes with cells.

        So nodes that differ in their small constants are one task to those who run it.
        """
        if not isinstance(shape, Constant) or self._planned.node.task is None:
            return self.part(shape, f"args.{name}")
        record, component = self.value(shape.value, f"args.{name}")
        if len(record) > _SMALL:
            return ["const", record]
        self.varying[name] = component
        self.small.append(FromCall(record, component))
        return ["slot", len(self._planned.slots) + len(self.small) - 1]

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
        function = planned.node.task.function
        known = self._defaults.get(id(function))
        if known is None:  # read once a run, as code is, and not once a task: they may be set anew in between
            known = self._defaults[id(function)] = (function, _defaults(function))
        found: dict[str, Component] = {}
        for name, default in known[1].items():
            if name in planned.arguments:
                continue
            try:
                found[name] = self._codec.encode(default, keep=False).component
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
        told = ((part, sketch(record)) for part, record in itertools.islice(self._large.items(), _SKETCHED))
        return {part: text for part, text in told if "#" in text}  # of functions, say, the record tells nothing

    def _skeleton(self, shape: Shape, path: str) -> list[Component]:
        if isinstance(shape, Place):
            return [b"slot"]
        if isinstance(shape, Constant):
            return [b"const", self.value(shape.value, path)[1]]
        assert isinstance(shape, Container), "a shape is a place, a constant or a container"
        keys = [self.value(key, path)[1] for key, _ in shape.items] if shape.kind == "dict" else []
        inner = [combine("item", self._skeleton(item, path)) for _, item in shape.items]
        return [shape.kind.encode(), str(len(inner)).encode(), *keys, *inner]


def _defaults(function: Callable[..., object]) -> dict[str, object]:
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # written in C, without a signature
        return {}
    return {name: each.default for name, each in parameters.items() if each.default is not each.empty}
