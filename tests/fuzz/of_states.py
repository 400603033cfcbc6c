"""Manifests of saved states: whole, of their key and number, and of the form they say; or none."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Final

import numpy as np
from blake3 import blake3

from flowcore.plan.encode import BadRecord, ValueGone, encode
from flowcore.store.checkpoint import Checkpoints
from flowcore.store.generations import PLACE, Generations, Home
from flowcore.store.layout import Layout
from flowcore.store.manifest import Manifest, SeriesMark, pack_manifest, read_manifest
from flowcore.store.series import series_file
from flowcore.store.trouble import Trouble
from tests.fuzz.mutation import blindly, by_structure
from tests.fuzz.reader import Mistake
from tests.fuzz.shapes import misshapen
from tests.fuzz.shelf import Shelf

KEY: Final = b"k" * 32
NUMBER: Final = 3
_HEAD: Final = 20
_LAYOUT: Final = Layout(Path("/store"))
_FRAMES: Final = np.arange(8.0).tobytes()
_MARK: Final = SeriesMark(descr="<f8", shape=(4,), count=2, digest=blake3(_FRAMES).digest())
_FILES: Final[dict[str, bytes]] = {}


def _put(header: bytes, data: memoryview) -> bytes:
    content = header + bytes(data)
    digest = blake3(content).digest()
    _FILES[f"{_LAYOUT.checkpoint(KEY)}/{digest.hex()}.npy"] = content
    return digest


@functools.cache
def manifests() -> list[bytes]:
    """Give manifests, whole: with arrays, series, streams, and bare."""
    values = {"z": np.arange(3000.0), "t": 1.5, "names": ["a", "b"], "small": np.arange(3)}
    state = {name: encode(value, put=_put, place=PLACE).record for name, value in values.items()}
    streams = encode({"streams": {}, "inside": True, "after": []}, put=_put, place=PLACE).record
    found = [
        Manifest(
            loop=0,
            step=5,
            records=state,
            generator=streams,
            series={"h": _MARK},
            components={"code": b"c" * 32},
            cell="erode[1]",
            task="m.erode",
            run="r",
            wall=1.5,
            mark="kept",
        ),
        Manifest(loop=1, step=0, records={"t": state["t"]}),
        Manifest(loop=0, step=1, records=state, series={"h": _MARK, "g": _MARK}, mark="end"),
    ]
    return [pack_manifest(manifest, KEY, NUMBER) for manifest in found]


def mutate(rng: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Change a manifest: its bytes, or its payload, which is then sealed again."""
    if rng.random() < 0.15:
        return blindly(rng, data, others)
    payload = by_structure(
        rng, data[_HEAD:-32], [other[_HEAD:-32] for other in rng.sample(others, min(3, len(others)))]
    )
    return sealed(payload)


def sealed(payload: bytes) -> bytes:
    """Give the manifest that holds a payload."""
    content = b"flowckpt" + (1).to_bytes(4, "little") + len(payload).to_bytes(8, "little") + payload
    return content + _seal(content)


def _seal(content: bytes) -> bytes:
    hasher = blake3(derive_key_context="flowcore v1 checkpoint")
    hasher.update(len(KEY).to_bytes(8, "little") + KEY + NUMBER.to_bytes(8, "little"))
    return hasher.update(content).digest()


def read(data: bytes) -> str:
    """Read a manifest, then go on from it as a cell would."""
    verified = len(data) >= _HEAD + 32 and _seal(data[:-32]) == data[-32:]
    manifest = read_manifest(data, KEY, NUMBER)
    if manifest is not None:
        if not verified:
            raise Mistake("a damaged manifest is taken for a state")
        if wrong := misshapen(manifest):
            raise Mistake(f"{wrong} has another type")
        manifest.arrays, manifest.same_state(manifest)
    if read_manifest(data, KEY, NUMBER + 1) is not None or read_manifest(data, b"l" * 32, NUMBER) is not None:
        raise Mistake("a manifest of another number or key")
    return _gone_on(data)


def _gone_on(data: bytes) -> str:
    directory = _LAYOUT.checkpoint(KEY)
    name = f"{directory}/{series_file('h')}"
    shelf = Shelf(**{**_FILES, name: _FRAMES, f"{directory}/{NUMBER}.state": data})
    home = Home(
        layout=_LAYOUT, run_id="r", disk=shelf, trouble=Trouble("/store", disk=shelf, tell=lambda _: None), mapped=False
    )
    cell = Generations(home, KEY)
    outcome = "none"
    for number, manifest in cell.found():
        outcome = "a state"
        values = cell.values(number, manifest)
        if values is None:
            outcome = "a state whose values are gone"
        if manifest.generator:
            try:
                cell.decode(manifest.generator)
            except (ValueGone, BadRecord):
                outcome += ", streams gone"
        for series in list(manifest.series)[:2]:
            frames = cell.peek(series)
            if frames is not None:
                outcome += ", frames"
                if frames.nbytes > len(_FRAMES):
                    raise Mistake("more frames than there are")
    Checkpoints(home).others(b"x" * 32, task="m.erode", cell="erode[1]")
    if shelf.leaked:
        raise Mistake("a descriptor is left open")
    return outcome
