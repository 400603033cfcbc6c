"""The process in which one reader is fuzzed: it may be ended by an input, and then tells which one.

    python -m tests.fuzz.child READER FOLDER INPUTS SEED

The input in hand stands in a mapped file, so it outlives the process. After each chunk all
that it takes to go on is saved in FOLDER.
"""

from __future__ import annotations

import faulthandler
import hashlib
import json
import mmap
import os
import pickle
import sys
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tests.fuzz import readers
from tests.fuzz.campaign import Campaign, mistake_of
from tests.fuzz.guards import limit_memory, limited_time
from tests.fuzz.reader import Reader
from tests.fuzz.smaller import smallest

FOUND: Final = Path(__file__).parent / "found"
CHUNK: Final = 20_000  # inputs between two savings
_ROOM: Final = 1 << 18  # bytes for the input in hand


class Hand:
    """The input that is being read, in a file that outlives this process."""

    def __init__(self, path: Path) -> None:
        path.write_bytes(bytes(_ROOM))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _ROOM)

    def take(self, data: bytes) -> None:
        """Hold an input."""
        end = 8 + len(data)
        if end > _ROOM:
            end, data = 8, b""
        self._memory[:end] = len(data).to_bytes(8, "little") + data


def held(path: Path) -> bytes:
    """Give the input that a process had in hand when it ended."""
    content = path.read_bytes()
    return content[8 : 8 + int.from_bytes(content[:8], "little")]


def main(name: str, folder: str, inputs: str, seed: str) -> None:
    """Fuzz a reader until so many inputs have been read."""
    faulthandler.enable()
    warnings.simplefilter("ignore")
    place = Path(folder)
    reader = readers.READERS[name]
    hand = Hand(place / f"{name}.hand")
    campaign = Campaign(reader, int(seed), hold=hand.take, found=_writer(reader))
    for path in sorted(place.glob(f"{name}.avoid.*")):
        campaign.avoid(path.read_bytes())
    saved = place / f"{name}.state"
    with limited_time():
        reader.seeds()  # what it compares with is made there, and pools of libraries take a gibibyte of addresses
        if saved.exists():
            campaign.restore(pickle.loads(saved.read_bytes()))  # noqa: S301 - of our own making
        limit_memory()
        if not campaign.figures.inputs:
            campaign.begin()
        while campaign.figures.inputs < int(inputs):
            campaign.more(min(CHUNK, int(inputs) - campaign.figures.inputs))
            _save(campaign, place, name)


def _save(campaign: Campaign, place: Path, name: str) -> None:
    for suffix, content in (
        ("state", pickle.dumps(campaign.state())),
        ("figures", json.dumps(asdict(campaign.figures)).encode()),
    ):
        draft = place / f"{name}.{suffix}.draft"
        draft.write_bytes(content)
        os.replace(draft, place / f"{name}.{suffix}")


def _writer(reader: Reader) -> Callable[[str, bytes, BaseException], None]:
    def found(mistake: str, data: bytes, error: BaseException) -> None:
        path = keep(reader.name, data)
        small = smallest(data, lambda other: mistake_of(reader, other) == mistake)
        if small != data:
            path.unlink()
            path = keep(reader.name, small)
        sys.stderr.write(f"{reader.name}: {mistake}: {str(error)[:300]}\n    {path}\n")
        sys.stderr.flush()

    return found


def keep(name: str, data: bytes) -> Path:
    """Write down an input that is a mistake."""
    path = FOUND / name / f"{hashlib.sha256(data).hexdigest()[:16]}.bin"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main(*sys.argv[1:])
