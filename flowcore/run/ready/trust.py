"""Results of older code that the user vouches for, for one run (contract K26).

A cell of a trusted node that no record answers is asked for once more, under the key
that it had with the code of an older run: the same arguments, version and environment,
and nothing but the code in another state. What answers is used, and written down as
accepted. What does not is computed, and kept under the key of the code that made it: so
no result is ever recorded under code that did not.

Which older code: those of the newest runs in which a node of this name and with these
parameters had another one, newest first; a run that trusted has a code of its own, and
kept nothing under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

from flowcore.plan.keys import NOTE, NodeKeys
from flowcore.run.job import Component
from flowcore.run.ready.work import Work
from flowcore.store.cache import Answer, Cache, Miss

Commons: TypeAlias = Callable[[str, Sequence[str]], Iterator[dict[str, bytes]]]
"""From the name of a node and those of its parameters to what its cells shared, newest run first."""

_CODES: Final = 8  # older states of the code that are asked
_LOOKED_AT: Final = 64  # older runs with another one


class Trust:
    """The nodes whose older results count although their code has changed. The engine's thread.

    Parameters
    ----------
    nodes : iterable of int
        Their numbers.
    commons : callable
        Gives what older runs wrote down of a node.
    """

    def __init__(self, nodes: Iterable[int], commons: Commons) -> None:
        self._nodes = frozenset(nodes)
        self._commons = commons
        self._older: dict[int, list[NodeKeys]] = {}

    def __contains__(self, node: int) -> bool:
        return node in self._nodes

    def judge(
        self, work: Work, numbers: Sequence[int], keys: list[bytes], own: Sequence[Sequence[Component]],
        answers: list[Answer], cache: Cache,
    ) -> None:  # fmt: skip
        """Ask once more for what missed; where older code answers, put its key and answer in place."""
        for older in self._keys(work):
            missed = [i for i, answer in enumerate(answers) if isinstance(answer, Miss)]
            if not missed:
                return
            old = older.keys([column if len(column) == 1 else [column[i] for i in missed] for column in own])
            old = old * len(missed) if len(old) == 1 else old
            found = cache.judge(old, younger_than=work.recipe.answers_for)
            answered = zip(missed, old, found, strict=True)
            accepted = [(i, key, one) for i, key, one in answered if not isinstance(one, Miss)]
            if accepted:
                cache.accepted(work.number, [numbers[i] for i, _, _ in accepted], [keys[i] for i, _, _ in accepted])
            for i, key, one in accepted:
                keys[i], answers[i] = key, one

    def _keys(self, work: Work) -> list[NodeKeys]:
        """Give what keys a node's cells had with older code, newest first."""
        if work.number not in self._older:
            self._older[work.number] = self._find(work)
        return self._older[work.number]

    def _find(self, work: Work) -> list[NodeKeys]:
        assert work.keys is not None, "asked for keyed nodes only"
        now, own = work.keys.common, work.keys.own
        rest = {name: part for name, part in now.items() if name != "code" and not name.startswith(NOTE)}
        codes = (common.get("code") for common in self._commons(work.planned.name, own))
        others = dict.fromkeys(islice((code for code in codes if code and code != now["code"]), _LOOKED_AT))
        return [NodeKeys(common=rest | {"code": code}, own=own) for code in islice(others, _CODES)]
