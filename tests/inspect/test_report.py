"""Claims about the report of a run: what is on the page, what never is, and how it behaves in a real browser."""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import sys
import threading
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import flowcore as fc
from flowcore.history import RecordedRun
from flowcore.inspect.report.page import json_block
from flowcore.inspect.report.thumbnails import thumbnail
from flowcore.store.frames import FRAME_MAGIC, FRAME_SIZE
from tests.browsing import Browser, browsing
from tests.inspect import nasty
from tests.inspect.recordings.made import Ran, Recording, node, recorded


def wave(size: int, rate: float) -> np.ndarray[Any, Any]:
    """Give an array of two dimensions."""
    return np.outer(np.sin(np.arange(size) * rate), np.cos(np.arange(size)))


def profile(field: np.ndarray[Any, Any], rate: float) -> np.ndarray[Any, Any]:
    """Give one of one dimension; fail for the largest rate."""
    sys.stdout.write(f"rate {rate}\n")
    if rate > 0.4:
        raise FloatingPointError(f"unstable at {rate}")
    return field.mean(axis=0) * rate


def facts_on(page: str | Path) -> dict[str, Any]:
    """Give what a page tells, as its script reads it."""
    text = Path(page).read_text("utf-8")
    found: dict[str, Any] = json.loads(
        text.split('<script id="data" type="application/json">')[1].split("</script>")[0]
    )
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the report of a run in which some cells fail."""
    folder = tmp_path_factory.mktemp("report")
    with fc.Flow("study of waves") as flow:
        field = flow.add(wave, 40, 0.1, kind="compute", name="wave")
        rows = flow.add(profile, field, fc.each(rate=[0.1, 0.2, 0.5]), kind="compute", name="profile")
        flow.add(len, fc.gather(rows), kind="compute", name="count")
    run = flow.start(store=folder / "store", workers=2, on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    return Path(run.report(folder / "run.html"))


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give a browser."""
    with browsing() as browser:
        yield browser


def opened(chromium: Browser, page: Path, *, dark: bool = False) -> Any:
    """Open a report."""
    return chromium.visit(page.as_uri(), dark=dark)


def ready(seen: Any) -> Any:
    """Wait until the page's script has been through."""
    seen.page.wait_for_selector("body[data-ready=yes]")
    return seen.page


# ---- in a browser --------------------------------------------------------------------


def test_page_opens_from_disk_and_loads_nothing(chromium: Browser, report: Path) -> None:
    """Opened as a file it shows the run, asks for nothing else, and complains of nothing."""
    with opened(chromium, report) as seen:
        page = ready(seen)
        seen.keep("report-top")

        assert "study of waves" == page.locator("h1").inner_text()
        assert "failed" == page.locator("[data-status]").get_attribute("data-status")
        assert [report.as_uri()] == [url for url in seen.requests if not url.startswith("data:")]


def test_a_failure_is_seen_first(chromium: Browser, report: Path) -> None:
    """What failed stands above all else, with its message, arguments, traceback and what it printed."""
    with opened(chromium, report) as seen:
        card = ready(seen).locator("#failures .failure").first

        assert card.bounding_box()["y"] < 300
        told = card.inner_text()
        assert "profile[rate=0.5]" in told
        assert "FloatingPointError: unstable at 0.5" in told
        assert "float64 (40, 40)" in told
        assert "line" in card.locator("pre").first.inner_text()


def test_search_finds_and_shows_a_node(chromium: Browser, report: Path) -> None:
    """Some letters of a name give a list; Enter shows the first of it, with its reason and pictures of its values."""
    with opened(chromium, report) as seen:
        page = ready(seen)
        page.locator("#search").fill("wav")
        page.locator("#found li").first.wait_for()
        page.keyboard.press("Enter")

        assert "wave" == page.locator("#panel-title").inner_text()
        assert "no earlier run" in page.locator("#panel").inner_text()
        assert page.locator("#panel img").first.evaluate("image => image.complete && image.naturalWidth") > 0
        seen.keep("report-node")


