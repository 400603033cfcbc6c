"""H7, on intruders: guards against crafted stores, other users and hostile names taken away, one small patch a name."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from flowcore import errors, optionfiles, plugins
from flowcore.cli import debug
from flowcore.inspect import html
from flowcore.plan import numeric, reading, seen
from flowcore.run.told import arguments
from flowcore.store import blobs
from flowcore.store.arrayfile import read_file
from flowcore.store.codecs import unpickle
from flowcore.store.fs import READ, Disk
from flowcore.store.layout import Layout
from flowcore.store.sweep import Sweeper
from flowcore.ui import server

Put = Callable[[Any, str, Any], None]


def setters_called(put: Put) -> None:
    """Fill any dataclass, whatever setting its fields, or letting go of it, runs (S1)."""
    put(seen, "assigns", lambda *_: False)
    put(seen, "is_finalized", lambda _: False)


def numpy_loads(put: Put) -> None:
    """Read arrays by numpy.load, with pickles allowed (S1, P9)."""

    def read(disk: Disk, path: str, size: int, *, mapped: bool) -> Any:
        import numpy as np

        with suppress(Exception):
            np.load(path, allow_pickle=True)
        return read_file(disk, path, size, mapped=mapped)

    put(blobs, "read_file", read)


def the_file_decides(put: Put) -> None:
    """Unpickle whatever says that it is a pickle (S2)."""
    put(reading.Reading, "unpickle", property(lambda _: unpickle, lambda *_: None))


def pickles_unchecked(put: Put) -> None:
    """Hand on the bytes of a pickle without a look at codec, length and digest (S3)."""
    put(reading, "payload_of", lambda parts: memoryview(bytes(parts[4])))


def the_umask_decides(put: Put) -> None:
    """Make directories with the mode that the umask leaves (S5)."""
    put(Disk, "mkdir", lambda self, path: os.mkdir(path))


def anybodys_directories(put: Put) -> None:
    """Take any directory for a store's, whoever may write to it (S5)."""
    put(Layout, "_check_directory", lambda *_: None)


def links_followed(put: Put) -> None:
    """Look at what a link leads to (S6)."""
    put(Disk, "stat", lambda self, path, dir_fd=None: os.stat(path, dir_fd=dir_fd))


def blocking_opens(put: Put) -> None:
    """Open files as they are opened anywhere, and wait with whoever opens a FIFO (S6)."""

    def opened(self: Disk, path: Any, flags: int = READ, mode: int = 0o600, *, dir_fd: int | None = None) -> int:
        del self
        return os.open(path, flags & ~os.O_NONBLOCK, mode, dir_fd=dir_fd)

    put(Disk, "open", opened)


def anybodys_options(put: Put) -> None:
    """Read options wherever they are, whoever put them there (S5)."""
    put(optionfiles, "_content", lambda path, _: Path(path).read_bytes() if Path(path).is_file() else None)


def words_as_they_are(put: Put) -> None:
    """Say what is said with whatever it holds (S6)."""
    put(errors, "spelled", lambda text: text)


def names_as_they_are(put: Put) -> None:
    """Put names into markup as they are (S6)."""
    put(html, "escaped", lambda text, limit=0: text)


def shapes_believed(put: Put) -> None:
    """Ask for the memory that a shape says, and look at the data then (S7)."""

    def own_memory(facts: Any, data: bytes) -> Any:
        import numpy as np

        return np.empty(facts.shape, facts.descr)

    put(numeric, "own_memory", own_memory)


def plugins_uninvited(put: Put) -> None:
    """Import plugins to see which there are (S8)."""

    def names(group: str) -> tuple[str, ...]:
        found = entry_points(group=group)
        with suppress(AttributeError):
            for point in found:
                point.load()
        return tuple(point.name for point in found)

    put(plugins, "names", names)


def open_to_all(put: Put) -> None:
    """Listen to other machines (S9)."""
    put(server, "HOST", "0.0.0.0")


def any_host(put: Put) -> None:
    """Answer whoever has the token, under whatever name he came (S9)."""
    put(server.Page, "_admitted", lambda self: self.path.split("/")[2:])


def any_file_is_ours(put: Put) -> None:
    """Execute the file that a journal names, wherever it is (S10)."""
    put(debug, "_here", lambda *_: True)


def values_told(put: Put) -> None:
    """Describe an argument by what it is (S11)."""
    put(arguments, "sketch", lambda record: str(bytes(record)))


def any_name_is_ours(put: Put) -> None:
    """Remove whatever is in a directory that is the store's (S12)."""
    real = Sweeper.matching
    put(Sweeper, "matching", lambda self, directory, pattern, **may: real(self, directory, re.compile(".*"), **may))


SABOTEURS: dict[str, Callable[[Put], None]] = {
    patch.__name__: patch
    for patch in (
        setters_called,
        numpy_loads,
        the_file_decides,
        pickles_unchecked,
        the_umask_decides,
        anybodys_directories,
        links_followed,
        blocking_opens,
        anybodys_options,
        names_as_they_are,
        words_as_they_are,
        shapes_believed,
        plugins_uninvited,
        open_to_all,
        any_host,
        any_file_is_ours,
        values_told,
        any_name_is_ours,
    )
}
