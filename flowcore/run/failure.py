"""From an exception to what may cross a border, and back.

An exception of user code may hold anything: sockets, a million elements, a class that
cannot be imported elsewhere, an `__init__` that does not take back its own arguments.
So what travels is a description (contract F11): type, text, the user's frames, notes,
causes and group members. The exception itself goes along, pickled, only if it made the
round trip here, where a failure hurts nobody.
"""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path
from types import TracebackType

from flowcore.errors import FlowcoreError
from flowcore.run.job import Failure

_HOME = str(Path(__file__).parent.parent)
_TEXT = 10_000  # characters of a message that are kept
_FRAMES = 40  # innermost frames that are kept
_CAUSES = 10  # causes and group members, in all
_PICKLE = 64 * 1024  # bytes above which the exception itself stays behind


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

    User code runs here (an exception's `__setstate__`), which is why the engine never
    calls this, and why whatever it raises only means that there is no exception to show.
    """
    if not failure.pickled:
        return None
    try:
        error = pickle.loads(failure.pickled)  # made by our own worker in this run
    except Exception:  # noqa: BLE001 - see above
        return None
    return error if isinstance(error, BaseException) else None


def is_ours(filename: str) -> bool:
    """Tell whether a source file belongs to flowcore, and is no concern of the user."""
    return filename.startswith((_HOME, "<frozen "))


def users_stack(text: str) -> str:
    """Give the user's part of a stack that faulthandler wrote, innermost call first."""
    lines = [line for line in text.splitlines() if line.lstrip().startswith("File ")]
    return "\n".join(line.strip() for line in lines if _HOME not in line and 'File "<string>"' not in line)


def _describe(error: BaseException, *, seen: set[int], module: str, deep: int) -> Failure:
    seen.add(id(error))
    frames = _user_frames(error.__traceback__)
    text = _text(error)
    return Failure(
        type=_type_name(type(error), module),
        text=text,
        traceback="".join(traceback.format_list(frames)),
        at=f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "",
        bases=tuple(_type_name(base, module) for base in type(error).__mro__[1:-1]),
        notes=tuple(str(note)[:_TEXT] for note in getattr(error, "__notes__", ())),
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
    frames = [f for f in traceback.extract_tb(tb) if not is_ours(f.filename)]
    return frames[-_FRAMES:]


def _text(error: BaseException) -> str:
    try:
        return str(error)[:_TEXT]
    except Exception as broken:  # noqa: BLE001 - a user's __str__ may do anything
        return f"<the message of this exception cannot be shown: {type(broken).__name__}>"


def _type_name(kind: type, module: str) -> str:
    where = module if kind.__module__ == "__main__" and module else kind.__module__
    return kind.__qualname__ if where == "builtins" else f"{where}.{kind.__qualname__}"


def _pickled(error: BaseException) -> bytes:
    """Give the pickle if it comes back as the same type and text, else nothing."""
    if isinstance(error, RecursionError | MemoryError) and not isinstance(error, FlowcoreError):
        return b""
    try:
        data = pickle.dumps(error, protocol=5)
        if len(data) > _PICKLE:
            return b""
        back = pickle.loads(data)  # our own bytes, a moment old
        return data if type(back) is type(error) and str(back) == str(error) else b""
    except Exception:  # noqa: BLE001 - a user's __reduce__ or __init__ may do anything; the description goes
        return b""
