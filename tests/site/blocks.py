"""The fenced blocks of a page of Markdown, and what each is for. Runs nothing, reads no file.

A page is written for its reader, and these few rules make it a program as well:

| block | what is done with it |
|---|---|
| ```` ```python ```` | a piece of the page's program: all of them, from top to bottom, are one script |
| ```` ```text ```` after it | what that piece prints; a piece that prints something has one |
| ```` ```python study.py ```` | a file in the folder in which the page is run; any language will do |
| ```` ```diff study.py ```` | an edit of that file |
| ```` ```console ```` | commands behind ``$ `` (a line that ends in a backslash goes on), and what they write |
| ``<!-- python ... -->`` | a piece of the program that is not shown; what it prints is not compared |
| ``<!-- not run: reason -->`` | stands above a block that is not run, and whose output is not compared |
| ``<!-- for example: reason -->`` | stands above an output that no two runs have in common: it is not compared |
| ``<!-- goes on from: NAME.md -->`` | the page is run in the folder of that one, after it, as one session |

Whatever else is fenced is *stray*: nobody would notice when it is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

Use = Literal["piece", "hidden", "output", "example", "file", "edit", "typed", "directive", "excused", "stray"]

# Directives without code in them.
CODELESS = frozenset({
    "toctree", "note", "tip", "important", "warning", "admonition", "image", "figure", "raw", "autosummary",
    "autoclass", "autofunction", "automodule", "autoexception", "autodata", "currentmodule", "eval-rst", "grid",
    "grid-item-card", "table", "list-table", "glossary", "math",
})  # fmt: skip
OPENING = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)$")
DIRECTIVE = re.compile(r"\{([\w-]+)\}")
EXCUSE = re.compile(r"^<!-- not run: (?P<reason>\S.*) -->$")
EXAMPLE = re.compile(r"^<!-- for example: (?P<reason>\S.*) -->$")
HIDDEN = re.compile(r"^<!-- python$")
BEFORE = re.compile(r"^<!-- goes on from: (?P<name>\S+\.md) -->$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block."""

    use: Use
    language: str
    name: str  # of the file that it is, or edits
    text: str
    line: int  # of its first fence, counted from one
    end: int  # of its last


def blocks(page: str) -> list[Block]:
    """Give the blocks of a page, from top to bottom."""
    lines, found, at = page.splitlines(), [], 0
    excused = example = False
    while at < len(lines):
        opened = OPENING.match(lines[at])
        if opened is not None:
            block = _fenced(lines, at, opened["fence"], opened["info"].split(), indented=bool(opened["indent"]))
            block = _placed(replace(block, use="excused") if excused else block, found[-1:], lines)
            found.append(replace(block, use="example") if example and block.use == "output" else block)
            at, excused, example = block.end, False, False
        elif lines[at].startswith("<!--"):
            end = next((i for i in range(at, len(lines)) if lines[i].rstrip().endswith("-->")), len(lines) - 1)
            if HIDDEN.match(lines[at]):
                text = "".join(f"{line}\n" for line in lines[at + 1 : end])
                found.append(Block(use="hidden", language="python", name="", text=text, line=at + 1, end=end + 1))
            excused, example = (rule.match(lines[at]) is not None for rule in (EXCUSE, EXAMPLE))
            at = end + 1
        else:
            excused, example = (given and not lines[at].strip() for given in (excused, example))
            at += 1
    return found


def continued(page: str) -> str | None:
    """Give the name of the page that this one goes on from."""
    found = BEFORE.search(page)
    return None if found is None else found["name"]


def _fenced(lines: list[str], at: int, fence: str, info: list[str], *, indented: bool) -> Block:
    end = next((i for i in range(at + 1, len(lines)) if _closes(lines[i], fence)), len(lines))
    language, name = (*info, "", "")[:2]
    text = "".join(f"{line}\n" for line in lines[at + 1 : end])
    use: Use = "stray" if indented or end == len(lines) else _use(language, name)
    return Block(use=use, language=language, name=name, text=text, line=at + 1, end=end + 1)


def _closes(line: str, fence: str) -> bool:
    line = line.strip()
    return len(line) >= len(fence) and not line.strip(fence[0])


def _use(language: str, name: str) -> Use:
    directive = DIRECTIVE.match(language)
    if directive is not None:
        tested = directive[1] == "literalinclude" and "examples/" in name  # with tests of its own
        return "directive" if directive[1] in CODELESS or tested else "stray"
    if language == "diff":
        return "edit" if name else "stray"
    if "." in name:
        return "file"
    return {"python": "piece", "console": "typed", "text": "output"}.get(language, "stray")  # type: ignore[return-value]


def _placed(block: Block, before: list[Block], lines: list[str]) -> Block:
    """Give it with what its place says: a text is the output of what stands directly before it, or of nothing."""
    if block.use != "output":
        return block
    between = lines[before[0].end : block.line - 1] if before else []
    if not before or before[0].use not in {"piece", "excused"} or any(line.startswith("#") for line in between):
        return replace(block, use="stray")
    return replace(block, use="excused") if before[0].use == "excused" else block
