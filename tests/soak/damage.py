"""Damage to the files of a store, behind the back of whoever uses it.

While runs live nothing is done that the contract counts among what flowcore itself never
does: an array is not changed or shortened in place, since who has mapped it would see
that (F23), and one of the right size is not replaced, since a run reads through what it
uses once (B8). All of that is done while nobody looks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tests.soak.chance import Chance
from tests.soak.shelf import Shelf


def unlink(shelf: Shelf, chance: Chance) -> bool:
    """Remove an array, or a file."""
    return _to_one(shelf.blobs(), shelf, chance, Path.unlink)


def shorten(shelf: Shelf, chance: Chance) -> bool:
    """Put a shorter file in the place of one."""
    return _to_one(shelf.blobs(), shelf, chance, lambda path: _replace(path, path.read_bytes()[: chance.about(2000)]))


def drop_index(shelf: Shelf, chance: Chance) -> bool:
    """Remove the index, or one of its files."""
    index = shelf.store / "v1" / "index"
    files = sorted(index.glob("*"))
    if files and chance.often(0.5):
        chance.random.choice(files).unlink(missing_ok=True)
    else:
        shutil.rmtree(index, ignore_errors=True)
    return bool(files)


def drop_journal(shelf: Shelf, chance: Chance) -> bool:
    """Remove a journal; that of a run that goes on, now and then."""
    return _to_one(shelf.journals(), shelf, chance, Path.unlink)


def tear_journal(shelf: Shelf, chance: Chance) -> bool:
    """Put a journal that ends somewhere in the place of one."""
    return _to_one(
        shelf.journals(), shelf, chance,
        lambda path: _replace(path, (whole := path.read_bytes())[: chance.random.randint(0, len(whole))]),
    )  # fmt: skip


def flip_in_journal(shelf: Shelf, chance: Chance) -> bool:
    """Change a bit in a journal, where it lies."""
    return _to_one(shelf.journals(), shelf, chance, lambda path: _flip(path, chance))


def flip_in_index(shelf: Shelf, chance: Chance) -> bool:
    """Change a bit in the index, where it lies."""
    files = [path for path in sorted((shelf.store / "v1" / "index").glob("*")) if path.name.isdigit()]
    if not files:
        return False
    with suppress(OSError, ValueError):
        _flip(chance.random.choice(files), chance)
    return True


def spoil_checkpoint(shelf: Shelf, chance: Chance) -> bool:
    """Remove a file of a saved state, or put a changed one in its place."""
    files = [path for path in sorted((shelf.store / "v1" / "checkpoints").rglob("*")) if path.is_file()]
    if not files:
        return False
    path = chance.random.choice(files)
    with suppress(OSError, ValueError):
        if chance.often(0.5):
            path.unlink()
        else:
            _replace(path, _flipped(path.read_bytes(), chance))
    return True


def flip(shelf: Shelf, chance: Chance) -> bool:
    """Change a bit of an array."""
    return _to_one(shelf.blobs(), shelf, chance, lambda path: _replace(path, _flipped(path.read_bytes(), chance)), True)


def swap(shelf: Shelf, chance: Chance) -> bool:
    """Give two arrays each other's names."""
    blobs = shelf.blobs()
    if len(blobs) < 2:
        return False
    first, second = chance.random.sample(blobs, 2)
    for path in (first, second):
        shelf.blow(path)
    aside = shelf.store / "aside"
    first.rename(aside)
    second.rename(first)
    aside.rename(second)
    for path in (first, second):
        shelf.changed(path)
    return True


def zeros(shelf: Shelf, chance: Chance) -> bool:
    """Fill a file with zeros, as a power loss may."""
    return _to_one(shelf.blobs(), shelf, chance, lambda path: _replace(path, bytes(path.stat().st_size)), True)


def vanish(shelf: Shelf, _: Chance) -> bool:
    """Remove the whole store."""
    for path in [*shelf.journals(), *shelf.blobs()]:
        shelf.blow(path)
    shutil.rmtree(shelf.store, ignore_errors=True)
    return True


Damage = Callable[[Shelf, Chance], bool]
AT_ANY_TIME: dict[Damage, float] = {
    unlink: 4, shorten: 4, drop_index: 2, drop_journal: 1, tear_journal: 2, flip_in_journal: 4, flip_in_index: 2,
    spoil_checkpoint: 4,
}  # fmt: skip
WHILE_NOBODY_LOOKS: dict[Damage, float] = {flip: 16, swap: 4, zeros: 4, vanish: 0.5, **AT_ANY_TIME}


def strike(shelf: Shelf, chance: Chance, kinds: dict[Damage, float]) -> str:
    """Do one of these to the store; name it, or nothing if there was nothing to do it to."""
    kind = chance.random.choices([*kinds], weights=[*kinds.values()])[0]
    return kind.__name__ if kind(shelf, chance) else ""


def _to_one(
    paths: list[Path], shelf: Shelf, chance: Chance, act: Callable[[Path], object], changes: bool = False
) -> bool:
    if not paths:
        return False
    if chance.often(0.5):
        paths = sorted(paths, key=_made)[-8:]  # what is asked for again, more likely than not
    path = chance.random.choice(paths)
    shelf.blow(path)
    try:
        act(path)
        if changes:
            shelf.changed(path)
    except (OSError, ValueError):  # it went just now, or is empty
        return False
    return True


def _made(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _replace(path: Path, content: bytes) -> None:
    """Let a file have another content, as another file of its name."""
    draft = path.with_name(f"aside-{os.getpid()}")
    draft.write_bytes(content)
    draft.chmod(path.stat().st_mode & 0o777)
    draft.rename(path)


def _flipped(content: bytes, chance: Chance) -> bytes:
    other = bytearray(content)
    other[chance.random.randrange(len(other))] ^= 1 << chance.random.randrange(8)
    return bytes(other)


def _flip(path: Path, chance: Chance) -> None:
    """Change a bit in place."""
    at = chance.random.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1 << chance.random.randrange(8)]))
