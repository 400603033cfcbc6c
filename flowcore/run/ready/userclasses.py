"""User classes: part of what consumers of values in which they are met are keyed by (K10); those of `__main__`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from flowcore.errors import NotPicklable
from flowcore.plan.classes import class_name, codecs_by_kind, is_record_class
from flowcore.plan.code import class_identity
from flowcore.plan.encode import find_class
from flowcore.plan.extension import LIBRARY
from flowcore.plan.libraries import library_version
from flowcore.plan.records import combine
from flowcore.store.codecs import Codec


def current_classes(classes: Sequence[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Give the user classes met in a value with the code they have here and now (contract K10).

    A stored identity may be that of last week's code, and a worker's copy of a class of
    `__main__` is another object; only a class that cannot be found here keeps what it came with.
    """
    found = []
    for name, identity in classes:
        if name.startswith(LIBRARY):
            found.append((name, library_version(name.removeprefix(LIBRARY)) or identity))
            continue
        kind = find_class(name)
        found.append((name, identity if kind is None else class_identity(kind)))
    return found


def identified(
    row: Sequence[tuple[bool, bytes, bytes]], whole: bytes, classes: Sequence[tuple[str, bytes]]
) -> list[tuple[bool, bytes, bytes]]:
    """Give elements of a value with what their consumers are keyed by.

    One without encoding goes by the identity of the whole, derived if need be, and its place (contract K3).
    """
    named = [(own, r, c or combine("element", [whole, str(i).encode()])) for i, (own, r, c) in enumerate(row)]
    return [(own, record, marked(component, classes)) for own, record, component in named]


def marked(component: bytes, classes: Sequence[tuple[str, bytes]]) -> bytes:
    """Give what a consumer is keyed by for a value in which these classes were met."""
    if not classes:
        return component
    parts = [part for name, identity in sorted(classes) for part in (name.encode(), identity)]
    return combine("classes", [component, *parts])


def classes_of_main(codec: Codec) -> bytes:
    """Pack the classes of `__main__` whose values have an encoding, for workers cannot import them, and codecs.

    One that cannot travel (a field's default may be anything) is left out; its values
    are then plain records over there.
    """
    main = sys.modules.get("__main__")
    packed: dict[str, type] = {}
    for kind in list(vars(main).values()) if main is not None else ():
        if isinstance(kind, type) and kind.__module__ == "__main__" and is_record_class(kind):
            try:
                codec.pack_classes({class_name(kind): kind})
            except NotPicklable:
                continue
            packed[class_name(kind)] = kind
    registered = list(codecs_by_kind.values())
    return codec.pack_classes(packed, registered) if packed or registered else b""
