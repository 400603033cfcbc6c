"""Executors that are not flowcore's own: what a user may bring, and what a name may stand for.

Owns which objects can be asked to carry cells out, and how. Promises that what cannot is
refused before any cell is handed over. What is opened here, because a run was given no
more than its name, is closed with its executor; what the user has opened stays open.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor as FuturesLike
from typing import Any, cast

from flowcore.dataclass import dataclass
from flowcore.errors import BadOption
from flowcore.plugins import load
from flowcore.run.executors.futures import FuturesFerry
from flowcore.run.executors.near import NearExecutor
from flowcore.run.executors.protocol import Executor, MakeExecutor
from flowcore.run.inbox import Inbox
from flowcore.run.workers.surroundings import Surroundings
from flowcore.store.codecs import Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Bringing:
    """What an executor is made with."""

    workers: int
    inbox: Inbox
    codec: Codec
    surroundings: Surroundings
    usual: Callable[[int], float]

    def named(self, name: str) -> Executor:
        """Make what a name stands for: a plugin, or ``module:name``; a class of executors is opened."""
        found = load("flowcore.executors", name)
        if isinstance(found, type) and issubclass(found, FuturesLike):
            return self._ferried(self._opened(found, name), own=True)
        if not callable(found):
            told = f"{name!r}, a {type(found).__name__}"
            raise BadOption(option="executor", found=told, expected="a class or function")
        return self._made_by(cast(MakeExecutor, found))

    def given(self, executor: object) -> Executor:
        """Make use of what the user gave: an open executor, or what makes one for a run."""
        if isinstance(executor, FuturesLike):
            return self._ferried(executor)
        if not callable(executor) or (isinstance(executor, type) and issubclass(executor, FuturesLike)):
            name = str(getattr(executor, "__name__", type(executor).__name__))
            raise BadOption(
                option="executor", found=f"the class {name}" if isinstance(executor, type) else f"a {name}",
                expected="a name, a concurrent.futures.Executor, or what makes an executor for a run",
            )  # fmt: skip
        return self._made_by(cast(MakeExecutor, executor))

    def _opened(self, kind: type[FuturesLike], name: str) -> FuturesLike:
        try:
            return cast("Callable[..., FuturesLike]", kind)(max_workers=self.workers)
        except Exception as cause:  # whatever an engine says when it cannot be had
            found = f"{name!r}, which cannot be opened ({type(cause).__name__}: {cause})"
            raise BadOption(option="executor", found=found, expected="usable here") from cause

    def _made_by(self, make: MakeExecutor) -> Executor:
        return make(workers=self.workers, inbox=self.inbox, codec=self.codec, surroundings=self.surroundings)

    def _ferried(self, executor: Any, *, own: bool = False) -> Executor:
        ferry = FuturesFerry(executor, workers=self.workers, own=own)
        return NearExecutor(ferry, inbox=self.inbox, surroundings=self.surroundings, usual=self.usual)
