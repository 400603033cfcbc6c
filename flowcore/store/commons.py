"""What the keys of a node's cells had in common in older runs, for whoever vouches for older code.

Owns the search for it through journals, newest first. Decodes no trace: passing them over
would be most of the work. Only reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from flowcore.store.cast import Casts
from flowcore.store.fs import DISK, Disk
from flowcore.store.journal import Record, read_frames
from flowcore.store.layout import Layout
from flowcore.store.listing import PACK, journal_names


def older_commons(
    root: str | Path, run_id: str, node: str, own: Sequence[str], *, disk: Disk = DISK
) -> Iterator[dict[str, bytes]]:
    """Yield what the keys of a node's cells had in common in older runs, newest first.

    Nodes are known by name, and by the names of what differs from cell to cell.
    """
    layout = Layout(Path(root))
    for name in sorted(journal_names(disk, layout), reverse=True):
        if name.partition(".")[0] >= run_id and not name.endswith(PACK):
            continue
        named, casts = set[int](), Casts()  # its numbers
        for _, _, records in read_frames(f"{layout.journals}/{name}", disk=disk):
            for number, facts in _nodes_told(records, casts):
                if facts.get("name") == node:
                    named.add(number)
                match facts:
                    case {"common": dict(common), "own": list(names)} if number in named and names == list(own):
                        yield {str(part): digest for part, digest in common.items() if isinstance(digest, bytes)}


def _nodes_told(records: Iterable[Record], casts: Casts) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield what records say of nodes."""
    for record in records:
        with suppress(ValueError):
            yield from casts.take(record)
