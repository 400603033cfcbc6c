"""Runs as damaged journals tell them: whatever looks at a run later or from elsewhere shows what it can.

An input is the list of a journal's payloads, sealed again. Who looks is one of the readers
below, and all that a run says of itself; a refusal is a FlowcoreError or, of an export of
nothing, a ValueError.
"""

from __future__ import annotations

import functools
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgpack

from flowcore import clock
from flowcore.errors import FlowcoreError
from flowcore.history import RecordedRun, open_run
from flowcore.inspect.recordings.following import Following
from flowcore.inspect.recordings.recorded import Recorded
from flowcore.progress.tally import Tally
from flowcore.store.frames import pack_header, seal
from flowcore.store.fs import DISK
from tests.fuzz import stores
from tests.fuzz.reader import Mistake

_SALT: Final = b"s" * 16


@functools.cache
def stories() -> list[bytes]:
    """Give the journals of both runs as lists of payloads."""
    store, _ = stores.a_store()
    stores.payloads()  # before a journal is written over
    paths = sorted(Path(store.layout.v1).glob("journals/*.journal"))
    return [msgpack.packb(stores.frames_of(str(path))) for path in paths]


def read(data: bytes) -> str:
    """Put a journal in place of a run's, and look at the run in every way there is."""
    store, run_id = stores.a_store()
    stories()
    try:
        payloads = msgpack.unpackb(data)
    except (ValueError, TypeError):
        return "no input"
    if not isinstance(payloads, list) or not all(isinstance(one, bytes) for one in payloads):
        return "no input"
    content = bytearray(pack_header(_SALT, DISK.boot()))
    for payload in payloads:
        content += seal(_SALT, len(content), payload)
    Path(store.layout.journal(run_id)).write_bytes(content)
    lookers = (_follow, _cells, _summary, _report, _chrome, _wfformat, _crate, _values, _tables)
    some = (lookers[0], lookers[1 + zlib.crc32(data) % (len(lookers) - 1)])
    return " ".join([_look(looker, run_id) for looker in some])


def _look(looker: Callable[[str], str], run_id: str) -> str:
    try:
        return looker(run_id)
    except FlowcoreError as refusal:
        str(refusal)
        return f"{looker.__name__} {type(refusal).__name__}"


def _run(run_id: str) -> RecordedRun:
    return open_run(run_id, stores.a_store()[0])


def _follow(run_id: str) -> str:
    following = Following(Recorded(stores.a_store()[0], run_id))
    tally, kinds = Tally(), set()
    for _ in range(2):
        for event in following.more():
            kinds.add(type(event).__name__)
            if type(event).__name__ != "Printed":
                tally.take(event, clock.monotonic())
    tally.board(clock.monotonic())
    return f"{len(kinds)} kinds of events"


def _summary(run_id: str) -> str:
    run = _run(run_id)
    if not isinstance(run.summary(), str) or not isinstance(repr(run), str):
        raise Mistake("a summary of another form")
    run.flow, run.status, run.began, run.seconds, run.settings, run.origin, run.loops()
    for failed in run.failures:
        str(failed)
    return run.status[:20]


def _cells(run_id: str) -> str:
    run, count = _run(run_id), 0
    for node in run.nodes[:9]:
        run.counts(node.name)
        for cell in run.cells(node.name)[:9]:
            run.cell(cell.cell), run.output(cell.cell)
            count += 1
    return f"{min(count, 9)} cells"


def _values(run_id: str) -> str:
    run, count = _run(run_id), 0
    for node in run.nodes[:9]:
        try:
            value = run[node.name]
        except FlowcoreError:
            continue
        count += 1
        repr(value)
    return f"{count} values"


def _tables(run_id: str) -> str:
    run = _run(run_id)
    return f"{len(run.info.flow) > 0}"


def _report(run_id: str) -> str:
    _run(run_id).report(str(stores.folder() / "report.html"))
    return "report"


def _chrome(run_id: str) -> str:
    return _export(run_id, "chrome", "out.json")


def _wfformat(run_id: str) -> str:
    return _export(run_id, "wfformat", "out.json")


def _crate(run_id: str) -> str:
    shutil.rmtree(stores.folder() / "out.crate", ignore_errors=True)
    return _export(run_id, "rocrate", "out.crate")


def _export(run_id: str, form: str, name: str) -> str:
    try:
        _run(run_id).export(str(stores.folder() / name), format=form)  # type: ignore[arg-type]
    except ValueError:
        return "nothing to export"
    return form
