"""Which checkpoints nobody needs any more.

Owns that judgement, for `cache gc` and `cache clear`. Promises to name a checkpoint only if
its result is recorded (contract C6) or the user asked for all of them, and never one that
a run which may live has written, or that was kept on purpose. Only looks; the sweeper
removes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from flowcore.store.arrayfile import Unfit, read_file, size_of
from flowcore.store.fs import Disk
from flowcore.store.layout import Layout
from flowcore.store.living import Living, may_live
from flowcore.store.manifest import Manifest, read_manifest
from flowcore.store.sweep import Removed, Sweeper

KEY: Final = re.compile(r"[0-9a-f]{64}")
OURS: Final = re.compile(r"[0-9]{1,18}\.state|[0-9a-f]{64}\.(npy|series)")
_MANIFEST: Final = re.compile(r"([0-9]{1,18})\.state")


def finished_checkpoints(
    disk: Disk, layout: Layout, keys: Collection[bytes], *, living: Living, everything: bool
) -> Iterator[str]:
    """Yield the names of checkpoints that may go; `keys` are those with a recorded result."""
    sweep = Sweeper(disk, only_count=True)
    for name in sweep.names(layout.checkpoints, KEY):
        key = bytes.fromhex(name)
        manifest = newest_manifest(disk, f"{layout.checkpoints}/{name}", key)
        if manifest is None:
            if everything and not living.runs:
                yield name
            continue
        wanted = not everything and (key not in keys or manifest.mark)
        if not wanted and not may_live(disk, layout, manifest.run, living):
            yield name


def remove_checkpoints(sweep: Sweeper, layout: Layout, names: Iterator[str]) -> Removed:
    """Remove checkpoints, manifests first: what a kill leaves is no state."""
    removed = Removed()
    for name in names:
        directory = f"{layout.checkpoints}/{name}"
        removed.add(sweep.matching(directory, _MANIFEST))
        removed.add(sweep.matching(directory, OURS))
        sweep.drop_empty(directory)
    return removed


def newest_manifest(disk: Disk, directory: str, key: bytes) -> Manifest | None:
    """Give the newest manifest of a checkpoint that verifies."""
    names = Sweeper(disk, only_count=True).names(directory, _MANIFEST)
    for number in sorted((int(name.partition(".")[0]) for name in names), reverse=True):
        path = f"{directory}/{number}.state"
        try:
            content = read_file(disk, path, size_of(disk, path), mapped=False)
        except (OSError, Unfit):
            continue
        manifest = read_manifest(bytes(content), key, number)
        if manifest is not None:
            return manifest
    return None
