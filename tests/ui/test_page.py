"""Claims about the page of ``flowcore ui``, in a real browser that looks at a real run of another process."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.browsing import Browser, browsing
from tests.cli.conftest import ENVIRON

FLOW = """
from pathlib import Path
import flowcore as fc

HERE = Path(__file__).parent

@fc.compute
def quick(i: int) -> int:
    print("<b>quick</b>", i)
    return i

@fc.compute(ignore=("global:HERE",))
def gate(i: int) -> str:
    said = (HERE / f"gate{i}").read_text()
    if i == 2:
        raise ValueError("<script>document.title = 'bad'</script>")
    return said

@fc.flow(name="<i>gated</i>")
def gated():
    return gate(quick(fc.each(i=[0, 1, 2])))
"""


SMALL = """
import flowcore as fc
with fc.Flow("{name}") as flow:
    flow.add(sum, [1, 2], name="s")
"""


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Give a browser."""
    with browsing() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with a flow whose cells wait until they are let through."""
    (tmp_path / "gated.py").write_text(FLOW)
    for i in range(3):
        os.mkfifo(tmp_path / f"gate{i}")
    return tmp_path


def typed(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Type a command, and do not wait for it."""
    return subprocess.Popen(
        [sys.executable, "-m", "flowcore", *arguments], cwd=folder, env=ENVIRON, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    """Give the address of the page; its server has ended afterwards, by Ctrl-C and with 0."""
    server = typed(folder, "ui", "--json")
    assert server.stdout is not None
    yield json.loads(server.stdout.readline())["address"]
    server.send_signal(signal.SIGINT)
    server.communicate(timeout=60)
    assert 0 == server.returncode


@pytest.mark.contract("S6")
def test_a_run_is_seen_as_it_goes_on(chromium: Browser, folder: Path, address: str) -> None:
    """It appears when it begins, advances, shows its failure and its end; what it says is text and never markup."""
    with chromium.visit(address) as seen:
        seen.page.get_by_text("There are no runs yet").wait_for()
        run = typed(folder, "run", "gated.py", "-q", "-w", "1", "--on-error", "continue")
        (folder / "gate0").write_text("through")
        seen.page.locator("tr", has_text="gate").get_by_text("1 of 3").wait_for()
        seen.page.get_by_text("<b>quick</b> 2").wait_for()
        seen.keep("live-running")
        (folder / "gate1").write_text("through")
        (folder / "gate2").write_text("through")
        seen.page.locator("#state", has_text="failed").wait_for()
        seen.page.locator("#failures").get_by_text("gate[i=2]").wait_for()
        seen.keep("live-failed")
        while not seen.page.evaluate("document.getElementById('picture').naturalWidth > 50"):
            seen.page.wait_for_timeout(20)  # the page lets nothing be evaluated in it that would wait there
        title, markup = seen.page.title(), seen.page.locator("main i.gated, main b b, main script").count()
        asked = {re.sub(r"^http://127\.0\.0\.1:\d+/[^/]+/", "", url).partition("?")[0] for url in seen.requests}

        assert ("failed · <i>gated</i>", 0) == (title, markup)
        assert all(url.startswith((address, "data:")) for url in seen.requests)
        assert {"", "live.css", "live.js", "runs"} <= asked
    _, told = run.communicate(timeout=60)
    assert (1, True) == (run.returncode, "gate[i=2]" in told)


def test_a_run_that_is_over_is_chosen(chromium: Browser, folder: Path, address: str) -> None:
    """Of two runs the newest is shown, another one by a click; its report opens, in the dark as well."""
    for name in ("sums", "more"):
        (folder / f"{name}.py").write_text(SMALL.format(name=name))
        run = typed(folder, "run", f"{name}.py", "-q")
        run.communicate(timeout=60)
        assert 0 == run.returncode
    with chromium.visit(address, dark=True) as seen:
        seen.page.locator("#flow", has_text="more").wait_for()
        seen.page.get_by_role("button", name=re.compile("sums")).click()
        seen.page.locator("#flow", has_text="sums").wait_for()
        seen.keep("live-dark")
        with seen.page.context.expect_page() as opened:
            seen.page.get_by_text("report", exact=True).click()
        opened.value.get_by_text("sums").first.wait_for()

        assert "sums" in opened.value.title()


@pytest.mark.contract("S9")
def test_the_token_is_nowhere_else(folder: Path) -> None:
    """Neither in the environment nor in the arguments of its process, which others can read; nor in the store."""
    server = typed(folder, "ui", "--json")
    assert server.stdout is not None
    token = json.loads(server.stdout.readline())["address"].split("/")[-2].encode()
    told = b"".join(Path(f"/proc/{server.pid}/{name}").read_bytes() for name in ("environ", "cmdline"))
    server.send_signal(signal.SIGINT)
    _, printed = server.communicate(timeout=60)

    assert len(token) >= 32
    assert token not in told + printed.encode()
    assert [] == [path for path in folder.rglob("*") if path.is_file() and token in path.read_bytes()]
