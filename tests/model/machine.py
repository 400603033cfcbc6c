"""A store through a life of edits, damage, crashes and runs, beside what the oracle says of each step.

Three things are held after every run: the values; the multiset of executions, which is
that of the computations without a usable record and no other; and that a computation has
one key and a key one computation, in whatever run they were met. What a store still has
after damage is read from its raw files.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import flowcore as fc
from flowcore.store.journal import JournalWriter
from flowcore.testing import ScriptedExecutor
from tests.drawings import Computation, Model, Step, drawn
from tests.model.edits import EDITS, Scene
from tests.model.ledger import Ledger
from tests.oracle import agrees, blobs, found, journals, left, lines, meant, run, told, without_lost
from tests.store.children import in_child
from tests.vocabulary import FUNCTIONS

MENDED = 4  # runs after which nothing is lost any more: a value with several arrays shows one damage a time


@dataclass
class Machine:
    """One store, and what is known of it."""

    folder: Path
    counter: Path
    scene: Scene
    executor: Any = "inline"
    usable: set[Computation] = field(default_factory=set)  # computations with a record that answers
    gone: dict[Computation, set[bytes]] = field(default_factory=dict)  # arrays that those without an answer lack
    ledger: Ledger = field(default_factory=Ledger)
    changed: bool = False  # whether some array has another content than its name says

    @property
    def store(self) -> str:
        """Where the store is."""
        return str(self.folder / "store")

    def drawn(self, given: dict[int, Any] | None = None) -> tuple[fc.Flow, list[Any], Model]:
        """Give the flow as it is now, and what it means."""
        scene = self.scene
        codes = scene.world.load(self.folder)
        model = Model(scene.steps, axes=scene.axes, codes=codes, given=given or {})
        model.all()
        return *drawn(scene.steps, axes=scene.axes, codes=codes, prefix=scene.prefix), model

    def predicted(self, model: Model) -> tuple[Counter[str], Counter[str]]:
        """Give the executions that there must be, and those that there may be."""
        must, may = Counter(model.always), Counter(model.always)
        missing = [computation for computation in model.kept if computation not in self.usable]
        makers = Counter(digest for computation in missing for digest in self.gone.get(computation, ()))
        for computation in missing:
            line, lost = model.kept[computation], self.gone.get(computation, set())
            may[line] += 1
            if not lost or any(makers[digest] == 1 for digest in lost):  # else others make an equal array
                must[line] += 1
        may.update(model.inner)  # asked for only if what they grow from runs
        return must, may

    # ---- steps -----------------------------------------------------------------------

    def whole(self, given: dict[int, Any] | None = None, executor: Any = None) -> None:
        """Run to the end, and compare everything."""
        flow, refs, model = self.drawn(given)
        must, may = self.predicted(model)
        lines(self.counter)
        given_refs = {refs[step]: value for step, value in (given or {}).items()}
        options = {"given": given_refs} if given_refs else {}
        run_ = run(flow, store=self.store, executor=executor or self.executor, **options)
        executed = lines(self.counter)
        told_ = f"{self.scene.told}\n{told(run_)}"
        if self.changed:
            self._settle(flow, refs, model, run_)
            return
        agrees(self.scene.steps, refs, model, run_, prefix=self.scene.prefix)
        assert Counter() == must - executed, f"too few: {told_}"
        assert Counter() == executed - may, f"too many: {told_}"
        self.usable |= model.kept.keys()
        self._learn(run_.id, model)

    def _settle(self, flow: fc.Flow, refs: list[Any], model: Model, first: fc.Run) -> None:
        """Run until all that was changed is found: no other value is given for the right one; then all is whole."""
        run_ = first
        for _ in range(MENDED + len(blobs(self.store))):
            lost = False
            for step, ref, outcomes in zip(self.scene.steps, refs, model.all(), strict=True):
                actual = found(run_, ref)
                expected, there = without_lost(meant(outcomes, step), actual)
                assert expected == there, f"{self.scene.told}\n{told(run_)}"
                lost = lost or (meant(outcomes, step) != actual)
            if not lost:
                break
            run_ = run(flow, store=self.store, executor=self.executor)
        self.changed = False
        self._learn(run_.id, model)
        self._read()
        lines(self.counter)
        self.whole()

    def partly(self, cells: int) -> None:
        """Cancel a run after some cells; what it recorded counts, and nothing else."""
        flow, refs, model = self.drawn()
        _, may = self.predicted(model)
        if self.usable >= model.kept.keys():
            return  # nothing might come to the script, and nobody would tell it of the end
        lines(self.counter)
        script = ScriptedExecutor()
        run_ = flow.start(*refs, store=self.store, executor=script, progress=False, on_error="continue")
        script.run_all(lambda: len(script.started) - len(script.held) >= cells)
        run_.cancel()
        script.cancel()  # what is held never begins, and simulations have half a minute to save
        with contextlib.suppress(fc.FlowcoreError, KeyboardInterrupt):
            assert run_.wait(60.0)
        executed = lines(self.counter)
        assert self.changed or Counter() == executed - may, f"{self.scene.told}\n{told(run_)}"
        self._learn(run_.id, model)
        self._read()

    def killed(self, frames: int) -> None:
        """Kill a run before it writes its n-th frame."""
        flow, refs, model = self.drawn()
        before = set(journals(self.store))
        in_child(lambda: _killed(flow, refs, self.store, frames))
        lines(self.counter)
        for path in set(journals(self.store)) - before:
            self._learn(Path(path).stem, model)
        self._read()

    def damage(self, kind: str, draw: Any) -> None:
        """Take something from the store, or change it."""
        # What is drawn must not depend on what is there: sizes and digests differ from time to time.
        places = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=4, unique=True))
        self.scene.told.append(kind)
        match kind:
            case "tear":
                path = journals(self.store)[-1 - places[0] % 3 % len(journals(self.store))]
                os.truncate(path, os.stat(path).st_size * places[-1] // 1000)
            case "index":
                shutil.rmtree(f"{self.store}/v1/index", ignore_errors=True)
            case _:
                there = blobs(self.store)
                for path in {there[place % len(there)] for place in places} if there else ():
                    self._hurt(path, kind)
        self._read()

    def _hurt(self, path: Path, kind: str) -> None:
        if kind == "unlink":
            path.unlink()
            return
        content = path.read_bytes()
        path.chmod(0o600)
        path.write_bytes(content[:-1] if kind == "truncate" else content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
        self.changed = self.changed or kind == "flip"

    # ---- knowing ---------------------------------------------------------------------

    def _learn(self, run_id: str, model: Model) -> None:
        """Meet the keys of a run's cells: one a computation, and another one for each."""
        problems = self.ledger.learn(fc.open_run(run_id, self.store), model, prefix=self.scene.prefix)
        assert [] == problems, self.scene.told

    def _read(self) -> None:
        """Read from raw files what can still be used."""
        there = left(self.store)
        self.usable = {computation for computation, key in self.ledger.keys.items() if there.get(key) == set()}
        self.gone = {computation: there[key] for computation, key in self.ledger.keys.items() if there.get(key)}


