"""Files as arguments and results: a path that stands for what is in it.

Owns :class:`File`. Promises nothing about the disk: that a file is there, and what it
holds, is found out where a flow runs. A plain ``str`` or ``Path`` is text and nothing
else (contract K22).
"""

from __future__ import annotations

import os
from pathlib import Path


class File(os.PathLike[str]):
    """A file whose content is its identity.

    As an argument, alone or inside lists, tuples, dicts and dataclasses, or along an axis
    (``fc.each(path=[fc.File("a.nc"), ...])``, labelled by its path): a cell is computed
    again when the content of the file has changed, and never because it was moved, copied
    or touched. The task gets a `File` too, with an absolute path. A file that changes while
    a cell has it gives that cell a result that is passed on and not kept.

    As a result of a cached task: the file is copied into the store, and a `File` that
    names the copy comes back, to consumers and to ``run[node]``. Of an uncached task the
    file stays where it is.

    The path is no part of the identity: a task whose result depends on the name of a
    file takes the name as an argument of its own.

    Parameters
    ----------
    path : str or path-like
        Where it is; a relative path means the working directory of the process that
        draws the flow.

    Examples
    --------
    >>> import flowcore as fc
    >>> @fc.compute
    ... def lines(text: fc.File) -> int:
    ...     with open(text) as file:
    ...         return sum(1 for _ in file)
    >>> fc.File("notes.txt")
    File('notes.txt')
    >>> fc.File("notes.txt").path.suffix
    '.txt'
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, path: str | os.PathLike[str]) -> None:
        text = os.fspath(path)
        if type(text) is not str or not text or "\0" in text:
            raise ValueError(f"not the path of a file: {text!r}")
        object.__setattr__(self, "_text", text)

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self._text)

    def __fspath__(self) -> str:
        return self._text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"File({self._text!r})"

    def __eq__(self, other: object) -> bool:
        return self._text == other._text if type(other) is File else NotImplemented

    def __hash__(self) -> int:
        return hash((File, self._text))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a File does not change: make another one instead of setting {name!r}")

    def __reduce__(self) -> tuple[type[File], tuple[str]]:
        return File, (self._text,)
