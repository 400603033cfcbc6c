"""Claims about where a store may lie, and what may become of it while a run goes on (contract F38, P8)."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flowcore as fc
from flowcore.cli import main
from flowcore.store.directory import open_store
from flowcore.store.verify import verify

CELLS = 4
NAMES = {
    "newline": "a\nb", "bytes": os.fsdecode(b"\xff\xfe"), "escape": "\x1b[31m", "pattern": "*?[x]%s{0}",
    "quotes": "'\"$(touch x)`", "long": "/".join(["d" * 200] * 19),
}  # fmt: skip


def field(n: int) -> Any:
    """Give an array that lies in a file of its own."""
    return np.full(9000, float(n))


def mean(values: Any, after: int) -> float:
    """Give the mean."""
    return float(values.mean()) + after


def moved(store: str, how: str) -> int:
    """Take a store from under its run."""
    place, away, other = Path(store), Path(store).with_name("away"), Path(store).with_name("other")
    if how:
        place.rename(away)
    match how:
        case "another":
            other.rename(place)
        case "a file":
            place.write_text("mine")
        case "a link":
            place.symlink_to(other)
        case "nowhere":
            place.symlink_to("/nowhere/at/all")
    return 0


def drawn(store: Path, how: str) -> fc.Flow:
    """Draw means that are taken after something happened to the store."""
    flow = fc.Flow("places")
    fields = flow.add(field, fc.each(n=range(CELLS)))
    happens = flow.add(fc.io(moved), str(store), how, after=[fields])
    flow.result = flow.add(mean, fields, happens, name="means")
    return flow


def ran(flow: fc.Flow, store: Path) -> tuple[list[float], int, int]:
    """Run; give the values, how many of them were there, and how many warnings came."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = flow.run(store=store, executor="thread", progress=False)
    return list(run["means"].array()), run.counts("means").hit, len(told)


@pytest.mark.contract("P8", "S6")
@pytest.mark.parametrize("name", NAMES)
def test_a_store_may_have_any_name(name: str, tmp_path: Path) -> None:
    """Whatever a path may hold, also behind a link, and nearly as long as one may be: all is kept, and found again."""
    place = tmp_path / NAMES[name]
    link = tmp_path / "link"
    place.mkdir(parents=True)
    link.symlink_to(place)
    found = [ran(drawn(store, ""), store) for store in (place / "store", link / "store")]

    assert [([0.0, 1.0, 2.0, 3.0], hits, 0) for hits in (0, CELLS)] == found
    assert not verify(open_store(place / "store")).flaws


@pytest.mark.contract("F38", "P8")
@pytest.mark.parametrize("how", ["moved", "another", "a file", "a link", "nowhere"])
def test_a_store_that_is_moved_or_replaced_in_mid_run(how: str, tmp_path: Path) -> None:
    """Values are right, there is at most one warning, what was put in its place is whole, and the next run is right."""
    store, other = tmp_path / "store", tmp_path / "other"
    expected = ran(drawn(other, ""), other)[0]
    before = {path: path.read_bytes() for path in other.rglob("*.npy")}
    first, hits, told = ran(drawn(store, how), store)
    again, _, _ = ran(drawn(store, ""), store)
    real = store if how == "another" else other

    assert expected == first == again
    assert (0, True) == (hits, told <= 1)
    assert before.items() <= {other / path.relative_to(real): path.read_bytes() for path in real.rglob("*.npy")}.items()
    assert not verify(open_store(real)).flaws


@pytest.mark.contract("S6")
def test_no_name_of_a_store_steers_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by an escape sequence, nor by a line that looks like one of ours, in what is told and shown."""
    store = tmp_path / "a\x1b[2J\nrm -rf ~\u202e"
    store.mkdir()
    (store / "v1").touch()
    monkeypatch.setenv("FLOWCORE_STORE", str(store))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        drawn(store, "").run(store=store, executor="inline", progress=False)
    error = fc.StoreUnavailable(store=str(store), reason=f"{store} is full")
    verbs = [typed(*verb) for verb in (["runs"], ["cache", "du"], ["cache", "verify"], ["doctor"], ["show", "last"])]
    texts = [*(str(one.message) for one in told), str(error), *verbs]

    assert 7 == len(texts)
    for text in texts:
        assert not set(text) & set("\x1b\u202e"), text
        assert not [line for line in text.splitlines() if line.lstrip().startswith("rm -rf")], text


def typed(*arguments: str) -> str:
    """Give what a verb prints, and what it says of trouble."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as said:
        main(list(arguments))
    return out.getvalue() + said.getvalue()
