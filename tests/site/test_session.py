"""Claims about running a page: in its order, each piece with what it printed, and what differs is found and mended."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.site.likeness import alike
from tests.site.pages import faults, played, regenerated, sessions

PAGE = """# Title

```python
print("one", open("made.txt").read().strip())
```

```text
one 1
```

```console
$ echo 2 > made.txt; cat told.txt
1
```

```python
print("two", open("made.txt").read().strip())
1 / 0
```

```text
two 2
Traceback (most recent call last):
  File "/home/you/page.py", line 19, in <module>
    1 / 0
ZeroDivisionError: division by zero
```
"""
FILES = "# Title\n\n```text made.txt\n1\n```\n\n```text told.txt\n0\n```\n\n```diff told.txt\n-0\n+1\n```\n"


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    """Give a page with files, and one that goes on from it, in their order."""
    first, second = tmp_path / "files.md", tmp_path / "page.md"
    first.write_text(FILES)
    second.write_text(PAGE.replace("# Title\n", "# Title\n<!-- goes on from: files.md -->\n", 1))
    (session,) = sessions([second, first])
    return session


def test_a_page_is_run_in_its_order(pair: list[Path], tmp_path: Path) -> None:
    """Files before it, a command between two pieces, an error at its line in the page, and no fault in any."""
    came = played(pair, tmp_path / "you")

    assert ["files.md", "page.md"] == [path.name for path in pair]
    assert [[], []] == [faults(path.read_text(), came[path]) for path in pair]


@pytest.mark.parametrize(
    ("true", "false"), [("one 1", "one 2"), ("txt\n1\n", "txt\n2\n"), ("two 2\n", ""), ("one 1\n", "\n")]
)
def test_what_is_not_true_is_found_and_mended(pair: list[Path], tmp_path: Path, true: str, false: str) -> None:
    """Another output, of a piece or of a command, and a line that is missing."""
    page = pair[1].read_text()
    came = played(pair, tmp_path / "you")[pair[1]]
    wrong = page.replace(true, false, 1)

    assert page != wrong
    assert 1 == len(faults(wrong, came))
    assert page == regenerated(wrong, came)


def test_what_is_printed_must_be_shown() -> None:
    """A piece that prints, and nothing below it."""
    page = "# Title\n\n```python\nprint(1)\n```\n"

    assert 1 == len(faults(page, {0: "1\n"}))
    assert page + "\n```text\n1\n```\n" == regenerated(page, {0: "1\n"})
    assert [] == faults(page, {0: ""})


def test_an_edit_that_fits_nowhere_is_refused(tmp_path: Path) -> None:
    """A page whose files have moved on."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python a.py\nprint(3)\n```\n\n```diff a.py\n-print(4)\n+print(5)\n```\n")

    with pytest.raises(ValueError, match="0 places"):
        played([page], tmp_path / "you")


@pytest.mark.parametrize(
    ("shown", "printed", "expected"),
    [
        ("took 1.2 s", "took 0.3 s", True), ("3 cells ran", "4 cells ran", False), ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nb\nc", False), ("in ... of it", "in 7 parts of it", True),
        ("in ... of it", "in 7 parts", False),
        ("run 20260101T120000-0123456789abcdef", "run 20260202T120000-fedcba9876543210", True), ("a", "a\nb", False),
        ("", "a", False), ("a\n\n", "a", True),
    ],
)  # fmt: skip
def test_likeness(shown: str, printed: str, *, expected: bool) -> None:
    """Durations and names of runs may differ, and what an ellipsis stands for; nothing else may."""
    assert expected == alike(shown, printed)
