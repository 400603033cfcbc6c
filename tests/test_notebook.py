"""Claims about notebooks, each through a real kernel: draw, run, edit, rerun, fail, interrupt.

Cells note in a file that they ran, in whatever process that is.
"""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# What jupyter_client says of its own doings (loopback without encryption, sockets that it leaves) is not our affair.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ResourceWarning")

PATIENCE = 60  # seconds that a cell may take; only turns a hang into a failure
PRELUDE = """
    import os, time
    import flowcore as fc

    def draw(n):
        with fc.Flow("growth") as flow:
            flow.result = total(fc.gather(grow(fc.each(x=list(range(n))))))
        return flow
    """
TASKS = """
    @fc.compute
    def grow(x: int) -> int:
        open("ran", "a").write(f"grow {x}\\n")
        return x * 2

    @fc.compute
    def total(xs: list[int]) -> int:
        open("ran", "a").write("total\\n")
        return sum(xs)
    """
SLOW = """
    @fc.compute
    def grow(x: int) -> int:
        open("ran", "a").write(f"grow {x}\\n")
        print("growing", x, flush=True)
        while x >= 2 and not os.path.exists("go"):
            time.sleep(0.01)
        return x * 2

    @fc.compute
    def total(xs: list[int]) -> int:
        return sum(xs)
    """


class Client(NotebookClient):
    """Tells what cells print while they run."""

    heard = ""
    hearing: asyncio.Event

    def process_message(self, msg: dict[str, Any], cell: Any, cell_index: int) -> Any:
        """Take note of a message of the kernel."""
        if msg["msg_type"] == "stream":
            self.heard += msg["content"]["text"]
            self.hearing.set()
        return super().process_message(msg, cell, cell_index)

    async def hear(self, text: str) -> None:
        """Wait until a cell has printed this."""
        while text not in self.heard:
            self.hearing.clear()
            await asyncio.wait_for(self.hearing.wait(), PATIENCE)


class Notebook:
    """A notebook that is being worked on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.page = nbformat.v4.new_notebook()
        self.client = Client(
            self.page, timeout=PATIENCE, kernel_name="python3", resources={"metadata": {"path": str(path)}}
        )
        self.client.hearing = asyncio.Event()

    async def run(self, source: str) -> list[Any]:
        """Run a cell; give its outputs."""
        cell = nbformat.v4.new_code_cell(textwrap.dedent(source))
        self.page.cells.append(cell)
        await self.client.async_execute_cell(cell, len(self.page.cells) - 1)
        return list(cell.outputs)

    async def text(self, source: str) -> str:
        """Run a cell; give the text of its last output."""
        last = (await self.run(source))[-1]
        return str(last["text"] if last["output_type"] == "stream" else last["data"]["text/plain"])

    def ran(self) -> list[str]:
        """Give what ran since this was last asked."""
        file = self.path / "ran"
        lines = file.read_text().splitlines() if file.exists() else []
        file.unlink(missing_ok=True)
        return sorted(lines)


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Notebook]:
    """Start a kernel, and end it."""
    notebook = Notebook(path)
    async with notebook.client.async_setup_kernel(cwd=str(path)):
        await notebook.run(PRELUDE)
        yield notebook


def played(path: Path, scene: Callable[[Notebook], Awaitable[None]]) -> None:
    """Play a scene in a notebook."""

    async def play() -> None:
        async with opened(path) as notebook:
            await scene(notebook)

    asyncio.run(play())


def test_draw_run_and_look(tmp_path: Path) -> None:
    """A flow, its run and a grid show themselves as tables; progress is one output, replaced in place."""

    async def scene(notebook: Notebook) -> None:
        await notebook.run(TASKS)
        (drawn,) = await notebook.run("flow = draw(3); flow")
        progress, shown = await notebook.run("run = flow.run(progress=True); run")
        (grid,) = await notebook.run("run['grow']")

        assert "<Flow 'growth': 2 nodes>" == drawn["data"]["text/plain"]
        assert all("<table" in output["data"]["text/html"] for output in (drawn, progress, shown, grid))
        assert "<svg" in drawn["data"]["text/html"]
        assert ("display_data", "execute_result") == (progress["output_type"], shown["output_type"])
        assert progress["data"]["text/plain"].startswith("growth: done; 4 cells ran")
        assert "6" == await notebook.text("run[flow.result]")

    played(tmp_path, scene)


def test_an_edited_cell_reruns_what_follows_from_it(tmp_path: Path) -> None:
    """A new body re-runs that node, and what its new values reach; a new comment re-runs nothing."""

    async def scene(notebook: Notebook) -> None:
        again = "run = await draw(3).arun(); run['total']"
        await notebook.run(TASKS)
        assert "6" == await notebook.text(again)
        assert ["grow 0", "grow 1", "grow 2", "total"] == notebook.ran()

        await notebook.run(TASKS.replace("return x * 2", "# twice as much\n        return x * 2"))
        assert "6" == await notebook.text(again)
        assert [] == notebook.ran()

        await notebook.run(TASKS.replace("return x * 2", "return x + x"))
        assert "6" == await notebook.text(again)
        assert ["grow 0", "grow 1", "grow 2"] == notebook.ran()

        await notebook.run(TASKS.replace("return sum(xs)", "return -sum(xs)"))
        assert "-6" == await notebook.text(again)
        assert ["total"] == notebook.ran()

    played(tmp_path, scene)


def test_a_failure_shows_the_cell_and_the_users_line(tmp_path: Path) -> None:
    """The error of a notebook's cell is the report; the run goes on from there once it is mended."""

    async def scene(notebook: Notebook) -> None:
        await notebook.run(TASKS.replace("return x * 2", "return 2 // (x - 1)"))
        with pytest.raises(CellExecutionError) as caught:
            await notebook.run("draw(3).run()")
        assert "RunFailed" == caught.value.ename
        assert "grow[x=1]" in caught.value.evalue
        assert "return 2 // (x - 1)" in caught.value.evalue

        await notebook.run(TASKS)
        assert "6" == await notebook.text("draw(3).run()['total']")

    played(tmp_path, scene)


@pytest.mark.contract("P12")
@pytest.mark.parametrize("call", ["flow.run(workers=1)", "await flow.arun(workers=1)"])
def test_an_interrupt_stops_the_run_and_the_next_cell_goes_on(tmp_path: Path, call: str) -> None:
    """Interrupting the kernel ends the run with it; running again computes only what is missing."""

    async def scene(notebook: Notebook) -> None:
        await notebook.run(SLOW)
        running = asyncio.create_task(notebook.run(f"flow = draw(4); run = {call}"))
        await notebook.client.hear("growing 2")
        await notebook.client.km.interrupt_kernel()
        with pytest.raises(CellExecutionError) as caught:
            await running
        assert caught.value.ename in {"KeyboardInterrupt", "CancelledError"}
        notebook.ran()

        (tmp_path / "go").touch()
        assert "12" == await notebook.text(f"run = {call}; run['total']")
        assert ["grow 2", "grow 3"] == notebook.ran()

    played(tmp_path, scene)
