"""A file that a verb writes where the user said: what goes wrong is told in a sentence."""

from __future__ import annotations

from collections.abc import Callable

from flowcore.cli.parser import Usage
from flowcore.cli.printing import name


def written(path: str, write: Callable[[], object]) -> None:
    """Write; a path that cannot be written is a wrong argument."""
    try:
        write()
    except OSError as error:
        raise Usage(f"{name(path)} cannot be written: {error.strerror or error}.") from None
