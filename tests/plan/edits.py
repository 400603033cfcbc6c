"""The edit matrix (contract KT3): what is edited, whether the result may be reused, and what `why` says.

A row is a task in a file of its own kind, written twice. All rows of one state stand in
one folder and are run by one process, so that the whole matrix costs a few processes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One edit, and what has to come of it.

    Attributes
    ----------
    name : str
        Of the row; its node is called so.
    code : str
        The file, with ``§`` where it differs; the task is ``task``.
    before, after : str
        What stands for ``§``.
    was, now : object
        The results; ``now`` is what the edited code gives.
    cause : str
        What `why` has to say; empty: the result has to be reused.
    draw : str
        How the task is drawn, with ``§`` likewise.
    beside : str
        Another module of the row, ``NAME_far``, with ``§`` likewise.
    """

    name: str
    code: str
    before: str = "1"
    after: str = "2"
    was: object = 1
    now: object = 2
    cause: str = ""
    draw: str = "flow.add(m.task, name=NAME)"
    beside: str = ""


def _hit(name: str, code: str, before: str, after: str, *, draw: str = "flow.add(m.task, name=NAME)") -> Edit:
    return Edit(name=name, code=code, before=before, after=after, was=1, now=1, draw=draw)


MISSES = (
    Edit(name="body", code="def task():\n    return §\n", cause="its body changed"),
    Edit(name="default", code="def task(x=§):\n    return x\n", cause="default x: 1 -> 2"),
    Edit(name="keyword default", code="def task(*, x=§):\n    return x\n", cause="default x: 1 -> 2"),
    Edit(
        name="closure",
        code="def maker(n):\n    def task():\n        return n\n    return task\ntask = maker(§)\n",
        cause="closure n: 1 -> 2",
    ),
    Edit(name="global constant", code="DT = §\ndef task():\n    return DT\n", cause="global DT: 1 -> 2"),
    Edit(
        name="global dict",
        code="TABLE = {'a': §}\ndef task():\n    return TABLE['a']\n",
        cause="global TABLE: {'a': 1} -> {'a': 2}",
    ),
    Edit(
        name="helper",
        code="def near():\n    return §\ndef task():\n    return near()\n",
        cause="helper MODULE:near changed",
    ),
    Edit(
        name="helper of a helper",
        code="def far():\n    return §\ndef near():\n    return far()\ndef task():\n    return near()\n",
        cause="helper MODULE:far changed",
    ),
    Edit(
        name="helper at depth 3",
        code="def c():\n    return §\ndef b():\n    return c()\ndef a():\n    return b()\n"
        "def task():\n    return a()\n",
        cause="helper MODULE:c changed",
    ),
    Edit(
        name="helper in another module",
        code="from MODULE_far import far\ndef task():\n    return far()\n",
        beside="def far():\n    return §\n",
        cause="helper MODULE_far:far changed",
    ),
    Edit(
        name="global of another module's helper",
        code="import MODULE_far\ndef task():\n    return MODULE_far.far()\n",
        beside="SCALE = §\ndef far():\n    return SCALE\n",
        cause="global SCALE: 1 -> 2",
    ),
    Edit(
        name="module imported in a body",
        code="def task():\n    import MODULE_far\n    return MODULE_far.LIMIT\n",
        beside="LIMIT = §\n",
        cause="global MODULE_far.LIMIT: 1 -> 2",
    ),
    Edit(
        name="method",
        code="class Model:\n    def go(self):\n        return §\ndef task():\n    return Model().go()\n",
        cause="helper MODULE:Model.go changed",
    ),
    Edit(
        name="base class",
        code="class Base:\n    def go(self):\n        return §\nclass Model(Base):\n    pass\n"
        "def task():\n    return Model().go()\n",
        cause="helper MODULE:Base.go changed",
    ),
    Edit(
        name="another base class",
        code="class One:\n    x = 1\nclass Two:\n    x = 2\nclass Model(§):\n    pass\n"
        "def task():\n    return Model.x\n",
        before="One",
        after="Two",
        cause="class MODULE:Two: absent -> used",
    ),
    Edit(
        name="class attribute",
        code="class Model:\n    factor = §\ndef task():\n    return Model.factor\n",
        cause="class attribute factor of MODULE:Model: 1 -> 2",
    ),
    Edit(
        name="field of a dataclass",
        code="from dataclasses import dataclass\n@dataclass\nclass Config:\n    rate: int = §\n"
        "def task():\n    return Config().rate\n",
        cause="class field rate default of MODULE:Config: 1 -> 2",
    ),
    Edit(
        name="member of an enum",
        code="import enum\nclass Mode(enum.Enum):\n    FAST = §\ndef task():\n    return Mode.FAST.value\n",
        cause="class members of MODULE:Mode: [['FAST', 1]] -> [['FAST', 2]]",
    ),
    Edit(
        name="decorator's body",
        code="import functools\ndef decorate(function):\n    @functools.wraps(function)\n    def wrapper():\n"
        "        return function() * §\n    return wrapper\n@decorate\ndef task():\n    return 1\n",
        cause="its body changed",
    ),
    Edit(
        name="what a decorator wraps",
        code="import functools\ndef decorate(function):\n    @functools.wraps(function)\n    def wrapper():\n"
        "        return function()\n    return wrapper\n@decorate\ndef task():\n    return §\n",
        cause="helper MODULE:task changed",
    ),
    Edit(
        name="partial's argument",
        code="import functools\ndef given(x):\n    return x\ntask = functools.partial(given, §)\n",
        cause="partial args: (1,) -> (2,)",
    ),
    Edit(
        name="bound self",
        code="class Model:\n    pass\nimport operator\ntask = [§].copy\n",
        was=[1],
        now=[2],
        cause="bound self: [1] -> [2]",
    ),
    Edit(
        name="constant in a comprehension",
        code="def task():\n    return sum([i * § for i in (0, 1)])\n",
        cause="its body changed",
    ),
    Edit(
        name="nested def",
        code="def task():\n    def inner():\n        return §\n    return inner()\n",
        cause="its body changed",
    ),
    Edit(
        name="second lambda on a line",
        code="pair = (lambda: 11), (lambda: 12)\ntask = pair[§]\n",
        before="0",
        after="1",
        was=11,
        now=12,
        cause="its body changed",
    ),
    Edit(
        name="constant of another type",
        code="def task():\n    return type(§).__name__\n",
        before="1",
        after="1.0",
        was="int",
        now="float",
        cause="its body changed",
    ),
    Edit(
        name="function in a table",
        code="def one():\n    return §\nTABLE = {'a': [one]}\ndef task():\n    return TABLE['a'][0]()\n",
        cause="helper MODULE:one changed",
    ),
    Edit(
        name="implementation for singledispatch",
        code="import functools\n@functools.singledispatch\ndef told(x):\n    return 0\n@told.register\n"
        "def _(x: int):\n    return §\ndef task():\n    return told(1)\n",
        cause="helper MODULE:_ changed",
    ),
    Edit(
        name="annotation that singledispatch reads",
        code="import functools\ndef task():\n    @functools.singledispatch\n    def told(x):\n        return 2\n"
        "    @told.register\n    def _(x: §):\n        return 1\n    return told(1)\n",
        before="int",
        after="float",
        cause="its body changed",
    ),
    Edit(
        name="metaclass",
        code="class Meta(type):\n    def __call__(cls):\n        return §\nclass Made(metaclass=Meta):\n    pass\n"
        "def task():\n    return Made()\n",
        cause="helper MODULE:Meta.__call__ changed",
    ),
    Edit(
        name="cached helper",
        code="import functools\n@functools.lru_cache\ndef near():\n    return §\ndef task():\n    return near() + 0\n",
        cause="helper MODULE:near changed",
    ),
    Edit(
        name="method of an argument's class",
        code="from dataclasses import dataclass\n@dataclass\nclass Land:\n    x: int\n    def area(self):\n"
        "        return self.x * §\ndef task(land):\n    return land.area()\n",
        draw="flow.add(m.task, m.Land(1), name=NAME)",
        cause="helper MODULE:Land.area changed",
    ),
    Edit(
        name="method of an upstream value's class",
        code="from dataclasses import dataclass\n@dataclass\nclass Land:\n    x: int\n    def area(self):\n"
        "        return self.x * §\ndef first():\n    return Land(1)\ndef task(land):\n    return land.area()\n",
        draw="flow.add(m.task, flow.add(m.first, name='first'), name=NAME)",
        cause="needs first, which will run: helper MODULE:Land.area changed",
    ),
    Edit(
        name="version of a distribution",
        code="import MODULE_lib\ndef task():\n    return MODULE_lib.value()\n",
        cause="library row-version-of-a-distribution-lib: 1.0 -> 2.0",
    ),
    Edit(
        name="tracked variable",
        code="import os\ndef task():\n    return int(os.environ['FLOWCORE_TEST_TRACKED'])\n",
        draw="flow.add(fc.compute(m.task, tracks=('env:FLOWCORE_TEST_TRACKED',)), name=NAME)",
        cause="tracked env:FLOWCORE_TEST_TRACKED: '1' -> '2'",
    ),
    Edit(
        name="tracked file",
        code="import pathlib\nDATA = str(pathlib.Path(__file__).with_suffix('.txt'))\n"
        "def task():\n    return int(open(DATA).read())\n",
        draw="flow.add(fc.compute(m.task, tracks=(__import__('pathlib').Path(m.DATA),), ignore=('global:DATA',)), "
        "name=NAME)",
        cause="tracked file MODULE.txt: #",
    ),
    Edit(
        name="version of the task",
        code="def task():\n    return 1\n",
        now=1,
        draw="flow.add(fc.compute(m.task, version='§'), name=NAME)",
        cause="version 1 -> 2",
    ),
    Edit(
        name="argument",
        code="def task(x):\n    return x\n",
        draw="flow.add(m.task, §, name=NAME)",
        cause="argument x: 1 -> 2",
    ),
    Edit(
        name="function as argument",
        code="def given():\n    return §\ndef task(f):\n    return f()\n",
        draw="flow.add(m.task, m.given, name=NAME)",
        cause="argument f: #",
    ),
    Edit(
        name="value of another node",
        code="def first():\n    return §\ndef task(x):\n    return x\n",
        draw="flow.add(m.task, flow.add(m.first, name='first'), name=NAME)",
        cause="needs first, which will run: its body changed",
    ),
    Edit(
        name="seed of a task with fc.rng()",
        code="import flowcore as fc\n@fc.compute\ndef task(rng=fc.rng()):\n"
        "    return type(rng.bit_generator).__name__\n",
        was="PCG64DXSM",
        now="PCG64DXSM",
        cause="seed 0 -> 1",
    ),
)

