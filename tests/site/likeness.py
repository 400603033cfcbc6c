"""Whether what is shown is what was printed, apart from what no two runs have in common. Pure text.

In a page ``...`` stands for anything within its line, and a line of it alone for any number of lines.
Run ids, times, durations, keys, lines of code and the place of the folder are compared as words.
"""

from __future__ import annotations

import re

STEADY = (  # how an output is written into a page
    (re.compile(r"in \d+\.\d+ s\b"), "in 0.61 s"),
    (re.compile(r'File ".*/((?:flowcore|plugins)/[\w/]+\.py)", line \d+'), r'File ".../\1", line 50'),
)
MARKERS = re.compile(r"^ *[~^]+$\n?", re.MULTILINE)  # each Python draws its own
MASKS = (
    (r"^ *up to [^\n]* of memory at once\n", ""),  # where the kernel has told what a cell took
    (r"\d{8}T\d{6}-[0-9a-f]{16}", "RUN"), (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN"), (r"\b[0-9a-f]{12,64}\b", "KEY"),
    (r"^usage: flowcore run.*?\n\n", ""), (r"-(\w) N, --", r"-\1, --"),  # differ between versions of argparse
    (r'", line \d+', '", line N'), (r"(\.py):\d+", r"\1:N"),  # a sentence more on the page moves its program
    (r"\d[\d.e-]* (?:us|ms|s|min)\b", "TIME"), (r"\b\d+:\d\d\b", "TIME"), (r"\bstep \d+", "step N"),
    (r"python 3[\d.]+", "PYTHON"), (r"^memory +\d+", "memory BYTES"), (r"\b\d+ workers\b", "WORKERS"),  # one a core
    (r"^(ok|note|FAIL)  [^\n]*(\n {10,}[^\n]*)*", "CHECK"), (r"  +", " "),  # what a machine lacks, and the advice
)  # fmt: skip


def steady(printed: str, place: str) -> str:
    """Give an output as a page shows it."""
    printed = MARKERS.sub("", printed.replace(place, "/home/you"))
    for pattern, word in STEADY:
        printed = pattern.sub(word, printed)
    return "".join(f"{line.rstrip()}\n" for line in printed.splitlines())


def alike(shown: str, printed: str) -> bool:
    """Tell whether a page shows what was printed, which is `steady`."""
    return _match(_masked(shown), _masked(printed))


def _masked(text: str) -> list[str]:
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text, flags=re.MULTILINE | re.DOTALL)
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _match(shown: list[str], printed: list[str]) -> bool:
    for at, line in enumerate(shown):
        if line.strip() == "...":
            return any(_match(shown[at + 1 :], printed[i:]) for i in range(at, len(printed) + 1))
        if at == len(printed) or not _line(line, printed[at]):
            return False
    return len(shown) == len(printed)


def _line(shown: str, printed: str) -> bool:
    return re.fullmatch(".*".join(re.escape(part) for part in shown.split("...")), printed) is not None