def test_a_click_on_a_node_shows_it(chromium: Browser, report: Path) -> None:
    """A node of the picture tells what it was given, and leads to the node that gave it."""
    with opened(chromium, report) as seen:
        page = ready(seen)
        page.locator('.fc-node[data-node="profile"]').click()

        assert "profile" == page.locator("#panel-title").inner_text()
        page.locator("#panel .facts .link", has_text="wave").click()
        assert "wave" == page.locator("#panel-title").inner_text()


def test_graph_is_zoomed_and_moved(chromium: Browser, report: Path) -> None:
    """Buttons zoom the picture, dragging moves it, and all of it comes back."""
    with opened(chromium, report) as seen:
        page = ready(seen)
        svg = page.locator("#picture > svg")
        whole = svg.get_attribute("viewBox")
        page.locator("#graph-in").click()
        zoomed = svg.get_attribute("viewBox")
        box = page.locator("#picture").bounding_box()
        page.mouse.move(box["x"] + 20, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + 90, box["y"] + 60, steps=4)
        page.mouse.up()
        moved = svg.get_attribute("viewBox")
        page.locator("#graph-fit").click()

        assert float(zoomed.split()[2]) < float(whole.split()[2])
        assert zoomed.split()[:2] != moved.split()[:2]
        assert list(map(float, whole.split())) == list(map(float, svg.get_attribute("viewBox").split()))


def test_timeline_is_zoomed_and_a_cell_of_it_shown(chromium: Browser, report: Path) -> None:
    """Zooming halves the window; a click on a bar shows the cell that lies there."""
    with opened(chromium, report) as seen:
        page = ready(seen)
        lanes = page.locator("#lanes")
        before = float(lanes.get_attribute("data-to")) - float(lanes.get_attribute("data-from"))
        page.locator("#time-in").click()
        after = float(lanes.get_attribute("data-to")) - float(lanes.get_attribute("data-from"))
        seen.keep("report-timeline")
        page.locator("#time-fit").click()
        last = facts_on(report)["timeline"]["columns"]
        begins = struct.unpack(f"<{len(b64decode(last['begins'])) // 4}f", b64decode(last["begins"]))
        box, whole = lanes.bounding_box(), float(lanes.get_attribute("data-to"))
        lane = b64decode(last["lane"])[0]
        page.mouse.click(box["x"] + 92 + (box["width"] - 100) * begins[0] / whole + 1, box["y"] + 24 + 20 * lane + 10)

        assert pytest.approx(before / 2, rel=0.02) == after
        assert "ran" in page.locator("#panel").inner_text()


def test_report_in_the_dark(chromium: Browser, report: Path) -> None:
    """Who likes it dark has light ink on dark paper."""
    with opened(chromium, report, dark=True) as seen:
        page = ready(seen)
        paper, ink = page.evaluate(
            "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
        )
        seen.keep("report-dark")

        assert max(map(int, re.findall(r"\d+", paper)[:3])) < 64
        assert min(map(int, re.findall(r"\d+", ink)[:3])) > 192


@pytest.mark.contract("S6")
def test_nothing_that_is_named_becomes_markup(chromium: Browser, tmp_path: Path) -> None:
    """Names, labels, messages and prints with HTML, newlines, right-to-left text and 10,000 characters are text."""
    with fc.Flow(nasty.HOSTILE[0]) as flow:
        for word in nasty.HOSTILE:
            flow.add(nasty.same, fc.each(word=[word, "plain"]), kind="compute", name=word[:300])
        flow.add(nasty.words, fc.each(word=list(nasty.HOSTILE[:2])), kind="compute", name="raises")
    run = flow.start(store=tmp_path / "store", executor="thread", on_error="continue", progress=False)
    with pytest.raises(fc.RunFailed):
        run.wait()
    page_path = Path(run.report(tmp_path / "nasty.html"))
    with opened(chromium, page_path) as seen:
        page = ready(seen)
        for box in page.locator(".fc-node").all():
            box.click()
        page.locator("#search").fill("<img")
        seen.keep("report-nasty")

        assert page.evaluate("window.hacked") is None
        assert 0 == page.locator("img[src=x]").count()
        assert 2 == page.locator("script").count()
        assert nasty.HOSTILE[0] == page.locator("h1").inner_text()
        assert page.evaluate("document.documentElement.scrollWidth") <= 1400