HITS = (
    _hit("comment", "def task():\n    # §\n    return 1\n", "one", "two"),
    _hit("blank line", "def task():§\n    return 1\n", "", "\n\n"),
    _hit("docstring", 'def task():\n    """§"""\n    return 1\n', "One.", "Two, longer."),
    _hit("docstring that is new", "def task():§\n    return 1\n", "", '\n    """Say."""'),
    _hit("annotation", "def task(x§ = 1):\n    return x\n", ": int", ": float"),
    _hit("annotation of a helper", "def near(x)§:\n    return x\ndef task():\n    return near(1)\n", "", " -> int"),
    _hit("line numbers", "§def task():\n    return 1\n", "", "\n\nimport os\n\n"),
    _hit("functions reordered", "§", "def a():\n    return 1\ndef task():\n    return a()\n",
         "def task():\n    return a()\ndef a():\n    return 1\n"),
    _hit("task renamed", "def §():\n    return 1\ntask = §\n", "one", "two"),
    _hit("recursive task renamed", "def §(n=3):\n    return n if n == 1 else §(n - 1)\ntask = §\n", "one", "two"),
    _hit("helper moved", "from § import far\ndef task():\n    return far()\n", "MODULE_far", "MODULE_other"),
    _hit("unused global", "X = §\ndef task():\n    return 1\n", "1", "2"),
    _hit("default written out", "def task(x=1):\n    return x\n", "", "x=1, ", draw="flow.add(m.task, §name=NAME)"),
    _hit("keyword for position", "def task(x):\n    return x\n", "1", "x=1", draw="flow.add(m.task, §, name=NAME)"),
    _hit("other cores and timeout", "def task():\n    return 1\n", "cores=1, timeout=50", "cores=2, timeout=60",
         draw="flow.add(fc.compute(m.task, §), name=NAME)"),
    _hit("grid reordered", "def task(x):\n    return 1\n", "'a', 'b'", "'b', 'a'",
         draw="flow.add(m.task, fc.each(x=[§]), name=NAME)"),
    _hit("seed of a task without fc.rng()", "def task():\n    return 1\n", "", ""),
)  # fmt: skip