def _killed(flow: fc.Flow, refs: list[Any], store: str, frames: int) -> None:
    real, count = JournalWriter.append_payload, 0

    def append(self: JournalWriter, payload: bytes) -> int:
        nonlocal count
        count += 1
        if count == frames:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(self, payload)

    JournalWriter.append_payload = append  # type: ignore[method-assign]
    run(flow, *refs, store=store, executor="inline")


def given_for(steps: list[Step], draw: Any) -> dict[int, Any]:
    """Give a value in the place of some node without axes, of the kind that the node gives."""
    places = [i for i, step in enumerate(steps) if not step.axes and step.function in FUNCTIONS]
    if not places:
        return {}
    step = draw(st.sampled_from(places))
    value = Model([Step(steps[step].function, (_constant(draw),), ())]).outcome(0, {})
    return {step: value.value} if value.state == "done" else {}


def _constant(draw: Any) -> Any:
    from tests.drawings import Const

    return Const(draw(st.integers(100, 103)))


ACTIONS = {"run": 4, "given": 1, "cancel": 1, "kill": 1, "unlink": 1, "truncate": 1, "flip": 1, "tear": 1, "index": 1}


def live(machine: Machine, draw: Any, *, edits: tuple[str, ...], actions: tuple[str, ...], rounds: int) -> None:
    """Let a store live: edit, perhaps damage or crash, and run, several times; the last run is all hits."""
    weighed = [action for action in actions for _ in range(ACTIONS[action])]
    machine.whole()
    for _ in range(rounds):
        for _ in range(draw(st.integers(0, 2))):
            EDITS[draw(st.sampled_from(edits))](machine.scene, draw)
        match action := draw(st.sampled_from(weighed)):
            case "run":
                pass
            case "given":
                machine.scene.told.append("given")
                machine.whole(given_for(machine.scene.steps, draw))
            case "cancel":
                machine.scene.told.append("cancelled")
                machine.partly(draw(st.integers(0, 6)))
            case "kill":
                machine.scene.told.append("killed")
                machine.killed(draw(st.integers(1, 8)))
            case _:
                machine.damage(action, draw)
        machine.scene.told.append("run")
        machine.whole()
    machine.whole()