# ---- what is on the page -------------------------------------------------------------


def test_page_lets_only_its_own_script_run(report: Path) -> None:
    """The policy names the digest of the one script there is, and no source for anything else."""
    text = report.read_text("utf-8")
    script = text.rpartition("<script>")[2].partition("</script>")[0]
    digest = b64encode(sha256(script.encode()).digest()).decode()

    assert f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in text
    assert [] == re.findall(r"(?:src|href)=[\"']?(?!data:)\w+:", text)


_scalars = st.text() | st.none() | st.integers()


@given(st.recursive(_scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_facts_never_end_their_element(value: object) -> None:
    """Whatever is in it, the block of facts holds no character of markup, and reads back as it was."""
    block = json_block(value)

    assert not set("<>&") & set(block)
    assert value == json.loads(block)


def _many(cells: int) -> Recording:
    ran: list[Ran] = [(i, i * 1e-3, 0.9e-3, 1 + i % 4) for i in range(cells)]
    labels = [f"station {i}" for i in range(cells // 10)]
    return Recording(
        axes=[("station", labels), ("rate", list(range(10)))], nodes=[node("work", 0, 1)], ran={0: ran}, workers=4,
        seconds=cells * 1e-3,
    )  # fmt: skip


def test_ten_thousand_cells_fit_in_a_megabyte(tmp_path: Path) -> None:
    """Each of ten thousand cells is on the timeline, and the page is smaller than a megabyte."""
    page = Path(recorded(tmp_path, _many(10_000)).report(tmp_path / "run.html"))

    assert page.stat().st_size < 1_000_000
    assert 40_000 == len(b64decode(facts_on(page)["timeline"]["columns"]["begins"]))


def test_a_report_of_very_many_cells_is_summed_up_and_says_so(tmp_path: Path) -> None:
    """Beyond what can be drawn, the timeline has shares of moments, and a note above tells it."""
    page = Path(recorded(tmp_path, _many(40_000)).report(tmp_path / "run.html"))
    facts = facts_on(page)

    assert page.stat().st_size < 1_000_000
    assert "columns" not in facts["timeline"]
    assert any("too many to be drawn" in note for note in facts["notes"])
    shares = np.frombuffer(b64decode(facts["timeline"]["shares"]), np.uint8).reshape(4, -1)
    assert pytest.approx(0.9 / 4, abs=0.01) == (shares / 255).mean()


@pytest.mark.slow
def test_a_report_of_a_million_cells(tmp_path: Path) -> None:
    """A million cells are read and summed up; the page is no larger for it."""
    page = Path(recorded(tmp_path, _many(1_000_000)).report(tmp_path / "run.html"))

    assert page.stat().st_size < 1_000_000
    assert 1_000_000 == facts_on(page)["run"]["cells"]


def test_arrays_that_are_gone_are_told(tmp_path: Path) -> None:
    """Of a run whose store has lost its arrays the report says so, and has all the rest."""
    with fc.Flow("gone") as flow:
        flow.add(wave, 80, fc.each(rate=[0.1, 0.2]), kind="compute", name="wave")
    run = flow.run(store=tmp_path / "store", executor="inline", progress=False)
    there = facts_on(run.report(tmp_path / "one.html"))
    shutil.rmtree(tmp_path / "store" / "v1" / "arrays")

    gone = facts_on(fc.open_run(run.id, tmp_path / "store").report(tmp_path / "two.html"))

    assert [True, True] == ["picture" in cell for cell in there["nodes"][0]["cells"]]
    assert [True, True] == [cell.get("gone") for cell in gone["nodes"][0]["cells"]]
    assert any("not in the store any more" in note for note in gone["notes"])


def test_a_store_that_moved_is_read_where_it_is(tmp_path: Path) -> None:
    """A store moved as a whole has its reports: nothing in it knows where it was."""
    with fc.Flow("moved") as flow:
        flow.add(wave, 80, 0.1, kind="compute", name="wave")
    run = flow.run(store=tmp_path / "store", executor="inline", progress=False)
    shutil.move(tmp_path / "store", tmp_path / "elsewhere")

    facts = facts_on(fc.open_run(run.id, tmp_path / "elsewhere").report(tmp_path / "run.html"))

    assert "picture" in facts["nodes"][0]["cells"][0]


def test_a_journal_cut_anywhere_has_a_report(tmp_path: Path) -> None:
    """At whatever byte a journal ends, what can be read of it makes a page."""
    with fc.Flow("cut") as flow:
        rows = flow.add(wave, 4, fc.each(rate=[0.1, 0.2]), kind="compute", name="wave")
        flow.add(len, fc.gather(rows), kind="compute", name="count")
    run = flow.run(store=tmp_path / "store", executor="inline", progress=False)
    copy = shutil.copytree(tmp_path / "store", tmp_path / "copy")  # whose lock nobody holds
    journal = copy / "v1" / "journals" / f"{run.id}.journal"
    whole = journal.read_bytes()
    pages = []
    for length in range(64, len(whole), max(1, len(whole) // 40)):
        journal.write_bytes(whole[:length])
        os.utime(journal, (0, 0))  # as if it had been killed long ago
        pages.append(facts_on(fc.open_run(run.id, copy).report(tmp_path / "run.html")))

    assert "The run has no end in its journal: it was killed. What it had written down is here." in pages[-1]["notes"]
    assert sorted(len(page["nodes"]) for page in pages) == [len(page["nodes"]) for page in pages]


def test_a_journal_damaged_anywhere_has_a_report(tmp_path: Path) -> None:
    """Whichever frame of a journal cannot be read, the rest makes a page, which says so, and the other formats.

    The end of the run is its last frame: without it, that is what the page says.
    """
    with fc.Flow("damaged") as flow:
        found = flow.add(list, (3, 4), kind="compute", name="found")
        rows = flow.add(wave, fc.each(size=found), 0.1, kind="compute", name="wave")
        flow.add(len, fc.gather(rows), kind="compute", name="count")
    run = flow.run(store=tmp_path / "store", executor="inline", progress=False)
    copy = shutil.copytree(tmp_path / "store", tmp_path / "copy")
    journal = copy / "v1" / "journals" / f"{run.id}.journal"
    whole = journal.read_bytes()
    last = whole.rindex(FRAME_MAGIC)
    places = [*range(100, last, len(whole) // 40), last + 1, last + FRAME_SIZE, len(whole) - 1]
    notes = []
    for at in places:
        journal.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        damaged = fc.open_run(run.id, copy)
        notes.append(facts_on(damaged.report(tmp_path / "run.html"))["notes"])
        damaged.export(tmp_path / "trace", format="chrome")
        damaged.export(tmp_path / "crate", format="rocrate")

    lost = [
        "The run has no end in its journal" if at > last else "bytes of the journal cannot be read" for at in places
    ]
    assert [] == [(at, told) for at, word, told in zip(places, lost, notes, strict=True) if word not in " ".join(told)]


def test_words_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    """Records of kinds, and facts, that this version does not know leave the page as it is."""
    run = recorded(tmp_path, Recording(nodes=[node("a", novelty={"x": 1})], ran={0: [(0, 0.0, 1.0, 1)]}, seconds=None))
    store = run._recorded.store.begin()
    store.cache._note(["novelty", 3, b"x"])
    store.cache.run({"flow": 3, "began": "later", "workers": "many", "machine": ["x"]})
    store.cache.node(0, {"name": "a", "limit": "none", "from": 7})
    store.close("done")
    store.release()

    facts = facts_on(fc.open_run(store.id, tmp_path).report(tmp_path / "run.html"))

    assert ("", "done") == (facts["run"]["flow"], facts["run"]["status"])


def test_a_run_that_goes_on_has_a_report(tmp_path: Path) -> None:
    """While cells run, the page tells what has ended, and that the run goes on."""
    go = threading.Event()
    with fc.Flow("goes on") as flow:
        first = flow.add(len, [1, 2], kind="compute", name="first")
        flow.add(lambda n: go.wait(60) and n, first, kind="io", name="waits")
    run = flow.start(store=tmp_path / "store", executor="thread", progress=False)
    try:
        while not run.counts("first").done:
            run.wait(0.01)
        facts = facts_on(fc.open_run(run.id, tmp_path / "store").report(tmp_path / "run.html"))
    finally:
        go.set()
        run.wait()

    assert any("was going on" in note for note in facts["notes"])


def test_an_edit_is_told_as_the_reason(tmp_path: Path) -> None:
    """A second run of the flow says of each node what changed since the first, or that the store answered."""
    runs = []
    for factor in (2, 3):
        with fc.Flow("edited") as flow:
            base = flow.add(abs, -4, kind="compute", name="base")
            flow.add(pow, base, factor, kind="compute", name="power")
        runs.append(flow.run(store=tmp_path / "store", executor="inline", progress=False))

    told = {one["name"]: one["reason"] for one in facts_on(runs[-1].report(tmp_path / "run.html"))["nodes"]}

    assert told["base"].startswith("answered by the store")
    assert told["power"].startswith(f"since run {runs[0].id}: ")
    assert "2 -> 3" in told["power"]


# ---- pictures of arrays --------------------------------------------------------------

_kinds = arrays.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufcSUmM")


@given(arrays.arrays(_kinds, arrays.array_shapes(max_dims=4, max_side=9)))
def test_any_array_has_a_small_picture_or_none(array: np.ndarray[Any, Any]) -> None:
    """Whatever is in it, an array gives an image that can be read, or nothing."""
    with np.errstate(all="ignore"):
        picture = thumbnail(array)

    if picture.startswith("data:image/png"):
        assert _size_of(b64decode(picture.partition(",")[2])) <= (96, 96)
    else:
        assert picture == "" or picture.startswith("data:image/svg+xml;base64,")
    assert len(picture) < 40_000


def test_a_large_array_has_a_small_picture() -> None:
    """Of a thousand rows and columns every eleventh is drawn."""
    picture = b64decode(thumbnail(np.arange(1_000_000.0).reshape(1000, 1000)).partition(",")[2])

    assert (91, 91) == _size_of(picture)


def _size_of(png: bytes) -> tuple[int, int]:
    """Read an image whole, check sums included, and give its width and height."""
    at, parts = 8, []
    while at < len(png):
        (length,), kind = struct.unpack(">I", png[at : at + 4]), png[at + 4 : at + 8]
        data, (check,) = png[at + 8 : at + 8 + length], struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + data)
        parts.append(data)
        at += 12 + length
    width, height = struct.unpack(">II", parts[0][:8])
    assert len(zlib.decompress(parts[1])) == height * (1 + 3 * width)
    return width, height


def test_report_of_a_recorded_run_is_that_of_the_run(tmp_path: Path) -> None:
    """From another process the page tells what it tells to who holds the run."""
    with fc.Flow("two") as flow:
        flow.add(wave, 8, 0.1, kind="compute", name="wave")
    run = flow.run(store=tmp_path / "store", executor="inline", progress=False)

    one, two = (facts_on(each.report(tmp_path / "run.html")) for each in (run, _again(run.id, tmp_path / "store")))

    assert one["nodes"] == two["nodes"]
    assert one["timeline"]["columns"] == two["timeline"]["columns"]


def _again(run: str, store: Path) -> RecordedRun:
    return fc.open_run(run, store)
