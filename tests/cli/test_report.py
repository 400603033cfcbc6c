"""Claims about ``flowcore report`` and ``flowcore export``, through a real process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowcore.cli.export import FORMATS
from tests.cli.conftest import Terminal


@pytest.fixture
def ran(flowcore: Terminal) -> Terminal:
    """Give a folder in which a run has been."""
    flowcore.write(
        "waves.py", "import flowcore as fc\nwith fc.Flow('waves') as flow:\n    flow.add(abs, -3, name='three')\n"
    )
    assert 0 == flowcore("run", "waves.py", "--executor", "inline", "--quiet").code
    return flowcore


def test_report_writes_a_page_and_says_where(ran: Terminal) -> None:
    """As text and as JSON; without a name the page is called after the run."""
    told, named = ran("report", "last", "--json"), ran("report", "last", "-o", "waves.html")

    facts = json.loads(told.out)
    assert (0, 0) == (told.code, named.code)
    assert {"schema", "run", "path"} == facts.keys()
    assert f"{facts['run']}.html" == Path(facts["path"]).name
    assert f"{facts['run']} is in {ran.folder / 'waves.html'}\n" == named.out
    assert Path(facts["path"]).read_text().startswith("<!DOCTYPE html>")
    assert "<title>waves" in (ran.folder / "waves.html").read_text()


@pytest.mark.parametrize("form", FORMATS)
def test_export_writes_each_format(ran: Terminal, form: str) -> None:
    """As text and as JSON, what is written is there and is JSON."""
    told, named = (
        ran("export", "last", "--format", form, "--json"),
        ran("export", "last", "--format", form, "-o", "out"),
    )

    facts = json.loads(told.out)
    assert (0, 0) == (told.code, named.code)
    assert {"schema", "run", "format", "path"} == facts.keys()
    assert facts["path"].endswith(FORMATS[form])
    assert named.out.endswith(f" is in {ran.folder / 'out'}\n")
    files = sorted(path for path in [ran.folder / "out", *(ran.folder / "out").glob("*")] if path.is_file())
    assert files
    assert all(json.loads(path.read_text()) for path in files)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["report", "2001"], "2001"),
        (["report", "last", "-o", "no/such/folder/x.html"], "cannot be written: No such file or directory"),
        (["export", "last"], "--format"),
        (["export", "last", "--format", "chrom"], "Did you mean 'chrome'?"),
    ],
)
def test_what_cannot_be_written_is_2(ran: Terminal, arguments: list[str], said: str) -> None:
    """An unknown run, a folder that is not there, a format that is none: told in a sentence."""
    told = ran(*arguments)

    assert (2, "") == (told.code, told.out)
    assert said in told.err
