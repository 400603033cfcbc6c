"""Which lines of flowcore an input reaches.

From Python 3.12 on every input is watched, at next to no cost, since a line reports itself
once; before, a tracer sees some of the inputs, which each takes twenty times as long.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, Final

import flowcore

_HOME: Final = str(Path(flowcore.__file__).parent)
_TOOL: Final = 4


class Lines:
    """The lines reached so far, and pairs of lines that followed each other where a tracer sees them."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int, int]] = set()
        self.always = sys.version_info >= (3, 12)
        self._ours: dict[CodeType, str] = {}
        if self.always:
            self._listen()

    def __len__(self) -> int:
        return len(self.seen)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """See what is reached meanwhile."""
        if self.always:
            yield
            return
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def _listen(self) -> None:
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]

        def line(code: CodeType, number: int) -> object:
            if code.co_filename.startswith(_HOME):
                self.seen.add((code.co_filename, 0, number))
            return monitoring.DISABLE

        if monitoring.get_tool(_TOOL) is None:
            monitoring.use_tool_id(_TOOL, "flowcore fuzz")
        monitoring.register_callback(_TOOL, monitoring.events.LINE, line)
        monitoring.set_events(_TOOL, monitoring.events.LINE)
        monitoring.restart_events()

    def _called(self, frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG002
        code = frame.f_code
        name = self._ours.get(code)
        if name is None:
            name = self._ours[code] = code.co_filename if code.co_filename.startswith(_HOME) else ""
        if not name:
            return None
        seen, last = self.seen, 0

        def local(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ARG001
            nonlocal last
            if event == "line":
                seen.add((name, last, frame.f_lineno))
                last = frame.f_lineno
            return local

        return local
