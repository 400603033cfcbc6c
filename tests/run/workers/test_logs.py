"""Claims about run/workers/logs.py and progress/logs.py: what is logged is shown, wherever it is logged."""

from __future__ import annotations

import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowcore as fc
from flowcore.run.workers.logs import Shown, noted, take_on
from tests.house.rooms import ROOT

SCRIPT = """
import logging, sys
import flowcore as fc

SETUP

@fc.compute(cache=False)
def speak(x):
    for level in (10, 20, 30):
        logging.getLogger("land").log(level, "heard %d", level)
        logging.getLogger("other").log(level, "noise %d", level)
    try:
        1 / 0
    except ZeroDivisionError:
        logging.getLogger("land").info("failed", exc_info=True)

with fc.Flow("talk") as flow:
    speak(1)
for executor in ("inline", "thread", "process", "concurrent.futures:ProcessPoolExecutor"):
    run = flow.run(store=sys.argv[1], executor=executor, workers=1, progress=False)
    sys.stdout.write(run.output("speak") + "|")
"""
WORDS = re.compile("heard|noise|failed")
OWN = """
log = logging.getLogger('land')
log.setLevel(10)
log.propagate = False
log.addHandler(logging.StreamHandler())
"""
FORM = """
logging.basicConfig(level=20, format='{levelname[0]} {message}', style='{')
logging.getLogger('other').setLevel('ERROR')
"""
OFF = "logging.basicConfig(level=10)\nlogging.disable(20)"
ROOT_INFO = "logging.basicConfig(level=logging.INFO)"
WARNINGS = ["WARNING:land:heard 30", "WARNING:other:noise 30"]
SETUPS = {
    "as Python has it": ("", ["heard 30", "noise 30"]),
    "basicConfig": (ROOT_INFO, ["INFO:land:heard 20", "INFO:other:noise 20", *WARNINGS, "INFO:land:failed"]),
    "a form of its own": (FORM, ["I heard 20", "W heard 30", "I failed"]),
    "a logger of its own": (OWN, ["heard 10", "heard 20", "heard 30", "noise 30", "failed"]),
    "switched off": (OFF, WARNINGS),
}


@pytest.mark.parametrize("setup", SETUPS)
def test_what_a_cell_logs_is_shown_as_the_script_says(setup: str, tmp_path: Path) -> None:
    """On the engine's thread, on another, in flowcore's processes and in somebody else's: the same text."""
    configured, expected = SETUPS[setup]
    (tmp_path / "script.py").write_text(SCRIPT.replace("SETUP", configured))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FLOWCORE_")}
    done = subprocess.run(
        [sys.executable, "script.py", tmp_path / "store"], cwd=tmp_path, env=environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    said = [[line for line in part.splitlines() if WORDS.search(line)] for part in done.stdout.split("|")[:-1]]

    assert [expected] * 4 == said, done.stderr


@pytest.fixture
def as_it_was() -> Iterator[None]:
    """Have logging be after a test what it was before."""
    yield
    take_on(b"")


@pytest.fixture
def land() -> Iterator[logging.Logger]:
    """Give a logger that nobody else has."""
    logger = logging.getLogger("tests.land")
    yield logger
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.mark.usefixtures("as_it_was")
def test_what_was_set_up_is_taken_back(land: logging.Logger) -> None:
    """The next run, or none, finds the levels and handlers of before; and nothing is on, nothing off."""
    land.setLevel(logging.INFO)
    land.propagate = False
    land.addHandler(logging.StreamHandler(sys.stdout))
    found = noted()
    land.handlers.clear()
    land.setLevel(logging.NOTSET)
    land.propagate = True
    take_on(found)
    during = land.level, land.propagate, [(type(one), one.stream_name) for one in land.handlers]
    take_on(b"")

    assert (logging.INFO, False, [(Shown, "stdout")]) == during
    assert (logging.NOTSET, True, []) == (land.level, land.propagate, land.handlers)


@pytest.mark.usefixtures("as_it_was")
def test_what_a_process_has_set_up_by_itself_stays(land: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """A handler that a module brings along shows records, and they are shown once."""
    land.setLevel(logging.INFO)
    land.propagate = False
    land.addHandler(logging.StreamHandler())
    found = noted()
    land.handlers.clear()
    land.setLevel(logging.NOTSET)
    take_on(found)
    text = io.StringIO()
    land.addHandler(logging.StreamHandler(text))
    land.info("heard")
    land.removeHandler(land.handlers[-1])
    land.setLevel(logging.ERROR)
    take_on(b"")
    land.setLevel(logging.ERROR)
    take_on(found)

    assert ("heard\n", "") == (text.getvalue(), capsys.readouterr().err)
    assert logging.ERROR == land.level


@pytest.mark.usefixtures("as_it_was")
def test_a_format_that_cannot_be_filled_in_is_left(land: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    """It may name what a filter adds in the user's process; the record is shown all the same."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(station)s %(message)s"))
    land.addHandler(handler)
    land.propagate = False
    found = noted()
    land.handlers.clear()
    land.propagate = True
    take_on(found)
    land.warning("heard")

    assert "WARNING:tests.land:heard\n" == capsys.readouterr().err


@pytest.mark.parametrize(("level", "expected"), [("INFO", 2), ("DEBUG", 4), ("WARNING", 0)])
def test_a_run_is_logged(level: str, expected: int, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Its beginning and its end at INFO, nodes as they get on at DEBUG, nothing above."""
    caplog.set_level(level, logger="flowcore.run")
    flow = fc.Flow("sums")
    flow.add(divmod, 7, 3)
    flow.run(store=tmp_path / "store", executor="inline", progress=False)
    told = [record for record in caplog.records if record.name == "flowcore.run"]

    assert expected <= len(told) <= (99 if expected == 4 else expected)
    assert {"INFO": {20}, "DEBUG": {10, 20}, "WARNING": set()}[level] == {record.levelno for record in told}
    assert not told or ("began" in told[0].getMessage() and "is done" in told[-1].getMessage())
