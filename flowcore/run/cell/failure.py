"""From an exception to what may cross a border, and back.

An exception of user code may hold anything: sockets, a million elements, a class that
cannot be imported elsewhere, an `__init__` that does not take back its own arguments.
So what travels is a description (contract F11): type, text, the user's frames, notes,
causes and group members. The exception itself goes along, pickled, only if it made the
round trip here, where a failure hurts nobody.
"""

from __future__ import annotations

import io
import linecache
import os
import pickle
import re
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from flowcore.errors import FlowcoreError
from flowcore.run.job import Failure

_HOME = str(Path(__file__).parents[2]) + os.sep
_LIBRARY = os.path.dirname(os.__file__) + os.sep
_PACKAGES = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
_TEXT = 10_000  # characters of a message that are kept
_FRAMES = 40  # innermost frames that are kept
_CAUSES = 10  # causes and group members, in all
_PICKLE = 64 * 1024  # bytes above which the exception itself stays behind
_FRAME = re.compile(r'  File "(?P<file>.+)", line (?P<line>\d+)(, in .*)?')


def describe(error: BaseException, *, module: str = "") -> Failure:
    """Turn an exception into plain text and, where it survives the trip, its pickle.

    Parameters
    ----------
    error : BaseException
        As caught, with its traceback.
    module : str, optional
        What to call the module of classes from ``__main__``.
    """
    return _describe(error, seen=set(), module=module, deep=0)


def restore(failure: Failure) -> BaseException | None:
    """Make the exception again, in the user's own thread; None if that does not work.

    Where it was raised goes along as a note, and its cause is made again too. User code
    runs here (an exception's `__setstate__`), which is why the engine never calls this,
    and why whatever it raises only means that there is no exception to show.
    """
    if not failure.pickled:
        return None
    try:
        error = _load(failure.pickled, _of_main)  # made by our own worker in this run
    except Exception:  # noqa: BLE001 - see above
        return None
    if not isinstance(error, BaseException):
        return None
    if failure.traceback:
        error.add_note(f"Where it was raised (most recent call last):\n{failure.traceback.rstrip()}")
    if failure.causes and not isinstance(error, BaseExceptionGroup):  # a group brings its members itself
        error.__cause__ = restore(failure.causes[0])
    return error


def sourced(failure: Failure) -> Failure:
    """Add the lines of source that the place of the failure did not have, and this process has.

    A function of a notebook, or of a script that came from a pipe, travels by value: where
    it ran nobody knew its text, but here `linecache` does.
    """
    causes = tuple(sourced(cause) for cause in failure.causes)
    return replace(failure, traceback=_with_source(failure.traceback), causes=causes)


def frames(text: str) -> list[tuple[str, list[str]]]:
    """Give the frames of a traceback's text, outermost first, each with its file and its lines."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        match = _FRAME.fullmatch(line)
        if match is not None:
            found.append((match["file"], [line]))
        elif found:
            found[-1][1].append(line)
    return found


def is_ours(filename: str) -> bool:
    """Tell whether a source file belongs to flowcore, and is no concern of the user."""
    return filename.startswith((_HOME, "<frozen "))


def is_library(filename: str) -> bool:
    """Tell whether a source file belongs to Python or to an installed package, and not to the user's own code."""
    return filename.startswith(_LIBRARY) or any(part in filename for part in _PACKAGES)


def users_stack(text: str) -> str:
    """Give the user's part of a stack that faulthandler wrote, innermost call first: of the thread that crashed."""
    _, crashed, after = text.partition("\nCurrent thread ")
    shown = after.partition("\n\n")[0] if crashed else text
    lines = [line for line in shown.splitlines() if line.lstrip().startswith("File ")]
    return "\n".join(line.strip() for line in lines if _HOME not in line and 'File "<string>"' not in line)


def _describe(error: BaseException, *, seen: set[int], module: str, deep: int) -> Failure:
    seen.add(id(error))
    found = _user_frames(error.__traceback__)
    text = _text(error)
    return Failure(
        type=_type_name(type(error), module),
        text=text,
        traceback="".join(traceback.format_list(found)),
        at=_place(found),
        bases=tuple(_type_name(base, module) for base in type(error).__mro__[1:-1]),
        notes=_notes(error),
        causes=tuple(_describe(c, seen=seen, module=module, deep=deep + 1) for c in _causes(error, seen, deep)),
        pickled=_pickled(error),
    )


