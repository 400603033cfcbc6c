"""Which pages there are, which belong to one session, and how a page looks when it is true.

Owns: the list of pages, and what is wrong with one. A page of decisions or changes is history: it is not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.site.blocks import Block, blocks, continued
from tests.site.likeness import alike
from tests.site.session import ROOT, carried_out

DOCS = ROOT / "docs"
HISTORY = frozenset({"decisions", "changes", "_build", "gallery"})  # what builds the site runs the gallery


def pages() -> list[Path]:
    """Give all pages that are run."""
    below = [path for path in DOCS.rglob("*.md") if not HISTORY & set(path.relative_to(DOCS).parts[:-1])]
    return sorted([ROOT / "README.md", ROOT / "examples" / "README.md", *ROOT.glob("plugins/*/README.md"), *below])


def sessions(found: Iterable[Path]) -> list[list[Path]]:
    """Give the pages in groups: each begins with one that stands by itself, then those that go on from it."""
    before = {path: _before(path) for path in found}
    after = {earlier: path for path, earlier in before.items() if earlier is not None}
    groups = []
    for path, earlier in before.items():
        if earlier is None:
            group = [path]
            while group[-1] in after:
                group.append(after[group[-1]])
            groups.append(group)
    return groups


def _before(path: Path) -> Path | None:
    name = continued(path.read_text(encoding="utf-8"))
    return None if name is None else (path.parent / name).resolve()


def played(session: Iterable[Path], folder: Path) -> dict[Path, dict[int, str]]:
    """Carry out the pages of a session in a new folder; give what each of their blocks came to, by its number."""
    folder.mkdir()
    place = folder.resolve()
    return {
        path: carried_out(blocks(path.read_text(encoding="utf-8")), place, f"{path.stem.replace('-', '_')}.py")
        for path in session
    }


def faults(page: str, came: Mapping[int, str]) -> list[str]:
    """Tell where a page shows something else than what its blocks came to."""
    found = blocks(page)
    told = []
    for number, printed in came.items():
        block, after = found[number], found[number + 1 : number + 2]
        shown = block.text if block.use == "typed" else after[0].text if after and after[0].use == "output" else ""
        if block.use == "hidden" and "Traceback" not in printed:
            continue
        if after and after[0].use == "example" and printed and "Traceback" not in printed:
            continue
        if not alike(shown, printed):
            told.append(f"line {block.line} shows\n{shown}\nand it is\n{printed}")
    return told


def regenerated(page: str, came: Mapping[int, str]) -> str:
    """Give the page with what its blocks came to, where it shows something else."""
    found, lines = blocks(page), page.splitlines()
    for number in sorted(came, reverse=True):
        block, printed = found[number], came[number].splitlines()
        after = found[number + 1] if found[number + 1 : number + 2] else None
        if block.use == "typed":
            _put(lines, block, printed)
        elif block.use == "piece" and after is not None and after.use == "output":
            _put(lines, after, printed)
        elif block.use == "piece" and printed and (after is None or after.use != "example"):
            lines[block.end : block.end] = ["", "```text", *printed, "```"]
    return "\n".join(lines) + "\n"


def _put(lines: list[str], block: Block, printed: list[str]) -> None:
    if not alike(block.text, "\n".join(printed)):
        lines[block.line : block.end - 1] = printed


def strays(page: str) -> list[str]:
    """Name the blocks of a page that nothing runs and nothing excuses."""
    return [
        f"line {block.line}: ```{f'{block.language} {block.name}'.strip()}"
        for block in blocks(page)
        if block.use == "stray"
    ]
