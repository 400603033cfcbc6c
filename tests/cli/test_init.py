"""Claims about ``flowcore init``: what it writes runs, and what is there stays."""

from __future__ import annotations

from flowcore.cli.init import FILES
from tests.cli.conftest import Terminal


def test_what_it_writes_runs(flowcore: Terminal) -> None:
    """As it stands, and its tests pass; a second rate runs alone."""
    written = flowcore("init", "heat")
    flowcore.folder /= "heat"  # type: ignore[misc]
    ran = flowcore("run", "pipeline.py", "--size", "16", "-q")
    more = flowcore("run", "pipeline.py", "--size", "16", "--rates", "0.05,0.1,0.2,0.24", "-q")
    tests = flowcore.python("-m", "pytest", "-q", "-p", "no:cacheprovider")

    assert [0, 0, 0] == [written.code, ran.code, more.code]
    assert sorted(FILES) == sorted(path.name for path in flowcore.folder.iterdir() if path.name in FILES)
    assert "cd heat && flowcore run pipeline.py" in written.out
    assert "1 ran, 3 from the store" in next(line for line in more.out.splitlines() if "spread" in line)
    assert (0, True) == (tests.code, "3 passed" in tests.out)


def test_nothing_is_written_over(flowcore: Terminal) -> None:
    """One file that is there is enough for none to be written."""
    flowcore.write("README.md", "mine")
    told = flowcore("init")

    assert (2, ["README.md"]) == (told.code, [path.name for path in flowcore.folder.iterdir()])
    assert "has a README.md already. Nothing was written" in told.err


def test_it_is_told_to_programs(flowcore: Terminal) -> None:
    """Where, and what."""
    told = flowcore("init", "--json").json

    assert (str(flowcore.folder), list(FILES)) == (told["folder"], told["files"])
