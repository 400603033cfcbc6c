"""Types, fields and schemas of Arrow as plain parts, and back (contract K20).

Owns which types are kept. A type that is not listed here is refused: unions, run-end
encoded arrays and extension types. Metadata of fields and schemas count, in the order
of their keys. Nothing is parsed: each part names one constructor of pyarrow.
"""

from __future__ import annotations

from typing import Any, Final

from flowcore.plan.extension import BadRecord, NoEncoding
from flowcore.plan.libraries import library
from flowcore.plan.parts import at, listed

_UNITS: Final = ("s", "ms", "us", "ns")
_PLAIN: Final = {
    "null": ("null",), "bool": ("bool_",), "halffloat": ("float16",), "float": ("float32",), "double": ("float64",),
    "date32[day]": ("date32",), "date64[ms]": ("date64",), "month_day_nano_interval": ("month_day_nano_interval",),
    **{f"{sign}int{bits}": (f"{sign}int{bits}",) for sign in ("", "u") for bits in (8, 16, 32, 64)},
    **{f"time32[{unit}]": ("time32", unit) for unit in _UNITS[:2]},
    **{f"time64[{unit}]": ("time64", unit) for unit in _UNITS[2:]},
    **{f"duration[{unit}]": ("duration", unit) for unit in _UNITS},
    **{kind: (kind,) for kind in ("string", "binary", "large_string", "large_binary", "string_view", "binary_view")},
}  # fmt: skip
"""What pyarrow calls a type, and the constructor that gives it."""

FLAT: Final = {
    "halffloat": "<f2", "float": "<f4", "double": "<f8", "date32[day]": "<i4", "date64[ms]": "<i8",
    **{f"{sign}int{bits}": f"{'<' if bits > 8 else '|'}{kind}{bits // 8}"
       for sign, kind in (("", "i"), ("u", "u")) for bits in (8, 16, 32, 64)},
    **{f"time32[{unit}]": "<i4" for unit in _UNITS[:2]},
    **{f"{kind}[{unit}]": "<i8" for kind in ("time64", "duration") for unit in _UNITS}, "timestamp": "<i8",
}  # fmt: skip
"""The numpy dtype in which values of a family go to a file, where there is one; the others go as rows of bytes."""

VIEWS: Final = {"string_view": "large_string", "binary_view": "large_binary"}
_DECIMALS: Final = (32, 64, 128, 256)
_LISTS: Final = {"list": "list_", "large_list": "large_list"}


def type_parts(kind: Any) -> list[object]:
    """Give a type as parts, the name of its family first.

    Raises
    ------
    NoEncoding
        For a type that is not kept.
    """
    types = library("pyarrow.types")
    if str(kind) in _PLAIN:
        return [str(kind)]
    if types.is_timestamp(kind):
        return ["timestamp", kind.unit, kind.tz]
    if types.is_decimal(kind):
        return ["decimal", kind.bit_width, kind.precision, kind.scale]
    if types.is_fixed_size_binary(kind):
        return ["fixed_size_binary", kind.byte_width]
    if types.is_dictionary(kind):
        return ["dictionary", type_parts(kind.index_type), type_parts(kind.value_type), bool(kind.ordered)]
    if types.is_struct(kind):
        return ["struct", [field_parts(field) for field in kind]]
    if types.is_map(kind):
        return ["map", field_parts(kind.key_field), field_parts(kind.item_field), bool(kind.keys_sorted)]
    if types.is_fixed_size_list(kind):
        return ["fixed_size_list", field_parts(kind.value_field), kind.list_size]
    if types.is_list(kind) or types.is_large_list(kind):
        return ["list" if types.is_list(kind) else "large_list", field_parts(kind.value_field)]
    hint = "take its .storage" if hasattr(kind, "storage_type") else "cast it to another type first"
    raise NoEncoding("", f"pyarrow array of type {kind}", hint)


def field_parts(field: Any) -> list[object]:
    """Give a field as name, whether it may be null, metadata and type."""
    parts = at(f"[{field.name!r}]", type_parts, field.type)
    return [field.name, bool(field.nullable), metadata_parts(field.metadata), parts]


def metadata_parts(metadata: Any) -> list[object] | None:
    """Give metadata as pairs in the order of their keys; None and nothing are the same."""
    return [[key, value] for key, value in sorted(metadata.items())] if metadata else None


def type_from(parts: object) -> Any:
    """Give the type of these parts.

    Raises
    ------
    BadRecord
        If they are none.
    """
    pyarrow = library("pyarrow")
    match listed(parts):
        case [str(name)] if name in _PLAIN:
            maker, *arguments = _PLAIN[name]
            return getattr(pyarrow, maker)(*arguments)
        case ["timestamp", str(unit), str() | None as zone] if unit in _UNITS:
            return pyarrow.timestamp(unit, zone)
        case ["decimal", int(bits), int(precision), int(scale)] if bits in _DECIMALS:
            return getattr(pyarrow, f"decimal{bits}")(precision, scale)
        case ["fixed_size_binary", int(width)] if width >= 0:
            return pyarrow.binary(width)
        case ["dictionary", index, values, bool(ordered)]:
            return pyarrow.dictionary(type_from(index), type_from(values), ordered=ordered)
        case ["struct", list(fields)]:
            return pyarrow.struct([field_from(field) for field in fields])
        case ["map", key, item, bool(by_key)]:
            return pyarrow.map_(field_from(key), field_from(item), keys_sorted=by_key)
        case ["fixed_size_list", field, int(size)] if size >= 0:
            return pyarrow.list_(field_from(field), size)
        case [str(name), field] if name in _LISTS:
            return getattr(pyarrow, _LISTS[name])(field_from(field))
    raise BadRecord("not a type of pyarrow")


def field_from(parts: object) -> Any:
    """Give the field of these parts."""
    name, nullable, metadata, kind = listed(parts, 4)
    if type(name) is not str or type(nullable) is not bool:
        raise BadRecord("not a field of pyarrow")
    return library("pyarrow").field(name, type_from(kind), nullable, metadata_from(metadata))


def metadata_from(parts: object) -> dict[bytes, bytes] | None:
    """Give metadata as pyarrow takes it."""
    if parts is None:
        return None
    pairs = [listed(pair, 2) for pair in listed(parts)]
    if not all(type(part) is bytes for pair in pairs for part in pair):
        raise BadRecord("not metadata of pyarrow")
    return {key: value for key, value in pairs}  # noqa: C416 - each pair is a list
