"""`python -m tests.site PAGE...`: run pages, and write what their blocks came to into them."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.site.pages import pages, played, regenerated, sessions


def main(names: list[str]) -> None:
    """Bring pages up to date, and those that go on from them, or that they go on from."""
    wanted = {Path(name).resolve() for name in names}
    for session in sessions(pages()):
        if not wanted & set(session):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for path, came in played(session, Path(folder) / "you").items():
                path.write_text(regenerated(path.read_text(encoding="utf-8"), came), encoding="utf-8")


main(sys.argv[1:])
