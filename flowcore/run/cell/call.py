"""How a task is called: its function, loaded, and its arguments, put together from records.

Each cell gets arguments of its own, decoded afresh, so that a task may write into what
it was given and nobody else sees it (contract F31, K29). Only what cannot be written
into (numbers, text, None) is decoded once and shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

from flowcore.declare.node import label_of
from flowcore.errors import StoreUnavailable
from flowcore.plan import cut
from flowcore.plan.encode import NoEncoding, ValueGone
from flowcore.plan.extension import OUTSIDE, PASSED, PICKLED
from flowcore.plan.files import has_files, may_hold_files
from flowcore.plan.plain import plain_numbers
from flowcore.plan.records import extension_code, is_plain_key, references, value_bytes
from flowcore.run.cell.context import current
from flowcore.run.cell.supply import Supplied, supply
from flowcore.run.job import Job, Part, Record, TaskSpec
from flowcore.store.codecs import CARRIED_LIMIT, Codec, too_large
from flowcore.store.files import Seen, changed_file

Reader = Callable[[int], Any]  # from a cell's place in the job to a value
_LABEL = 4096  # bytes; what is longer is no label


class Call:
    """A task as a worker holds it."""

    def __init__(self, task: TaskSpec, codec: Codec) -> None:
        self.task = task
        self.codec = codec
        self.function: Callable[..., object]
        if task.mode == "item":
            self.function = partial(_item, codec)
        elif task.mode == "expand":
            self.function = partial(_expand, codec)
        else:
            self.function = task.live or codec.load_function(task.function, task.buffers)
        self._stage: Stage | None = None
        parts = [*task.positional, *(part for _, part in task.keywords)]
        self.constants = [record for part in parts for record in _constants(part) if has_files(record)]

    def stage(self, job: Job) -> Stage:
        """Give the readers of a job's arguments; made once a job."""
        stage = self._stage
        if stage is None or stage.job is not job:
            stage = self._stage = Stage(self, job)
        return stage

    def constant(self, record: Record) -> Reader:
        """Give a reader of a value that is the same for all cells; nothing large is read before a cell asks for it."""
        if is_plain_key(record):
            value = self.codec.decode(record)
            return lambda _: value
        return lambda _: self.codec.decode(record)


def _constants(part: Part) -> Iterator[Record]:
    """Yield the records in a part of a call that are the same for all cells."""
    kind, content = part[0], part[1]
    if kind == "const":
        yield cast(Record, content)
    elif kind == "dict":
        for _, item in cast(Iterable[tuple[Record, Part]], content):
            yield from _constants(item)
    elif kind != "slot":
        for item in cast(Iterable[Part], content):
            yield from _constants(item)


def _hold_files(column: list[Record]) -> bool:
    joined = column[0] if len(column) == 1 else b"".join(column)
    return may_hold_files(joined) and any(map(has_files, column))


class Stage:
    """A job's arguments, ready to be read cell by cell.

    `filed` says whether there may be files among them; `plain` that nothing is done with a
    result but to encode it.
    """

    def __init__(self, call: Call, job: Job) -> None:
        self.job = job
        self.function = call.function
        self._call = call
        raw = call.task.mode in ("item", "expand")  # these work on records, not on values
        self._positional = [self._reader(part, raw) for part in call.task.positional]
        self._keywords = [(name, self._reader(part, raw)) for name, part in call.task.keywords]
        self.plain = not raw and not job.canon
        self.filed = not raw and (bool(call.constants) or any(map(_hold_files, job.columns)))

    def arguments(self, i: int) -> tuple[list[Any], dict[str, Any]]:
        """Give the arguments of the i-th cell; may raise ValueGone."""
        return [read(i) for read in self._positional], {name: read(i) for name, read in self._keywords}

    def run(self, positional: Sequence[Any], keywords: dict[str, Any]) -> object:
        """Call the function, in the context of its cell."""
        if self._call.task.injected:
            context = current.get()
            supplied = context.supplied if context is not None else None
            assert supplied is not None, "the cells of such a task have what it needs"
            return self._supplied(supplied, positional, keywords)
        return self.function(*positional, **keywords)

    def see(self, i: int) -> list[Seen]:
        """Take note of the files that the i-th cell gets, before it has them; may raise ValueGone."""
        codec = self._call.codec
        records = [column[0 if len(column) == 1 else i] for column in self.job.columns]
        found = [filed for record in (*self._call.constants, *records) for filed in codec.files_in(record)]
        return [codec.files.see(filed) for filed in found]

    def changed(self, seen: Sequence[Seen]) -> str:
        """Give the path of a file that changed while a cell had it; empty if none did (F32)."""
        return changed_file(self._call.codec.files, seen)

    def _supplied(self, cell: Supplied, positional: Sequence[Any], keywords: dict[str, Any]) -> object:
        """Call a function that asks for something; one that was stopped has no result, whatever it gives."""
        keywords |= supply(self._call.task.injected, cell)
        try:
            value = self.function(*positional, **keywords)
        except BaseException:
            cell.check()
            raise
        cell.check()
        return value

    def _reader(self, part: Part, raw: bool = False) -> Reader:
        kind, content = part[0], part[1]
        if kind == "const":
            record = cast(bytes, content)
            return (lambda _: record) if raw else self._call.constant(record)
        if kind == "slot":
            return self._column(self.job.columns[cast(int, content)], raw)
        if kind == "dict":
            pairs = cast(Iterable[tuple[Record, Part]], content)
            entries = [(self._call.constant(key), self._reader(p)) for key, p in pairs]
            return lambda i: {key(i): read(i) for key, read in entries}
        readers = [self._reader(p) for p in cast(Iterable[Part], content)]
        if kind == "list":
            return lambda i: [read(i) for read in readers]
        return lambda i: tuple(read(i) for read in readers)

    def _column(self, column: list[Record], raw: bool) -> Reader:
        if raw:
            return (lambda _: column[0]) if len(column) == 1 else column.__getitem__
        if len(column) == 1:
            return self._call.constant(column[0])
        numbers = plain_numbers(column)
        if numbers is not None:
            return numbers.__getitem__
        decode = self._call.codec.decode
        return lambda i: decode(column[i])


