"""Colours and signs of pictures: of kinds of nodes and states of cells.

Owns them for every picture that flowcore draws, so that they mean the same everywhere.
The colours are those of M. Okabe and K. Ito, which are told apart by every kind of eye
(https://jfly.uni-koeln.de/color/); and no colour stands alone: each kind has a shape, each
state a sign. Light or dark is the viewer's choice, by ``prefers-color-scheme``.
"""

from __future__ import annotations

from typing import Final

SKY: Final = "#56B4E9"
GREEN: Final = "#009E73"
YELLOW: Final = "#F0E442"
BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
ORANGE: Final = "#E69F00"
PURPLE: Final = "#CC79A7"
GREY: Final = "#8A929E"

# State -> colour, and its sign as a path in a square from -5 to 5. The loudest first.
STATES: Final[dict[str, tuple[str, str]]] = {
    "failed": (VERMILION, "M-3-3L3 3M3-3L-3 3"),
    "running": (YELLOW, "M-2-3.4L3.6 0L-2 3.4Z"),
    "interrupted": (ORANGE, "M-1.8-3V3M1.8-3V3"),
    "blocked": (PURPLE, "M-3.1 0a3.1 3.1 0 1 0 6.2 0a3.1 3.1 0 1 0-6.2 0M-2.1 2.1L2.1-2.1"),
    "waiting": (GREY, "M-3 0h.01M0 0h.01M3 0h.01"),
    "not run": (GREY, "M-3 0H3"),
    "done": (GREEN, "M-3.4.4L-1 2.8L3.6-2.6"),
    "hit": (SKY, "M-3-1.9a3 1.3 0 1 0 6 0a3 1.3 0 1 0-6 0v3.8a3 1.3 0 0 0 6 0v-3.8"),
    "given": (BLUE, "M-3.4 0H3M.4-2.6L3 0L.4 2.6"),
    "skipped": (GREY, "M-3-2.8L0 0L-3 2.8M.6-2.8L3.6 0L.6 2.8"),
    "not wanted": (GREY, "M-2.6 2.6L2.6-2.6"),
}
DARK_SIGNS: Final = frozenset({"running", "interrupted", "hit"})  # on colours too bright for a white sign
TOLD: Final = {"hit": "cached", "done": "ran"}  # how a state is called in a picture, where otherwise

KINDS: Final[dict[str, str]] = {"compute": BLUE, "io": ORANGE, "choose": PURPLE, "item": GREY}
KINDS_TOLD: Final = {"compute": "compute", "io": "I/O", "choose": "choice", "item": "part of a value"}

STYLE: Final = """
.fc-picture{--fc-paper:#fff;--fc-ink:#1b2430;--fc-soft:#5d6875;--fc-line:#8793a1;--fc-frame:#c4ccd6;\
--fc-frame-fill:rgba(120,135,155,.07);--fc-tint:.13;--fc-sheet:#fff;\
font-family:"Helvetica Neue",Arial,"Liberation Sans",sans-serif;max-width:100%;height:auto}
@media (prefers-color-scheme:dark){.fc-picture{--fc-paper:#151a21;--fc-ink:#e8edf3;--fc-soft:#a3adba;\
--fc-line:#77838f;--fc-frame:#46505c;--fc-frame-fill:rgba(160,180,205,.06);--fc-tint:.22;--fc-sheet:#1d242d}}
.fc-picture text{fill:var(--fc-ink);font-size:11px}
.fc-picture .fc-name{font-size:13px;font-weight:600}
.fc-picture .fc-soft{fill:var(--fc-soft)}
.fc-picture .fc-caption{paint-order:stroke;stroke:var(--fc-paper);stroke-width:4px;stroke-linejoin:round}
.fc-picture .fc-edge{fill:none;stroke:var(--fc-line);stroke-width:1.4}
.fc-picture .fc-after{stroke-dasharray:4 4}
.fc-picture .fc-tip{fill:var(--fc-line);stroke:none}
.fc-picture .fc-frame{fill:var(--fc-frame-fill);stroke:var(--fc-frame)}
.fc-picture .fc-sheet{fill:var(--fc-sheet);stroke-width:1.5}
.fc-picture .fc-tint{fill-opacity:var(--fc-tint);stroke:none}
.fc-picture .fc-sign{fill:none;stroke:#fff;stroke-width:1.6;stroke-linecap:round;stroke-linejoin:round}
.fc-picture .fc-dark{stroke:#1b2430}
.fc-picture .fc-pie{fill:none;stroke:var(--fc-soft);stroke-width:1}
.fc-picture .fc-slice{fill:var(--fc-soft);stroke:none}
""".strip()
