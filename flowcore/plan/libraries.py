"""Where code comes from: the user, the standard library, or an installed distribution.

Owns the line between code that is followed and code that goes by name and version (K7,
K8). User code is what lies neither in the standard library nor in site-packages; an
editable install is user code. A version is found without `importlib.metadata`, whose
map of packages takes 100 ms and more: the directory of the one distribution that lists
the module's file names it.

Answers stay for the life of the process: a module that is loaded does not change when
another version is installed beside it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from dataclasses import replace
from functools import cache, lru_cache
from typing import Any, Final, Literal

from flowcore.dataclass import dataclass
from flowcore.plan.extension import digest_of

_SITES: Final = ("site-packages", "dist-packages")
_OWN: Final = __name__.partition(".")[0]
_EXTENSIONS: Final = (".so", ".pyd", ".dylib")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Whose a module is."""

    kind: Literal["user", "extension", "stdlib", "library", "own"]
    name: str = ""  # of the distribution
    version: str = ""  # of the distribution, or the digest of a file that none lists


_USER = Origin(kind="user")
_STDLIB = Origin(kind="stdlib")


def origin_of(namespace: dict[str, Any]) -> Origin:
    """Give the origin of the code that runs in this global namespace."""
    name = namespace.get("__name__")
    file = namespace.get("__file__")
    name = name if isinstance(name, str) else ""
    if isinstance(file, str):
        return _of_file(name, file)
    if name != "__main__" and name.partition(".")[0] in sys.stdlib_module_names:
        return _STDLIB
    paths = list(namespace.get("__path__", ()))
    return _of_file(name, os.path.join(paths[0], "__init__.py")) if paths else _USER


def origin_of_module(name: str | None) -> Origin:
    """Give the origin of the module of that name; what has none counts as the standard library's."""
    module = sys.modules.get(name or "builtins")
    if module is None:
        return _STDLIB if (name or "").partition(".")[0] in sys.stdlib_module_names else _USER
    return origin_of(vars(module))


@cache
def _of_file(name: str, file: str) -> Origin:
    if name.partition(".")[0] == _OWN:
        return Origin(kind="own", name=_OWN)  # its rules have the schema number
    path = file.replace(os.sep, "/")
    for site in _SITES:
        directory, found, inside = path.rpartition(f"/{site}/")
        if found:
            return _installed(f"{directory}/{site}", inside, file)
    if any(path.startswith(root) for root in _stdlib_roots()):
        return _STDLIB
    if path.endswith(_EXTENSIONS):
        return Origin(kind="extension", version=_digest(file))
    return _USER


@lru_cache(maxsize=1)
def _stdlib_roots() -> tuple[str, ...]:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    roots = {os.path.dirname(os.__file__)}
    for prefix in {sys.base_prefix, sys.base_exec_prefix}:
        roots |= {os.path.join(prefix, place, version) for place in ("lib", sys.platlibdir)}
    roots |= {os.path.realpath(root) for root in roots}
    return tuple(root.replace(os.sep, "/") + "/" for root in roots)


@cache
def _installed(site: str, inside: str, file: str) -> Origin:
    """Find the distribution that lists a file of site-packages."""
    listed = f"{inside},".encode()
    for entry in _likely_first(_distributions(site), inside):
        record = _content(f"{site}/{entry}/RECORD")
        if record.startswith(listed) or b"\n" + listed in record:
            return _together(site, entry)
    for entry in _distributions(site):  # older forms list no files: the name has to do
        if entry.endswith(".egg-info") and _plain(entry.partition("-")[0]) == _plain(_top(inside)):
            return _named(entry)
    return Origin(kind="library", name=_top(inside), version=_digest(file))


def _together(site: str, entry: str) -> Origin:
    """Give the origin that a distribution's directory names, with the versions of all that are called like it.

    An upgrade that was cut short leaves the directory of the version before. Which of them is meant cannot be told
    from their names; that one of them changes can.
    """
    own = _plain(entry.partition("-")[0])
    found = [_named(other) for other in _distributions(site) if _plain(other.partition("-")[0]) == own]
    return _named(entry) if len(found) < 2 else replace(_named(entry), version="+".join(o.version for o in found))


def _named(entry: str) -> Origin:
    name, _, version = entry.rpartition(".")[0].partition("-")
    return Origin(kind="library", name=name.lower().replace("_", "-"), version=version.partition("-py")[0])


def _top(inside: str) -> str:
    return inside.partition("/")[0].partition(".")[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "", name).lower()


@cache
def _distributions(site: str) -> tuple[str, ...]:
    try:
        entries = os.listdir(site)
    except OSError:
        return ()
    return tuple(sorted(e for e in entries if e.endswith((".dist-info", ".egg-info"))))


def _likely_first(entries: tuple[str, ...], inside: str) -> list[str]:
    """Put the distribution that is called like the module in front: nearly always it is the one."""
    top = _plain(_top(inside))
    return sorted(entries, key=lambda entry: _plain(entry.partition("-")[0]) != top)


def distribution(name: str) -> str:
    """Give the version of an installed distribution, by its name; empty if there is none."""
    for site in sys.path:
        for entry in _distributions(site):
            if _plain(entry.partition("-")[0]) == _plain(name):
                return _together(site, entry).version
    return ""


def library(name: str) -> Any:
    """Give a module of an optional library, imported if it is not yet.

    Only names that stand in flowcore's own rooms are given here, never one from a record.
    """
    return importlib.import_module(name)


def library_version(name: str) -> bytes:
    """Give what a library enters keys with."""
    loaded = getattr(sys.modules.get(name), "__version__", None)
    return (loaded if isinstance(loaded, str) else distribution(name)).encode()


@lru_cache(maxsize=64)
def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def _digest(path: str) -> str:
    return digest_of(_content(path)).hex()


def file_digest(path: str) -> bytes:
    """Give the digest of a file as it is now.

    Raises
    ------
    OSError
        If it cannot be read.
    """
    with open(path, "rb") as file:
        return digest_of(file.read())


def file_times(path: str) -> tuple[int, ...]:
    """Give what a stat says of a file, the time of its last change first; empty if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return max(found.st_mtime_ns, found.st_ctime_ns), found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev
