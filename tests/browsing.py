"""A real Chromium for tests of pages: the machine's own, without a window, a profile or the network.

`make browser` installs one where there is none. Screenshots of what tests saw are kept
in ``build/screenshots``, to be looked at.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SCREENSHOTS = Path(__file__).parents[1] / "build" / "screenshots"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb",
]  # fmt: skip


@dataclass
class Seen:
    """A page, and what it complained of or asked for."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def keep(self, name: str) -> None:
        """Keep what can be seen now."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@dataclass
class Browser:
    """A Chromium that runs."""

    chromium: Any

    @contextmanager
    def visit(self, address: str, *, dark: bool = False) -> Iterator[Seen]:
        """Open a page; fail if it complains of anything while it is open."""
        around = self.chromium.new_context(
            viewport={"width": 1400, "height": 900}, color_scheme="dark" if dark else "light"
        )
        seen = Seen(around.new_page())
        seen.page.set_default_timeout(60_000)  # milliseconds; only turns a hang into a failure
        seen.page.on("console", lambda said: said.type in ("error", "warning") and seen.complaints.append(said.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        try:
            seen.page.goto(address)
            yield seen

            assert [] == seen.complaints
        finally:
            around.close()


@contextmanager
def browsing() -> Iterator[Browser]:
    """Start a Chromium; it and what drives it have ended afterwards."""
    from playwright.sync_api import sync_playwright

    found = next((path for path in map(shutil.which, NAMES) if path is not None), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine: `make browser` installs one")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        try:
            yield Browser(chromium)
        finally:
            chromium.close()
