"""`python -m tests.reliability`: make the tables of docs/reliability.md anew; with `--run`, run all marked tests first.

The exit status is 0, or that of pytest.
"""

from __future__ import annotations

import argparse
import sys

import pytest

from tests.house.rooms import read
from tests.reliability.page import PAGE, parts, renewed
from tests.reliability.results import RESULTS, Recorder, read_results

_OPTIONS = ["-q", "-n", "2", "--dist", "worksteal", "-p", "no:cacheprovider", "-p", "tests.reliability.picking"]


def main() -> int:
    """Run what is marked, if asked for; then write the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.reliability", description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the marked tests, and write docs/reliability.json")
    status = 0
    if parser.parse_args().run:
        recorder = Recorder()
        status = int(pytest.main([*_OPTIONS, "tests"], plugins=[recorder]))
        recorder.results().write(RESULTS)
    page = renewed(PAGE.read_text(encoding="utf-8"), parts(read("tests"), read_results(), PAGE.parent))
    PAGE.write_text(page, encoding="utf-8")
    return status


if __name__ == "__main__":
    sys.exit(main())
