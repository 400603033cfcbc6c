"""Claims about docs/command_line.md: what it shows is what is printed."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path

from flowcore.cli import VERBS
from tests.cli.conftest import ROOT, Terminal

PAGE = ROOT / "docs" / "command_line.md"
BLOCK = re.compile(r"```(?P<kind>python|toml|console)\n(?P<body>.*?)```", re.DOTALL)
FILES = {"python": "lands.py", "toml": "flowcore.toml"}
MASKS = (
    (r"^ *up to [^\n]* of memory at once\n", ""),  # where the kernel has told what a cell took
    (r"\d{8}T\d{6}-[0-9a-f]{16}", "RUN"), (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "WHEN"), (r"\b[0-9a-f]{12,64}\b", "KEY"),
    (r"^usage: flowcore run.*?\n\n", ""), (r"-(\w) N, --", r"-\1, --"),  # differ between versions of argparse
    (r"\d[\d.e-]* s\b", "TIME"), (r"^\[\d+:\d\d\]", "[TIME]"),
    (r"python 3[\d.]+", "PYTHON"), (r"^memory +\d+", "memory BYTES"),
    (r"^(ok|note|FAIL)  [^\n]*(\n {10,}[^\n]*)*", "CHECK"), (r"  +", " "),  # what a machine lacks, and the advice
)  # fmt: skip


def masked(text: str) -> list[str]:
    """Give lines of output without what differs from run to run and from machine to machine."""
    for pattern, word in MASKS:
        text = re.sub(pattern, word, text, flags=re.MULTILINE | re.DOTALL)
    return [line.rstrip() for line in text.strip().splitlines()]


def told(terminal: Terminal, command: str) -> str:
    """Carry out a command of the page, and give all that it prints."""
    words = shlex.split(command)
    ran = terminal(*words[1:]) if words[0] == "flowcore" else terminal.python(*words[1:])
    printed = (ran.out + ran.err).replace(str(terminal.folder), "/home/ada/lands")
    return printed.replace(sys.executable, "/usr/bin/python3")


def blocks(page: str) -> list[tuple[str, str]]:
    """Give the blocks of a page in order: kind and content."""
    return [(block["kind"], block["body"]) for block in BLOCK.finditer(page)]


def test_the_page_shows_what_is_printed(tmp_path: Path) -> None:
    """Each command of the page is typed, in order, and prints what stands below it."""
    terminal = Terminal(tmp_path)
    shown, printed = [], []
    for kind, body in blocks(PAGE.read_text()):
        if kind in FILES:
            terminal.write(FILES[kind], body)
            continue
        command, _, output = body.removeprefix("$ ").partition("\n")
        shown.append((command, masked(output)))
        printed.append((command, masked(told(terminal, command))))

    assert printed == shown
    assert set(VERBS) <= {command.split()[1] for command, _ in shown}