DRIVE = """
import importlib, json, os, sys
folder, store, drawing = sys.argv[1:4]
for place in ("site-packages", "."):
    sys.path.insert(0, os.path.join(folder, place))
if os.environ.get("FLOWCORE_TEST_SABOTAGE"):
    from tests.plan import sabotages
    getattr(sabotages, os.environ["FLOWCORE_TEST_SABOTAGE"])()
if os.environ.get("FLOWCORE_TEST_TRACE"):
    sys.settrace(lambda frame, event, argument: None)
import flowcore as fc
flows = {}
for NAME, module, text in json.loads(open(drawing).read()):
    m = importlib.import_module(module)
    flow = fc.Flow(NAME)
    exec(text)
    flows[NAME] = flow
told = {}
seed = int(os.environ["FLOWCORE_TEST_SEED"])
for name, flow in flows.items():
    why = flow.why(name, store=store, seed=seed)
    told[name] = {"verdict": why.verdict, "causes": [str(reason) for reason in why.changes]}
for name, flow in flows.items():
    run = flow.run(store=store, executor="inline", progress=False, seed=seed)
    value = run[name]
    told[name] |= {"value": value.array().max().item() if isinstance(value, fc.Grid) else value,
                   "hit": run.counts(name).done == 0}
print(json.dumps(told))
"""


