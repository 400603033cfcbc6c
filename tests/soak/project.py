"""A user's project in the soak: a module, input files, a drawing, and what is edited in them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import flowcore as fc
from tests.drawings import Model
from tests.model.edits import EDITS, FAMILIES, Scene, files_in
from tests.model.world import MODULE, World
from tests.programs import programs
from tests.soak.chance import Chance
from tests.soak.child import TAIL

RUNNERS = (None, None, None, "thread", "inline")
IN_PLACE = ("turn", "dress", "write")  # edits of what a run that goes on may read


@dataclass
class Project:
    """One of them. `live` counts the runs that go on."""

    folder: Path
    scene: Scene
    live: int = 0
    runs: int = 0
    stirs: int = 0  # edits of files so far
    told: list[str] = field(default_factory=list)

    @classmethod
    def begin(cls, folder: Path, chance: Chance) -> Project:
        """Make one up."""
        folder.mkdir(parents=True, exist_ok=True)
        steps = chance(programs(most=8, runners=RUNNERS, lively=True, dozing=True))
        files = files_in(folder)
        documents = tuple(fc.File(path) for path in files)
        scene = Scene(steps, World.of(step.function for step in steps), families=(*FAMILIES, documents), files=files)
        project = cls(folder, scene)
        project.write()
        return project

    @property
    def script(self) -> Path:
        """The module, which is a script as well."""
        return self.folder / f"{MODULE}.py"

    def write(self) -> None:
        """Write the module as it is now, in one go: a run may be about to read it."""
        draft = self.script.with_suffix(f".{os.getpid()}")
        draft.write_text(self.scene.world.source() + TAIL)
        draft.rename(self.script)

    def edit(self, chance: Chance, *, most: int) -> int:
        """Edit up to `most` times; give how often it was."""
        edits = chance.random.randint(0, most)
        for _ in range(edits):
            name = chance.random.choice([*EDITS])
            EDITS[name](self.scene, chance)
            self.stirs += name in IN_PLACE
        if edits:
            self.write()
        return edits

    def model(self) -> Model:
        """Give what the drawing means now."""
        scene = self.scene
        model = Model(scene.steps, axes=scene.axes, codes=scene.world.codes({}))
        model.all()
        return model
