"""What differs between the components of two keys, as reasons.

Owns the reading of component names, which `plan/keys.py` and `plan/pieces.py` give, and
of small components as values. What cannot be told by value is told by a sketch or by the
beginning of its digest.
"""

from __future__ import annotations

import difflib
import re
import reprlib
from collections.abc import Callable, Mapping
from typing import Final

from flowcore.inspect.causes.reasons import (
    ArgumentChanged,
    BodyChanged,
    ClassChanged,
    ClosureChanged,
    DefaultChanged,
    Edited,
    FunctionChanged,
    GlobalChanged,
    LibraryChanged,
    PartChanged,
    PythonChanged,
    Reason,
    SchemaChanged,
    SeedChanged,
    TrackedChanged,
    VersionChanged,
)
from flowcore.plan.encode import BadRecord, ValueGone, decode, no_fetch
from flowcore.plan.keys import NOTE
from flowcore.plan.records import tells_itself

ABSENT: Final = "absent"
_SHOWN: Final = 60  # characters of a value
_MARKS: Final = {b"unbound": "unbound", b"empty": "not filled yet"}
_RULES: Final = {"schema": SchemaChanged, "python": PythonChanged, "version": VersionChanged, "seed": SeedChanged}
_VALUES: Final = {"global": GlobalChanged, "import": GlobalChanged, "default": DefaultChanged,
                  "closure": ClosureChanged}  # fmt: skip
_OF_CLASS: Final = re.compile(r"(?P<what>.+) of class (?P<name>\S+)")
_OF_MODULE: Final = re.compile(r"(?P<what>.+) of module (?P<name>\S+)")
_OWNER: Final = re.compile(r" of ((?:class|helper|module) \S+)$")
_ORDER: Final = (
    SchemaChanged, PythonChanged, LibraryChanged, VersionChanged, SeedChanged, BodyChanged, FunctionChanged,
    GlobalChanged, ClosureChanged, DefaultChanged, ClassChanged, PartChanged, TrackedChanged, ArgumentChanged,
)  # fmt: skip

Diff = Callable[[bytes, bytes], str]


def value_told(component: bytes | None, sketches: Mapping[bytes, str]) -> str:
    """Tell a component: by value where it is one, else by a sketch or the beginning of its digest."""
    if component is None:
        return ABSENT
    if component in _MARKS:
        return _MARKS[component]
    if component in sketches:
        return sketches[component]
    if tells_itself(component):
        try:
            return shown(decode(component[1:], fetch=no_fetch))
        except (BadRecord, ValueGone):
            pass
    return f"#{component[1:5].hex()}"


def shown(value: object) -> str:
    """Give a value in a few characters."""
    told = reprlib.Repr()
    told.maxstring = told.maxother = told.maxlong = _SHOWN
    return told.repr(value)


def changes(
    old: Mapping[str, bytes], new: Mapping[str, bytes], *, sketches: Mapping[bytes, str], diff: Diff
) -> list[Reason]:
    """Give what differs between two lists of components.

    Parameters
    ----------
    old, new : mapping of str to bytes
        By name; those of arguments are called ``argument NAME``.
    sketches : mapping of bytes to str
        What large constants are like.
    diff : callable
        Gives the difference of the texts of two functions, by their digests as parts.
    """
    names = sorted(name for name in {*old, *new} if name != "code" and old.get(name) != new.get(name))
    found: list[Reason] = []
    for name in names:
        reason = _plain(name, old.get(name), new.get(name), sketches)
        if reason is not None:
            found.append(reason)
    notes = [name.removeprefix(NOTE) for name in names if name.startswith(NOTE)]
    before = {name: old[NOTE + name] for name in notes if NOTE + name in old}
    after = {name: new[NOTE + name] for name in notes if NOTE + name in new}
    found += _code(before, after, sketches, diff)
    if any(isinstance(reason, PythonChanged) for reason in found):  # its number is in all bytecode
        found = [reason for reason in found if not isinstance(reason, Edited)]
    if old.get("code") != new.get("code") and not notes:
        found.append(
            PartChanged(name="what its code leads to", old=_short(old.get("code")), new=_short(new.get("code")))
        )
    defaults = {(r.name, r.old, r.new) for r in found if isinstance(r, DefaultChanged)}
    found = [r for r in found if not (isinstance(r, ArgumentChanged) and (r.name, r.old, r.new) in defaults)]
    if notes:  # what a class is made of says more than its name
        told = [r for r in found if isinstance(r, Edited) or (isinstance(r, ClassChanged) and " of " in r.name)]
        found = [r for r in found if not (told and isinstance(r, ClassChanged) and r not in told and r.old != ABSENT)]
    return sorted(dict.fromkeys(found), key=lambda reason: _ORDER.index(type(reason)))