def module_of(edit: Edit) -> str:
    """Give the name of a row's module."""
    return "row_" + "".join(c if c.isalnum() else "_" for c in edit.name)


def write(folder: Path, edits: tuple[Edit, ...], *, edited: bool) -> Path:
    """Write the files of one state of all rows; give the file that says how they are drawn."""
    site = folder / "site-packages"
    site.mkdir(parents=True)
    drawing = []
    for edit in edits:
        module, what = module_of(edit), edit.after if edited else edit.before

        def put(name: str, text: str, place: Path = folder, *, what: str = what, module: str = module) -> None:
            place.joinpath(name).write_text(text.replace("§", what).replace("MODULE", module))

        put(f"{module}.py", edit.code)
        if edit.beside:
            put(f"{module}_far.py", edit.beside)
        if edit.name == "helper moved":
            put(f"{what.replace('MODULE', module)}.py", "def far():\n    return 1\n")
        if edit.name == "tracked file":
            put(f"{module}.txt", "§")
        if edit.name == "version of a distribution":
            version = f"{what}.0"
            put("MODULE_lib.py".replace("MODULE", module), "def value():\n    return §\n", site)
            info = site / f"{module}_lib-{version}.dist-info"
            info.mkdir()
            info.joinpath("RECORD").write_text(f"{module}_lib.py,,\n")
        drawing.append([edit.name, module, "flow.result = " + edit.draw.replace("§", what)])
    path = folder / "drawing.json"
    path.write_text(json.dumps(drawing))
    return path


def carry_out(
    folder: Path, store: Path, *, edited: bool, under: tuple[str, ...] = (), **environ: str
) -> dict[str, Any]:
    """Run one state of its rows in a process of its own; give what came of each.

    `under` are arguments of Python that stand before the script.
    """
    driver = folder / "drive.py"
    driver.write_text(DRIVE)
    done = subprocess.run(
        [sys.executable, "-B", *under, str(driver), str(folder), str(store), str(folder / "drawing.json")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "7" if edited else "1",
             "FLOWCORE_TEST_TRACKED": "2" if edited else "1", "FLOWCORE_TEST_SEED": "1" if edited else "0", **environ},
        capture_output=True, text=True, timeout=120, check=False, cwd=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
