"""Names and words that try to be something else on a page."""

from __future__ import annotations

import sys

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror=window.hacked=1>",
    "a\nb\r\tc\x00\x1b[31m",
    "\u202eright\u202cto left \u05d0\u05d1",
    "'\"`${window.hacked=1}` &lt;b&gt; --> ]]>",
    "x" * 10_000,
    "\ud800 alone",
)


def words(word: str) -> str:
    """Print and raise such a word."""
    sys.stdout.write(word.encode("utf-8", "replace").decode())
    raise ValueError(word)


def same(word: str) -> str:
    """Give it back."""
    return word
