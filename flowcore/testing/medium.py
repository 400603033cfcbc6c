"""What may be on a medium: files and directories, with all that was not synced still open.

Owns the model of what a filesystem promises. Data that were not fsynced may be missing,
there in part, zeros, or what another file left in that block; a name that was not fsynced
may be the old one or the new one. What an fsync has returned for stays, unless it failed
before: then the pages it was for are lost for good, and a second one that succeeds proves
nothing (Rebello et al., ATC 2020). Touches no disk, and knows nothing of what files mean.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Final, TypeAlias

from flowcore.dataclass import dataclass

Place: TypeAlias = "tuple[int, str] | int"  # a name in a directory, or the content of a file
Step: TypeAlias = tuple[str, tuple[object, ...]]  # what was done, and to what
_STALE: Final = b"stale block of another file \xf1\x0cfc flowjrnl \x93NUMPY "


@dataclass(slots=True)
class File:
    """A file: what is on the medium, and the writes that may be, in their order."""

    durable: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)
    lost: list[tuple[int, bytes]] = field(default_factory=list)  # their fsync failed
    _contents: list[bytes] | None = None

    def change(self, offset: int, data: bytes) -> None:
        """Write some data."""
        self.pending.append((offset, data))
        self._contents = None

    def settle(self) -> None:
        """All that was written is on the medium, but for what is lost."""
        self.durable = _written(self.durable, self.pending)
        self.pending = []
        self._contents = None

    def fail(self) -> None:
        """An fsync failed: no later one will bring these writes to the medium."""
        self.lost += self.pending
        self.pending = []
        self._contents = None

    def contents(self) -> list[bytes]:
        """Give what may be on the medium: the least first, the newest last."""
        if self._contents is None:
            open_ = [*self.lost, *self.pending]
            newest = _written(self.durable, open_)
            found = [self.durable]
            if open_:
                offset, data = open_[-1]
                found += [_written(self.durable, [*open_[:-1], (offset, data[: len(data) // 2])])]
                found += [_written(self.durable, open_[:n]) for n in range(1, len(open_))]
                for filler in (b"\0", _STALE):
                    blanks = [(at, (filler * (len(some) // len(filler) + 1))[: len(some)]) for at, some in open_]
                    found.append(_written(self.durable, blanks))
                    if len(open_) > 1:  # the writes came to the medium out of order
                        found += [_written(newest, [blank]) for blank in (blanks[0], blanks[-1])]
            self._contents = [*dict.fromkeys(each for each in found if each != newest or not open_)]
            self._contents += [newest] if open_ else []
        return self._contents


@dataclass(slots=True)
class Directory:
    """A directory: for each name what it may stand for, the oldest first; None: for nothing."""

    names: dict[str, list[int | None]] = field(default_factory=dict)

    def change(self, name: str, node: int | None) -> None:
        """Let a name stand for another node, or for none."""
        self.names.setdefault(name, [None]).append(node)

    def settle(self) -> None:
        """Every name is on the medium."""
        self.names = {name: stands[-1:] for name, stands in self.names.items() if stands[-1] is not None}

    def newest(self, name: str) -> int | None:
        """Give what a name stands for, to whoever looks now."""
        return self.names.get(name, [None])[-1]


class Model:
    """Files and directories by number; 0 is the recorded folder."""

    def __init__(self) -> None:
        self.nodes: list[File | Directory] = [Directory()]

    def add(self, node: File | Directory) -> int:
        """Take in a node; give its number."""
        self.nodes.append(node)
        return len(self.nodes) - 1

    def directory(self, number: int) -> Directory:
        """Give a directory."""
        node = self.nodes[number]
        assert isinstance(node, Directory), "a file is used as a directory"
        return node

    def file(self, number: int) -> File:
        """Give a file."""
        node = self.nodes[number]
        assert isinstance(node, File), "a directory is used as a file"
        return node

    def settle(self, number: int) -> None:
        """An fsync of a node has returned."""
        self.nodes[number].settle()

    def open_places(self) -> dict[Place, int]:
        """Give what is not settled, each with the number of things it may be."""
        found: dict[Place, int] = {}
        for number, node in enumerate(self.nodes):
            if isinstance(node, File):
                if len(node.contents()) > 1:
                    found[number] = len(node.contents())
            else:
                found |= {(number, name): len(stands) for name, stands in node.names.items() if len(stands) > 1}
        return found

    def tree(self, chosen: Mapping[Place, int], otherwise: int) -> dict[str, bytes | None]:
        """Give the files by path, if each place is what was chosen for it."""
        files: dict[str, bytes | None] = {}
        todo = [("", 0)]
        while todo:
            above, number = todo.pop()
            for name, stands in self.directory(number).names.items():
                child = stands[chosen.get((number, name), otherwise)]
                if child is None:
                    continue
                path, node = f"{above}{name}", self.nodes[child]
                if isinstance(node, Directory):
                    files[path] = None
                    todo.append((f"{path}/", child))
                else:
                    files[path] = node.contents()[chosen.get(child, otherwise)]
        return files


def carry_out(model: Model, step: Step) -> None:
    """Bring a model up to date with what was done."""
    match step:
        case ("mkdir", (int(parent), str(name))):
            model.directory(parent).change(name, model.add(Directory()))
        case ("create", (int(parent), str(name))):
            model.directory(parent).change(name, model.add(File()))
        case ("name", (int(parent), str(name), int() | None as node)):
            model.directory(parent).change(name, node)
        case ("write", (int(node), int(offset), bytes(data))):
            model.file(node).change(offset, data)
        case ("settle", (int(node),)):
            model.settle(node)
        case ("fail", (int(node),)):
            failed = model.nodes[node]
            if isinstance(failed, File):
                failed.fail()
        case ("settle all", ()):
            for node in range(len(model.nodes)):
                model.settle(node)


def states(model: Model, together: int) -> Iterator[dict[str, bytes | None]]:
    """Yield what may be there: all new but for some places, then all old but for some."""
    places = model.open_places()
    for otherwise in (-1, 0):
        yield model.tree({}, otherwise)
        for count in range(1, together + 1):
            for some in itertools.combinations(places, count):
                others = [range(places[place] - 1) if otherwise else range(1, places[place]) for place in some]
                for chosen in itertools.product(*others):
                    yield model.tree(dict(zip(some, chosen, strict=True)), otherwise)


def _written(content: bytes, writes: list[tuple[int, bytes]]) -> bytes:
    """Give the content after some writes; a hole is zeros."""
    if not writes:
        return content
    filled = bytearray(content)
    for offset, data in writes:
        if len(filled) < offset:
            filled += bytes(offset - len(filled))
        filled[offset : offset + len(data)] = data
    return bytes(filled)
