"""Every kind of value that has an encoding: who writes it, who reads it.

Owns the two tables that the rooms below fill, and codecs that users register. A
registered kind comes before all others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flowcore.plan import classes, filing, numeric, optional, reading, standard
from flowcore.plan.classes import ValueCodec
from flowcore.plan.reading import Reader
from flowcore.plan.writing import Table, function_writer

LEAF_READERS: dict[int, Reader] = {**reading.LEAF_READERS, **numeric.LEAF_READERS, **filing.LEAF_READERS}
READERS: dict[int, Reader] = {
    **reading.READERS,
    **numeric.READERS,
    **standard.READERS,
    **classes.READERS,
}
WRITERS = Table((standard.writer, classes.writer, numeric.writer, filing.writer, optional.writer, function_writer))


classes.shipped_codecs.update(optional.SHIPPED)


def register(kind: type, *, name: str, version: str, to: Callable[[Any], object], back: Callable[[Any], Any]) -> None:
    """Say how values of exactly `kind` are taken apart and put together; name and version enter the identity.

    Raises
    ------
    ValueError
        If `name` is taken by another kind, or flowcore knows the kind by itself.
    """
    taken = classes.codecs_by_name.get(name)
    if taken is not None and classes.class_name(taken.kind) != classes.class_name(kind):
        raise ValueError(f"codec {name!r} is registered for {taken.kind.__qualname__} already")
    if name in classes.shipped_codecs:
        raise ValueError(f"codec {name!r} is flowcore's own")
    if kind.__module__ == "builtins":
        raise ValueError(f"{kind.__qualname__} has an encoding that cannot be replaced")
    register_codec(ValueCodec(kind=kind, name=name, version=version, to=to, back=back))


def register_codec(codec: ValueCodec) -> None:
    """Put a codec in place of the one of its kind, and of its name: a notebook's cell defines a class once more."""
    for former in (classes.codecs_by_kind.get(codec.kind), classes.codecs_by_name.get(codec.name)):
        if former is not None:
            classes.codecs_by_name.pop(former.name, None)
            classes.codecs_by_kind.pop(former.kind, None)
            WRITERS.pop(former.kind, None)
    classes.codecs_by_kind[codec.kind] = codec
    classes.codecs_by_name[codec.name] = codec
    WRITERS.pop(codec.kind, None)


def forget_kinds() -> None:
    """Look for the writer of each kind anew: a class may have become a dataclass since."""
    WRITERS.reset()
