"""Whether another process would find a module where this one did.

Owns that one question. A module that was loaded from a path by hand, or made at run
time, has a name that means nothing elsewhere: what is in it travels by value, and no
other process is asked about it.
"""

from __future__ import annotations

import sys

_checked: dict[tuple[str, object], bool] = {}


def importable(name: str) -> bool:
    """Tell whether another process with our sys.path would import this module from the same file."""
    module = sys.modules[name]
    spec = getattr(module, "__spec__", None)
    known = _checked.get((name, spec and spec.origin))
    if known is None:
        known = _checked[name, spec and spec.origin] = spec is not None and _found(name) == spec.origin
    return known


def _found(name: str) -> str | None:
    """Give the file that an import of `name` would read."""
    parent, _, _ = name.rpartition(".")
    path = getattr(sys.modules.get(parent), "__path__", None) if parent else None
    if parent and (path is None or not _parent_importable(parent)):
        return ""
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path, None)
        if spec is not None:
            return spec.origin
    return ""


def _parent_importable(name: str) -> bool:
    return name in sys.modules and (getattr(sys.modules[name].__spec__, "origin", None) is None or importable(name))