def _item(codec: Codec, record: Record, key: Record) -> tuple[Record, bytes]:
    """Take one element out of a record; user code runs only for values that were passed on."""
    if _is_passed_on(record):
        value: Any = codec.decode(record)
        return _encoded(codec, value[codec.decode(key)])
    asked = partial(cut.item, record, codec.decode(key), fetch=codec.fetch)
    try:
        return asked(put=codec.passed.put, place=codec.passed.place)
    except StoreUnavailable as full:
        part, component = asked()
        _check_light(len(part), full)
    return part, component


def _expand(codec: Codec, record: Record) -> list[tuple[bool, Record, bytes]]:
    """Take a record apart into the elements of an axis, and tell which of them label themselves."""
    if _is_passed_on(record):
        value: Any = codec.decode(record)
        return [(False, *_encoded(codec, element)) for element in value]
    asked = partial(cut.elements, record, fetch=codec.fetch)
    try:
        found = asked(put=codec.passed.put, place=codec.passed.place)
    except StoreUnavailable as full:
        _check_light(value_bytes(record), full)
        found = asked()
    return [(_labels_itself(codec, element), element, component) for _, element, component in found]


def _encoded(codec: Codec, value: object) -> tuple[Record, bytes]:
    """Encode a part of a value that was passed on; it may have no encoding either."""
    try:
        encoded = codec.encode(value, keep=False)
    except NoEncoding:
        return codec.pass_on(value, name="item"), b""
    return encoded.record, encoded.component


def _check_light(size: int, full: StoreUnavailable) -> None:
    """Let parts of so many bytes stay in their records, for want of room elsewhere, if they are not too many."""
    if size > CARRIED_LIMIT:
        raise too_large(full, size) from full


def _labels_itself(codec: Codec, record: Record) -> bool:
    if len(record) > _LABEL or any(place != OUTSIDE for _, _, place in references(record)):
        return False
    return label_of(codec.decode(record)) is not None


def unreadable(job: Job, i: int, codec: Codec) -> tuple[int, int] | None:
    """Find an input of the i-th cell that cannot be unpickled: its slot, and its place in what is gathered there."""
    for slot, column in enumerate(job.columns):
        record = column[0 if len(column) == 1 else i]
        gathered = () if _is_passed_on(record) else cut.sequence(record) or ()
        for place, part in enumerate(gathered or (record,)):
            if _is_passed_on(part) and not _unpickles(part, codec):
                return slot, place
    return None


def _unpickles(record: Record, codec: Codec) -> bool:
    try:
        codec.decode(record)
    except ValueGone:
        return True  # whoever finds that out waits for it
    except BaseException:  # noqa: BLE001 - user code runs here; whatever it raises, the answer is no
        return False
    return True


def _is_passed_on(record: Record) -> bool:
    """Tell whether a record is, as a whole, a pickle on its way."""
    return extension_code(record) in (PASSED, PICKLED)