def _plain(name: str, old: bytes | None, new: bytes | None, sketches: Mapping[bytes, str]) -> Reason | None:
    """Tell of a component that is no part of the code."""
    head, _, rest = name.partition(" ")
    if name == "task":  # where random streams come from it
        return PartChanged(name="name of the task", old=_text(old), new=_text(new))
    if name in _RULES:
        return _RULES[name](old=_ruled(name, old), new=_ruled(name, new))
    match head:
        case "library":
            return LibraryChanged(name=rest, old=_text(old), new=_text(new))
        case "argument":
            return ArgumentChanged(name=rest, old=value_told(old, sketches), new=value_told(new, sketches))
        case "class":
            return ClassChanged(name=rest, old=_short(old), new=_short(new))
    if name.startswith(NOTE):
        return None
    return PartChanged(name=name, old=value_told(old, sketches), new=value_told(new, sketches))


def _code(old: dict[str, bytes], new: dict[str, bytes], sketches: Mapping[bytes, str], diff: Diff) -> list[Reason]:
    """Tell of parts of the code."""
    _pair_moved(old, new)
    found: list[Reason] = []
    for kind, reason in (("library", LibraryChanged), ("tracked", TrackedChanged)):
        found += _paired(kind, old, new, reason)
    for name in sorted({*old, *new}):
        owner = _OWNER.search(name)
        if owner is not None and (owner[1] in old) != (owner[1] in new):
            continue  # of something that is new, or gone: that says it
        found.append(_part(name, old.get(name), new.get(name), sketches, diff))
    return found


def _pair_moved(old: dict[str, bytes], new: dict[str, bytes]) -> None:
    """Leave out functions and classes that only have another name: names are no part of an identity."""
    for name in [name for name in old if name not in new and name.partition(" ")[0] in ("helper", "class", "module")]:
        kind = name.partition(" ")[0]
        same = [n for n, part in new.items() if n not in old and n.startswith(f"{kind} ") and part == old[name]]
        if same:
            del old[name], new[same[0]]


def _paired(
    kind: str, old: dict[str, bytes], new: dict[str, bytes], reason: type[LibraryChanged | TrackedChanged]
) -> list[Reason]:
    """Tell of parts whose names hold what they are: take out those of a kind, and pair them."""
    before, after = _versions(kind, old), _versions(kind, new)
    return [reason(name=name, old=before.get(name, ABSENT), new=after.get(name, ABSENT))
            for name in sorted({*before, *after}) if before.get(name) != after.get(name)]  # fmt: skip


def _versions(kind: str, parts: dict[str, bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in [part for part in parts if part.startswith(f"{kind} ")]:
        del parts[part]
        rest = part.removeprefix(f"{kind} ")
        if kind == "tracked" and rest.startswith("file "):
            name, _, value = rest.rpartition(" ")
            value = f"#{value[:8]}"
        else:
            name, _, value = rest.partition("==" if "==" in rest and not rest.startswith("env:") else "=")
        found[name] = value
    return found


def _part(name: str, old: bytes | None, new: bytes | None, sketches: Mapping[bytes, str], diff: Diff) -> Reason:
    head, _, rest = name.partition(" ")
    texts = diff(old, new) if old is not None and new is not None and (name == "body" or head == "helper") else ""
    if name == "body":
        return BodyChanged(diff=texts)
    if head == "helper":
        how = "changed" if old is not None and new is not None else "is new" if old is None else "is gone"
        return FunctionChanged(name=rest, how=how, diff=texts)
    before, after = value_told(old, sketches), value_told(new, sketches)
    if (owned := _OF_CLASS.fullmatch(name)) is not None:
        return ClassChanged(name=f"{owned['what']} of {owned['name']}", old=before, new=after)
    if (owned := _OF_MODULE.fullmatch(name)) is not None:
        return GlobalChanged(name=f"{owned['name']}.{owned['what']}", old=before, new=after)
    if head in _VALUES:
        return _VALUES[head](name=rest, old=before, new=after)
    if head in ("class", "module"):
        return ClassChanged(name=rest, old=ABSENT if old is None else "used", new=ABSENT if new is None else "used")
    return PartChanged(name=name, old=before, new=after)


def text_diff(old: str, new: str) -> str:
    """Give a unified diff of two texts; empty if one is not known."""
    if not old or not new:
        return ""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "before", "now", lineterm="", n=2)
    return "\n".join(lines)


def _ruled(name: str, component: bytes | None) -> str:
    if component is None:
        return ABSENT
    if name == "schema":
        return value_told(b"\0" + component, {})
    return _text(component)


def _text(component: bytes | None) -> str:
    return ABSENT if component is None else component.decode("utf-8", "replace")


def _short(component: bytes | None) -> str:
    return ABSENT if component is None else f"#{component[:4].hex()}"