def _causes(error: BaseException, seen: set[int], deep: int) -> list[BaseException]:
    if deep >= _CAUSES:
        return []
    shown = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    members = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    found = [e for e in (shown, *members) if e is not None and id(e) not in seen]
    return found[:_CAUSES]


def _user_frames(tb: TracebackType | None) -> list[traceback.FrameSummary]:
    found = [f for f in traceback.extract_tb(tb) if not is_ours(f.filename)]
    return found[-_FRAMES:]


def _place(found: list[traceback.FrameSummary]) -> str:
    """Give file:line of the innermost frame of the user's own code, or of any if there is none."""
    own = [f for f in found if not is_library(f.filename)] or found
    return f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else ""


def _with_source(text: str) -> str:
    lines = text.splitlines()
    told: list[str] = []
    for line, after in zip(lines, [*lines[1:], ""], strict=False):
        told.append(line)
        match = None if after.startswith("    ") else _FRAME.fullmatch(line)
        source = linecache.getline(match["file"], int(match["line"])).strip() if match is not None else ""
        if source:
            told.append(f"    {source}")
    return "".join(f"{line}\n" for line in told)


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except BaseException as broken:  # noqa: BLE001 - a user's __str__ may do anything, SystemExit included
        return f"<the message of this exception cannot be shown: {type(broken).__name__}>"


def _notes(error: BaseException) -> tuple[str, ...]:
    notes = getattr(error, "__notes__", ())
    return tuple(note[:_TEXT] for note in notes if isinstance(note, str)) if isinstance(notes, list | tuple) else ()


def _type_name(kind: type, module: str) -> str:
    where = module if kind.__module__ == "__main__" and module else kind.__module__
    return kind.__qualname__ if where == "builtins" else f"{where}.{kind.__qualname__}"


def _pickled(error: BaseException) -> bytes:
    """Give the pickle if it comes back as the same type and text, else nothing."""
    if isinstance(error, RecursionError | MemoryError) and not isinstance(error, FlowcoreError):
        return b""
    met: dict[str, type] = {}
    try:
        data = _dump(error, met)
        if len(data) > _PICKLE:
            return b""
        back = _load(data, met.__getitem__)  # our own bytes, a moment old
        return data if type(back) is type(error) and str(back) == str(error) else b""
    except BaseException:  # noqa: BLE001 - a user's __reduce__ or __init__ may do anything; the description goes
        return b""


def _dump(error: BaseException, met: dict[str, type]) -> bytes:
    written = io.BytesIO()
    _Pickler(written, met).dump(error)
    return written.getvalue()


def _load(data: bytes, find: Callable[[str], type]) -> object:
    return _Unpickler(io.BytesIO(data), find).load()


class _Pickler(pickle.Pickler):
    """Writes classes of ``__main__`` by name: a worker has them by value, and its own main.

    Classes of our own, since a plain pickler of Python 3.13.0 takes no `persistent_id`.
    """

    def __init__(self, written: io.BytesIO, met: dict[str, type]) -> None:
        super().__init__(written, protocol=5)
        self._met = met

    def persistent_id(self, part: object) -> str | None:
        if not (isinstance(part, type) and part.__module__ == "__main__"):
            return None
        self._met[part.__qualname__] = part
        return part.__qualname__


class _Unpickler(pickle.Unpickler):
    """Reads what :class:`_Pickler` wrote; it restricts nothing."""

    def __init__(self, read: io.BytesIO, find: Callable[[str], type]) -> None:
        super().__init__(read)
        self._find = find

    def persistent_load(self, name: str) -> type:
        return self._find(name)


def _of_main(qualname: str) -> type:
    """Find a class of this process's ``__main__``."""
    found: object = sys.modules["__main__"]
    for part in qualname.split("."):
        found = getattr(found, part)
    if not isinstance(found, type):
        raise LookupError(qualname)
    return found
