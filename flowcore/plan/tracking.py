"""What a task tracks besides code: files, variables, distributions (K23), and whether it is as it was.

Owns the text that stands for a tracked thing in an identity, and :class:`Watch`, which
looks again after cells have run (contract F32). Looking again costs a stat a file, and
reads a file only where that says that it may be another one.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable
from typing import Final

from flowcore import clock
from flowcore.plan.extension import NoEncoding, kind_name
from flowcore.plan.libraries import distribution, file_digest, file_times

_RACY: Final = 2.0  # seconds; a file changed later than this before it was read may be changed unseen by a stat


def described(tracked: object) -> str:
    """Give what a tracked file, variable or distribution is now, as text.

    Raises
    ------
    NoEncoding
        If it is none of these, or a file that cannot be read.
    """
    path = _path(tracked)
    if path:
        return _file(path)
    if not isinstance(tracked, str):
        raise NoEncoding("tracks", kind_name(type(tracked)), "track functions, modules, files, names")
    if tracked.startswith("env:"):
        return f"tracked {tracked}={os.environ.get(tracked.removeprefix('env:'))!r}"
    return f"tracked distribution {tracked}=={distribution(tracked)}"


class Watch:
    """Tells whether what a task tracks is still what entered its key. One thread.

    Parameters
    ----------
    tracks : iterable
        What is tracked; distributions do not change in a process that has them loaded.
    known : iterable of str
        The texts that entered the key.
    """

    def __init__(self, tracks: Iterable[object], known: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._variables = [one for one in tracks if isinstance(one, str) and one.startswith("env:")]
        self._seen: dict[str, tuple[int, ...]] = {path: () for path in map(_path, tracks) if path}

    def changed(self) -> str:
        """Give the first file or variable that is another one now; empty if none is."""
        for variable in self._variables:
            if described(variable) not in self._known:
                return variable
        for path, seen in self._seen.items():
            times = file_times(path)
            if not times or times != seen:
                try:
                    text = _file(path)
                except NoEncoding:
                    return path
                if text not in self._known:
                    return path
                old = bool(times) and clock.wall() - times[0] * 1e-9 > _RACY
                self._seen[path] = times if old and times == file_times(path) else ()
        return ""


def watch(tracks: Iterable[object], known: Iterable[str]) -> Watch | None:
    """Give a watch over what is tracked; None if nothing of it can change during a run."""
    watched = [one for one in tracks if _path(one) or (isinstance(one, str) and one.startswith("env:"))]
    return Watch(watched, known) if watched else None


def _path(tracked: object) -> str:
    """Give the path of a tracked file; empty for anything else."""
    if isinstance(tracked, pathlib.PurePath):
        return str(tracked)
    if not isinstance(tracked, str) or tracked.startswith("env:") or distribution(tracked):
        return ""
    return tracked


def _file(path: str) -> str:
    try:
        return f"tracked file {os.path.basename(path)} {file_digest(path).hex()}"
    except OSError as error:
        raise NoEncoding("tracks", f"file that cannot be read ({error})", "track a file or a distribution") from error
