"""Runs the pages that show what their own programs make, pictures and reports, for whoever builds the site."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from tests.site.pages import DOCS, pages, played, sessions

SHOWN = re.compile(r'(?:_build/made/|<iframe src=")([\w./-]+)')


def shown(page: Path) -> list[str]:
    """Give the names of the files that a page shows, and its program makes: `<page>/<name>` where the site has them."""
    found = SHOWN.findall(page.read_text(encoding="utf-8"))
    strange = [path for path in found if Path(path).parent.name != page.stem]
    if strange:
        raise ValueError(f"{page.name} shows {strange[0]}, which is not in a folder called {page.stem}")
    return [Path(path).name for path in dict.fromkeys(found)]


def make(folder: Path) -> None:
    """Put what pages show into a folder: under the path of each page."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for session in sessions(pages()):
        if not any(shown(page) for page in session):
            continue
        with tempfile.TemporaryDirectory() as place:
            played(session, Path(place) / "you")
            for page in session:
                into = folder / page.relative_to(DOCS).with_suffix("")
                for name in shown(page):
                    into.mkdir(parents=True, exist_ok=True)
                    shutil.copy(Path(place) / "you" / name, into / name)
