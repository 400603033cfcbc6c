"""Claims about what a page's blocks are taken for; a block that nobody would run is found."""

from __future__ import annotations

import pytest

from tests.site.blocks import blocks, continued


def uses(page: str) -> list[str]:
    """Give what each block is for."""
    return [block.use for block in blocks(page)]


def test_blocks_are_what_they_are_for() -> None:
    """A page as the first rules have it."""
    page = """# Title
```python
x = 1
```
prose
```text
1
```
<!-- python
y = 2
-->
```toml flowcore.toml
```
```diff flowcore.toml
+workers = 1
```
```console
$ flowcore config
```
```{note}
```
"""

    assert ["piece", "output", "hidden", "file", "edit", "typed", "directive"] == uses(page)


@pytest.mark.parametrize(
    "planted",
    [
        "```\nls\n```", "```py\n1\n```", "```bash\nls\n```", "```text\n1\n```", "```diff\n+1\n```", "~~~\n1\n~~~",
        "```{code-block} python\n1\n```", "```{literalinclude} a.py\n```", "- a list\n  ```python\n  1\n  ```",
        "```python\n1\n```\n## Heading\n```text\n1\n```", "```console\n$ ls\n```\n```text\n1\n```", "```python\nopen",
        "<!-- not run: -->\n```py\n1\n```", "<!-- not run: why -->\nprose\n```py\n1\n```",
        "<!-- a remark -->\n```py\n```",
    ],
)  # fmt: skip
def test_a_block_that_nobody_runs_is_found(planted: str) -> None:
    """Whatever is fenced, and is neither run nor excused."""
    assert "stray" == uses(f"# Title\n{planted}\n")[-1]


def test_a_reason_excuses_a_block_and_its_output() -> None:
    """And not the next one."""
    page = "<!-- not run: it takes a cluster -->\n\n```python\n1\n```\n```text\n1\n```\n```py\n1\n```\n"

    assert ["excused", "excused", "stray"] == uses(page)


def test_an_output_may_be_an_example() -> None:
    """Of a piece that is run all the same."""
    piece, output = "```python\n1\n```\n", "```text\n1\n```\n"
    page = f"{piece}<!-- for example: it took 2 s here -->\n{output}{piece}{output}"

    assert ["piece", "example", "piece", "output"] == uses(page)


def test_lines_are_counted_as_in_the_page() -> None:
    """So a traceback names the line of the page."""
    (block,) = blocks("# Title\n\n```python\nx = 1\n```\n")

    assert (3, "x = 1\n", 5) == (block.line, block.text, block.end)


def test_a_page_names_the_one_it_goes_on_from() -> None:
    """In a comment, which no reader of the site sees."""
    assert "first.md" == continued("# Title\n\n<!-- goes on from: first.md -->\n")
    assert continued("# Title\n") is None
