"""The identity of code: what a task runs, and all that this reaches.

Owns :func:`fingerprint` and :func:`class_identity`. They come from the running bytecode
and live values, never from source text (K4-K9): an edit that has not been loaded does
not count, and two functions on one line are two. Promises one answer for one state of
the code, in every process, under every hash seed, warm or traced.

Fingerprints are kept until :func:`forget` is called, which a run does when it begins:
globals are read once a run (K6). May be called from several threads.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable

from flowcore.dataclass import dataclass
from flowcore.plan.encode import Encoded, encode, forget_kinds
from flowcore.plan.extension import array_digest
from flowcore.plan.functions import bare_function
from flowcore.plan.modules import Modules, module_identities
from flowcore.plan.pieces import Piece, is_followed
from flowcore.plan.reach import Walk
from flowcore.plan.tracking import described


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """The identity of a function and all that it reaches.

    Attributes
    ----------
    digest : bytes
        32 bytes; enters keys.
    parts : tuple of (str, bytes)
        What was reached, named for humans, sorted. Only for telling what changed.
    unfollowed : tuple of str
        What the digest cannot vouch for: computed names, `eval` and the like (K9).
    asks : frozenset of str
        Kinds of what the functions reached are supplied with: ``"rng"``, ... (K21).
    draws : tuple of str
        Functions reached that draw from the process's own random stream.
    functions : tuple of (bytes, function)
        The user's functions among what was reached, each with the digest of its part.
    """

    digest: bytes
    parts: tuple[tuple[str, bytes], ...] = ()
    unfollowed: tuple[str, ...] = ()
    asks: frozenset[str] = frozenset()
    draws: tuple[str, ...] = ()
    functions: tuple[tuple[bytes, types.FunctionType], ...] = ()


_pieces: dict[int, tuple[object, Piece]] = {}
_prints: dict[tuple[int, tuple[str, ...], tuple[int, ...]], tuple[object, Fingerprint]] = {}
_classes: dict[type, Fingerprint] = {}


def forget() -> None:
    """Forget every fingerprint: the next ones read globals and classes anew."""
    _pieces.clear()
    _prints.clear()
    _classes.clear()
    forget_kinds()


def fingerprint(
    function: Callable[..., object], *, ignore: Iterable[str] = (), tracks: Iterable[object] = ()
) -> Fingerprint:
    """Give the identity of `function`, or of a task's function.

    Parameters
    ----------
    function : callable
        A function, method, partial, class, ufunc or task.
    ignore : iterable of str
        ``"global:NAME"`` leaves a global out; the name of a parameter leaves its default out.
    tracks : iterable
        More that counts: functions, classes, modules; a Path for the content of a file;
        ``"env:NAME"`` for an environment variable; another str for the version of the
        distribution of that name, or if there is none for the content of that file.

    Raises
    ------
    NoEncoding
        If a global, default or closure has no canonical encoding; the path names it.

    Examples
    --------
    >>> def area(r: float) -> float:
    ...     return 3.14 * r * r
    >>> def other(r: float) -> float:
    ...     return 3.14 * r * r
    >>> fingerprint(area).digest == fingerprint(other).digest
    True
    """
    bare = bare_function(function)
    ignored, tracked = tuple(ignore), tuple(tracks)
    key = (id(bare), ignored, tuple(map(id, tracked)))
    known = _prints.get(key)
    if known is None:
        known = _prints[key] = ((bare, tracked), _fingerprint(bare, ignored, tracked))  # held: ids stay theirs
    return known[1]


def _fingerprint(bare: object, ignore: tuple[str, ...], tracks: tuple[object, ...]) -> Fingerprint:
    walk = Walk(_pieces, ignore=ignore)
    roots: list[tuple[str, object]] = [("", bare)]
    for tracked in tracks:
        if is_followed(tracked):
            roots.append(("tracked", tracked))
        else:
            roots.append((described(tracked), _nothing))
    named = tuple((name, b"") for name, _ in roots if name not in ("", "tracked"))
    digest = walk.digest(roots)
    return Fingerprint(
        digest=digest, parts=tuple(sorted(walk.parts() + named)), unfollowed=walk.unfollowed(),
        asks=walk.asks(), draws=walk.draws(), functions=walk.functions(),
    )  # fmt: skip


def modules_read(
    function: Callable[..., object], *, ignore: Iterable[str] = (), tracks: Iterable[object] = ()
) -> Modules:
    """Give a digest of what `function` reads from each module that other processes import for themselves (F32).

    Takes what :func:`fingerprint` takes, and sees the same state of the code.

    Raises
    ------
    NoEncoding
        As `fingerprint` does.
    """
    followed = [tracked for tracked in tracks if is_followed(tracked)]
    return module_identities(function, pieces=_pieces, ignore=ignore, tracks=followed)


def _nothing() -> None:
    """Stand behind what is tracked by name and version alone."""


def class_identity(cls: type) -> bytes:
    """Give the code identity of a class: its bases, methods and attributes, and what they reach (K7, K10)."""
    return class_fingerprint(cls).digest


def class_fingerprint(cls: type) -> Fingerprint:
    """Give the identity of a class, with what it is made of: for telling what changed."""
    known = _classes.get(cls)
    if known is None:
        walk = Walk(_pieces)
        digest = walk.digest([("", cls)])
        known = _classes[cls] = Fingerprint(
            digest=digest, parts=walk.parts(rooted=False), unfollowed=walk.unfollowed(), functions=walk.functions()
        )
    return known


def identify_value(value: object) -> Encoded:
    """Give the identity of an argument that may hold functions, keeping nothing (K19).

    Its record cannot be decoded.

    Raises
    ------
    NoEncoding
        If a part of it has no canonical encoding, and is no function.
    """
    return encode(value, put=array_digest, class_identity=class_identity, function_identity=_function_identity)


def _function_identity(function: object) -> bytes:
    return fingerprint(function).digest  # type: ignore[arg-type]
