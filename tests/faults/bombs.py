"""S7: files made to cost a reader more than they are: each is a miss, within the memory that the file takes.

    python -m tests.faults.bombs FOLDER

Reads under a limit of 1 GiB of address space, and prints, as JSON, what each bomb raised and
how much was allocated for it. All of them bear valid checksums, as whoever can write to a
store can compute them.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgpack
from blake3 import blake3

from flowcore.plan.extension import ARRAY, ARRAY_INLINE, BIG_INT, SET, SPILL, STRINGS
from flowcore.store import history
from flowcore.store.directory import new_run_id
from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import DISK
from flowcore.store.journal import pack
from flowcore.store.layout import Layout
from flowcore.store.trace import Trace, pack_trace
from tests.faults import operations
from tests.faults.operations import EARLIER

LIMIT = 1 << 30  # bytes of address space beyond what the interpreter has
HUGE = 1 << 40
KEY = b"k" * 32
SALT = b"s" * 16


def main(folder: str) -> None:
    """Read each bomb."""
    home = Path(folder)
    with operations.at_home(home):
        run = operations.begin(home)
        operations.keep(run, EARLIER)
        operations.finish(run)
        operations.read(home, EARLIER)
        limit_memory()
        answers = {name: told(home, path, content) for name, path, content in bombs(home)}
    sys.stdout.write(json.dumps(answers))


def limit_memory() -> None:
    """Let this process have LIMIT bytes more than it has."""
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))


def told(home: Path, path: Path, content: bytes) -> dict[str, object]:
    """Read the store with a bomb in it in every way there is; tell what came of it."""
    before = path.read_bytes() if path.exists() else None
    path.parent.mkdir(exist_ok=True, parents=True, mode=0o700)
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    raised, lost = "", []
    tracemalloc.start()
    try:
        found, _ = operations.read(home, {**EARLIER, KEY: None})
        lost = [key.hex() for key in EARLIER if key not in found]
        for journal in (home / "store" / "v1" / "journals").glob("*.journal"):
            for _ in history.read_run(journal):
                pass
            history.read_end(str(journal))
        operations.saved(home)
    except Exception as error:  # noqa: BLE001 - whatever it is, it should not have been raised
        raised = f"{type(error).__name__}: {error}"[:200]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    path.unlink(missing_ok=True)
    if before is not None:
        path.write_bytes(before)
    return {"raised": raised, "peak": peak, "size": len(content), "lost": lost}


def bombs(home: Path) -> Iterator[tuple[str, Path, bytes]]:
    """Yield name, path and content of each."""
    layout = Layout(home / "store")
    journal = Path(layout.journal(new_run_id()))
    for name, payload in payloads():
        yield f"journal: {name}", journal, sealed(payload)
    for name, content in indexes():
        yield f"index: {name}", Path(layout.index_file(7)), content
    for name, record in records():
        manifest = [0, 5, {"z": record}, b"", {}, {}, "erode", "", "", 0.0, ""]
        yield f"state: {name}", Path(layout.checkpoint(operations.STATE), "3.state"), state(msgpack.packb(manifest))
    yield (
        "state: series",
        Path(layout.checkpoint(operations.STATE), "3.state"),
        state(
            msgpack.packb([0, 5, {}, b"", {"trace": ["<f8", [HUGE, HUGE], HUGE, bytes(32)]}, {}, "", "", "", 0.0, ""])
        ),
    )


def sealed(payload: bytes) -> bytes:
    """Give a journal of one frame."""
    header = pack_header(SALT, DISK.boot())
    return header + seal(SALT, len(header), payload)


def payloads() -> Iterator[tuple[str, bytes]]:
    """Yield payloads of frames."""
    yield "a list of 2^32 items", b"\xdd\xff\xff\xff\xff"
    yield "a map of 2^32 items", b"\xdf\xff\xff\xff\xff"
    yield "bytes of 4 GiB", b"\x91\x92\xa5trace\xc6\xff\xff\xff\xff"
    yield "nested 100,000 times", b"\x91" * 100_000
    yield "lists of lists", b"\xdc\xff\xff" * 1000
    for name, record in records():
        yield name, pack([pack_trace(_trace(record))])
    sound = pack_trace(_trace(b"\xc0"))
    for place, name in enumerate(("kind", "node", "count", "numbers", "keys", "own", "components", "records",
                                  "seconds", "peaks", "classes", "refresh")):  # fmt: skip
        for value in (HUGE, -1, -HUGE, b"", [], None, [HUGE], [0, HUGE], [HUGE, b""], [[0, HUGE]], "x", {}, 1.5):
            yield f"{name} is {value!r}", pack([[*sound[:place], value, *sound[place + 1 :]]])
    for value in (HUGE, -1):
        bare = [*sound[:2], value, [0, value], b"", [], None, None, b"", b"", [], False]
        yield f"a trace of {value} cells and nothing else", pack([bare])
        yield f"{value} hits", pack([["hit", 0, value, [0, value], b""]])
        yield f"{value} left", pack([["left", 0, "blocked", value, [0, value]]])
        yield f"{value} rows", pack([["rows", 0, 0, value, None, 0]])
        yield f"a pack of {value}", pack([["pack", [[value, {}, "", {}]]]])


def records() -> Iterator[tuple[str, bytes]]:
    """Yield records of values."""
    for shape in ([HUGE, HUGE], [1 << 59], [(1 << 61) + 1], [-1], [1] * 10_000, [0, HUGE], HUGE, [1.5], ["x"]):
        for descr in ("<f8", "|V999999999999", [["a", "<f8", HUGE]], HUGE):
            name = f"an array of shape {str(shape)[:40]} and {str(descr)[:20]}"
            yield name, _extension(ARRAY, [bytes(32), 0, 40_128, descr, False, shape])
            yield f"inline {name}", _extension(ARRAY_INLINE, [b"", descr, False, shape])
    sound = [_extension(ARRAY_INLINE, [bytes(8), "<i8", False, [1]])]
    yield "strings of a huge shape", _extension(STRINGS, [True, None, *sound, b"", None, [HUGE]])
    yield "a spill of 2^60 bytes", _extension(SPILL, [bytes(32), 0, 1 << 60, []])
    yield "a whole number of 60,000 bytes", msgpack.packb(msgpack.ExtType(BIG_INT, b"\x7f" * 60_000))
    yield "text of 4 GiB", b"\xdb\xff\xff\xff\xff"
    yield "an extension of 4 GiB", b"\xc9\xff\xff\xff\xff\x01"
    yield "lists in lists", b"\x91" * 5000
    for size, depth in ((1, 5000), (1 << 20, 800)):
        inner: bytes = msgpack.packb(bytes(size))
        for _ in range(depth):
            inner = msgpack.packb(msgpack.ExtType(SET, inner))
        yield f"{depth} sets around {size} bytes", inner


def _extension(code: int, parts: list[object]) -> bytes:
    packed: bytes = msgpack.packb(msgpack.ExtType(code, msgpack.packb(parts)))
    return packed


def _trace(record: bytes) -> Trace:
    return Trace(node=0, numbers=[0], keys=[KEY], components=[b"\0" + record], records=[record], seconds=[0.1])


def indexes() -> Iterator[tuple[str, bytes]]:
    """Yield index files."""
    for name, count, start, length in (
        ("2^60 entries", 1 << 60, 56, 0), ("a directory of 2^60 bytes", 0, 56, 1 << 60),
        ("a directory beyond the end", 0, 1 << 60, 8), ("2^40 blocks", 1 << 50, 56, 0),
    ):  # fmt: skip
        directory = msgpack.packb({"fences": b"", "crcs": b"", "journals": [], "sources": [], "files": []})
        size = length or len(directory)
        numbers = struct.pack("<QQQI", count, start, size, zlib.crc32(directory))
        head = struct.pack("<8sIII", b"flowindx", 1, 1024, zlib.crc32(numbers)) + numbers
        yield name, head + directory
    deep = b"\x91" * 100_000
    numbers = struct.pack("<QQQI", 0, 48, len(deep), zlib.crc32(deep))
    yield "a deep directory", struct.pack("<8sIII", b"flowindx", 1, 1024, zlib.crc32(numbers)) + numbers + deep


def state(payload: bytes) -> bytes:
    """Give a manifest of the state's key and number 3."""
    content = struct.pack("<8sIQ", b"flowckpt", 1, len(payload)) + payload
    hasher = blake3(derive_key_context="flowcore v1 checkpoint")
    hasher.update(len(operations.STATE).to_bytes(8, "little") + operations.STATE + (3).to_bytes(8, "little"))
    return content + hasher.update(content).digest()


if __name__ == "__main__":
    main(*sys.argv[1:])
