"""Values of pyarrow, written and read: tables, record batches and arrays (contract K20).

What counts is what a user sees: types, names, metadata, values, which of them are null,
and the dictionary of a dictionary array. What does not: chunks, slices, and the bytes
that lie where a value is null. So an array is written as what it consists of: one numpy
array for each buffer of Arrow, in one form for equal content. Large ones are files of
their own and are mapped when they are read, without a copy; no reader of Arrow's own
formats meets bytes from a store.

Promises that what is read was checked before Arrow looks into it: each buffer is as long
as the type says, offsets rise from 0 to the end of what they cut, and at last Arrow's own
full validation (text is UTF-8, dictionaries are long enough). pyarrow is imported to read
a record that says so, and never to look what a value is.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from flowcore.plan import arrowtypes
from flowcore.plan.extension import BadRecord, NoEncoding
from flowcore.plan.libraries import library
from flowcore.plan.numeric import plain_array, write_plain
from flowcore.plan.parts import at, listed, written_as

if TYPE_CHECKING:
    from flowcore.plan.writing import Writer, Writing

VERSION: Final = "1"
_LIBRARIES: Final = frozenset({"pyarrow"})
_OFFSETS: Final = {
    "string": "<i4", "binary": "<i4", "list": "<i4", "map": "<i4",
    "large_string": "<i8", "large_binary": "<i8", "large_list": "<i8",
}  # fmt: skip
_NESTED: Final = ("list", "large_list", "map", "fixed_size_list")


def writer(kind: type) -> Writer | None:
    """Find the writer of a kind of pyarrow, by its exact type."""
    pyarrow: Any = sys.modules.get("pyarrow")
    name = kind.__name__
    if getattr(pyarrow, name, None) is not kind:
        return None
    parts = {"Table": table_parts, "RecordBatch": table_parts, "ChunkedArray": array_parts}.get(name)
    if parts is None and issubclass(kind, pyarrow.Array):
        name, parts = "Array", array_parts
    return written_as(f"pyarrow.{name}", VERSION, parts, _LIBRARIES) if parts is not None else None


# ---- written -----------------------------------------------------------------------


def table_parts(table: Any, writing: Writing) -> list[object]:
    """Give a table, or a batch, as its schema, its length and its columns."""
    fields = [arrowtypes.field_parts(field) for field in table.schema]
    columns = [at(f"[{field.name!r}]", _whole, table.column(i), writing) for i, field in enumerate(table.schema)]
    return [fields, arrowtypes.metadata_parts(table.schema.metadata), table.num_rows, columns]


def array_parts(array: Any, writing: Writing) -> list[object]:
    """Give an array, chunked or not, as its type, its length and its content."""
    return [arrowtypes.type_parts(array.type), len(array), _whole(array, writing)]


def _whole(column: Any, writing: Writing) -> list[object]:
    """Write the content of an array as if it were of one piece."""
    if hasattr(column, "chunks"):
        if library("pyarrow.types").is_dictionary(column.type):
            column = column.unify_dictionaries()
        column = column.combine_chunks()
    if hasattr(column, "chunks"):
        raise NoEncoding("", f"chunked array of {column.type} too large for one", "cast it to a large_ type first")
    return _content(column, arrowtypes.type_parts(column.type), writing)


def _content(array: Any, kind: list[Any], writing: Writing) -> list[object]:
    """Give which elements are there (None: all), the buffers, and the arrays inside."""
    numpy, family = library("numpy"), str(kind[0])
    if family == "dictionary":
        pair = [_content(one, arrowtypes.type_parts(one.type), writing) for one in (array.indices, array.dictionary)]
        return [None, [len(array.dictionary)], pair]
    valid = None
    if array.null_count and family != "null":
        valid = array.is_valid().to_numpy(zero_copy_only=False)
    buffers, children = _parts(array, family, valid)
    mask = None if valid is None else write_plain(numpy.packbits(valid, bitorder="little"), writing)
    inner = [_content(child, arrowtypes.type_parts(child.type), writing) for child in children]
    return [mask, [write_plain(one, writing) for one in buffers], inner]


def _parts(array: Any, family: str, valid: Any) -> tuple[list[Any], list[Any]]:
    """Give buffers and inner arrays of an array, in the one form that equal content has."""
    if family in arrowtypes.VIEWS:
        family = arrowtypes.VIEWS[family]
        array = array.cast(getattr(library("pyarrow"), family)())
    match family:
        case "null":
            return [], []
        case "bool":
            bits = array.fill_null(False).to_numpy(zero_copy_only=False)
            return [library("numpy").packbits(bits, bitorder="little")], []
        case "string" | "binary" | "large_string" | "large_binary":
            return _texts(array, family, valid), []
        case "list" | "large_list" | "map":
            return [_offsets(array, family, valid)], [_flattened(array, family)]
        case "fixed_size_list":
            return [], [_spread(array, valid)]
        case "struct":
            return [], array.flatten()  # what is in a struct that is null is null
    return [_numbers(array, family, valid)], []


def _numbers(array: Any, family: str, valid: Any) -> Any:
    """Give the values of a type of fixed width, zero where they are null."""
    numpy, count, width = library("numpy"), len(array), array.type.bit_width // 8
    buffer = array.buffers()[1]
    if buffer is None or count * width == 0:
        raw = numpy.zeros((count, width), "u1")
    else:
        raw = numpy.frombuffer(buffer, "u1", count * width, array.offset * width).reshape(count, width)
    if valid is not None:
        raw = numpy.where(valid[:, None], raw, numpy.uint8(0))
    descr = arrowtypes.FLAT.get(family)
    return raw if descr is None else raw.reshape(-1).view(descr)


def _texts(array: Any, family: str, valid: Any) -> list[Any]:
    """Give offsets from 0 on, and the bytes that they cut."""
    numpy, pyarrow = library("numpy"), library("pyarrow")
    if valid is not None:
        empty = pyarrow.scalar("" if "string" in family else b"", array.type)
        array = library("pyarrow.compute").fill_null(array, empty)
    offsets = _own_offsets(array, family)
    data = array.buffers()[2]
    joined = numpy.frombuffer(data, "u1") if data is not None and data.size else numpy.zeros(0, "u1")
    return [offsets - offsets[0], joined[offsets[0] : offsets[-1]]]


def _own_offsets(array: Any, family: str) -> Any:
    numpy, descr = library("numpy"), _OFFSETS[family]
    buffer = array.buffers()[1]
    if buffer is None or not buffer.size or not len(array):
        return numpy.zeros(len(array) + 1, descr)
    return numpy.frombuffer(buffer, descr)[array.offset : array.offset + len(array) + 1]


def _offsets(array: Any, family: str, valid: Any) -> Any:
    """Give offsets from 0 on into what is left when null lists hold nothing."""
    numpy = library("numpy")
    lengths = numpy.diff(_own_offsets(array, family))
    if valid is not None:
        lengths = numpy.where(valid, lengths, 0)
    offsets = numpy.zeros(len(array) + 1, _OFFSETS[family])
    numpy.cumsum(lengths, out=offsets[1:])
    return offsets


def _flattened(array: Any, family: str) -> Any:
    """Give the elements of all lists that are not null; of a map, structs of key and item."""
    if family == "map":
        pyarrow = library("pyarrow")
        entries = pyarrow.field(
            "entries", pyarrow.struct([array.type.key_field, array.type.item_field]), nullable=False
        )
        array = array.cast(pyarrow.list_(entries))
    return array.flatten()


def _spread(array: Any, valid: Any) -> Any:
    """Give the elements of lists of one length, null where the list is."""
    numpy, pyarrow = library("numpy"), library("pyarrow")
    held = array.flatten()
    size = array.type.list_size
    if valid is None:
        return held
    places = numpy.cumsum(numpy.repeat(valid, size)) - 1
    return held.take(pyarrow.array(places, mask=~numpy.repeat(valid, size)))


# ---- read --------------------------------------------------------------------------


def _table(name: str, parts: list[Any]) -> Any:
    pyarrow = library("pyarrow")
    fields, metadata, rows, columns = listed(parts, 4)
    kinds = [arrowtypes.field_from(field) for field in listed(fields)]
    schema = pyarrow.schema(kinds, arrowtypes.metadata_from(metadata))
    if len(listed(columns)) != len(kinds) or not _is_count(rows) or (rows and not kinds):
        raise BadRecord("not the columns of a table")
    arrays = [read_content(field.type, rows, column) for field, column in zip(kinds, columns, strict=True)]
    table = getattr(pyarrow, name).from_arrays(arrays, schema=schema)
    table.validate(full=True)
    return table


def read_array(name: str, parts: list[Any]) -> Any:
    """Give the array of parts, of one chunk or as an Array, validated in full."""
    kind, count, content = listed(parts, 3)
    if not _is_count(count):
        raise BadRecord("not a length")
    array = read_content(arrowtypes.type_from(kind), count, content)
    array.validate(full=True)
    return array if name == "Array" else library("pyarrow").chunked_array([array])


def _is_count(count: object) -> TypeGuard[int]:
    return type(count) is int and 0 <= count < 1 << 62


def read_content(kind: Any, count: int, parts: object) -> Any:
    """Give an array of a type and length over buffers that are as long as these say; not validated in full yet."""
    mask, buffers, children = listed(parts, 3)
    family = str(arrowtypes.type_parts(kind)[0])
    held = None if mask is None else _memory(mask, "|u1", (count + 7) // 8)
    if family in arrowtypes.VIEWS:
        plain = getattr(library("pyarrow"), arrowtypes.VIEWS[family])()
        whole = read_content(plain, count, parts)
        whole.validate(full=True)  # what is cast is believed
        return whole.cast(kind)
    if family == "dictionary":
        return _dictionary(kind, count, *listed(buffers, 1), *listed(children, 2))
    memory, inner = _read_parts(kind, family, count, listed(buffers), listed(children))
    from_buffers = library("pyarrow").Array.from_buffers
    return from_buffers(kind, count, [held, *memory], children=inner or None)


def _dictionary(kind: Any, count: int, known: object, indices: object, values: object) -> Any:
    if not _is_count(known):
        raise BadRecord("not a length")
    taken = read_content(kind.index_type, count, indices)
    held = read_content(kind.value_type, known, values)
    held.validate(full=True)  # indices are compared with what it has
    return library("pyarrow").DictionaryArray.from_arrays(taken, held, ordered=kind.ordered, safe=True)


def _read_parts(kind: Any, family: str, count: int, buffers: list[Any], children: list[Any]) -> tuple[Any, Any]:
    """Give buffers and inner arrays, each as long as type and offsets say."""
    inside = [field.type for field in kind] if family == "struct" else [_element(kind)] if family in _NESTED else []
    lengths = [count] * len(inside)
    memory: list[Any] = []
    if family == "bool":
        memory = [_memory(listed(buffers, 1)[0], "|u1", (count + 7) // 8)]
    elif family in _OFFSETS:
        ends = buffers[0] if buffers else None
        end = _end(ends, _OFFSETS[family], count)
        lengths = [end] * len(inside)
        memory = [_memory(ends, _OFFSETS[family], count + 1)]
        memory += [] if inside else [_memory(listed(buffers[1:], 1)[0], "|u1", end)]
    elif family == "fixed_size_list":
        lengths = [count * kind.list_size]
    elif family not in ("null", "struct"):
        descr = arrowtypes.FLAT.get(family)
        shape = (count,) if descr else (count, kind.bit_width // 8)
        memory = [_memory(listed(buffers, 1)[0], descr or "|u1", *shape)]
    listed(buffers, len(memory))
    pairs = zip(inside, lengths, listed(children, len(inside)), strict=True)
    return memory, [read_content(*pair) for pair in pairs]


def _element(kind: Any) -> Any:
    """Give the type of what lists of a type hold."""
    if library("pyarrow.types").is_map(kind):
        return library("pyarrow").struct([kind.key_field, kind.item_field])
    return kind.value_type


def _end(offsets: object, descr: str, count: int) -> int:
    """Give where the last element ends; offsets that go back, or begin elsewhere, are refused (contract S7)."""
    found = plain_array(offsets)
    if found.dtype.str != descr or found.shape != (count + 1,) or found[0] != 0 or (found[1:] < found[:-1]).any():
        raise BadRecord("offsets that do not rise from 0")
    return int(found[-1])


def _memory(part: object, descr: str, *shape: int) -> Any:
    """Give an array as a buffer of Arrow, without a copy; refused unless it is of this dtype and shape."""
    found = plain_array(part)
    if found.dtype.str != descr or found.shape != shape or not found.flags.c_contiguous:
        raise BadRecord("a buffer that is not as its type says")
    return library("pyarrow").py_buffer(found)


READERS: dict[str, Callable[[list[Any]], object]] = {
    **{f"pyarrow.{name}": functools.partial(_table, name) for name in ("Table", "RecordBatch")},
    **{f"pyarrow.{name}": functools.partial(read_array, name) for name in ("Array", "ChunkedArray")},
}
