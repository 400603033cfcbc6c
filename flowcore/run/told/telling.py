"""Telling observers what happens, without ever waiting for them.

Events leave by a bounded queue and a thread of their own. An observer that raises is
told of no more (one warning); one that blocks holds up only this thread; when the queue
is full, counts are dropped, for later ones make up for them (contract F36).
"""

from __future__ import annotations

import threading
import traceback
from collections import deque
from collections.abc import Sequence

from flowcore.errors import FlowcoreWarning
from flowcore.events import Cells, Event, Observer
from flowcore.notices import notice

_MOST = 10_000  # events that wait
_PATIENCE = 2.0  # seconds that the end of a run waits for observers


class Teller:
    """Passes events on to observers, in order."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = list(observers)
        self._events: deque[Event | None] = deque()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def listening(self) -> bool:
        """Whether anybody is told anything."""
        return bool(self._observers)

    @property
    def counting(self) -> bool:
        """Whether somebody wants to know what nodes there are and how far they are, and not only what cells print."""
        return any(getattr(observer, "counts", True) for observer in self._observers)

    def tell(self, event: Event) -> None:
        """Queue an event. Any thread."""
        if not self._observers or (len(self._events) >= _MOST and isinstance(event, Cells)):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._pass_on, name="flowcore-teller", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:  # the system gives no more threads; a run does without being watched
                self._thread, self._observers = None, []
                return
        self._events.append(event)
        self._some.set()

    def close(self) -> None:
        """Let observers hear what waits, for a moment; then leave them."""
        if self._thread is None:
            return
        self._events.append(None)
        self._some.set()
        self._thread.join(_PATIENCE)

    def _pass_on(self) -> None:
        while True:
            self._some.wait()
            self._some.clear()
            while self._events:
                event = self._events.popleft()
                if event is None:
                    return
                self._tell_all(event)

    def _tell_all(self, event: Event) -> None:
        for observer in list(self._observers):
            try:
                observer.on_event(event)
            except BaseException as error:  # noqa: BLE001 - any user code; its sys.exit() must not make others deaf
                self._observers.remove(observer)
                said = traceback.format_exception_only(error)[-1].strip()  # also of one that cannot say what it is
                notice(FlowcoreWarning(f"{type(observer).__name__} raised {said}; it is left out"))
