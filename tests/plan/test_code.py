"""Claims about plan/code.py: which edits change the identity of code, and which do not."""

# ruff: noqa: E501 - tables are read by column

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import itertools
import logging
import operator
import pathlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import flowcore.plan.bytecode
from flowcore.plan import code as plan
from flowcore.plan import libraries, pieces, reach
from flowcore.plan.code import Fingerprint, class_identity, fingerprint, identify_value
from flowcore.plan.encode import NoEncoding

BASE = '''
import functools, numpy as np, enum, dataclasses
from flowcore_test_far import far
import flowcore_test_far as distant
DT = 0.1
TABLE = {"a": [1, 2]}
class Base:
    def rate(self): return 1
class Model(Base):
    factor = 2
    def step(self, x): return x * self.factor
class Mode(enum.Enum):
    FAST = 1
@dataclasses.dataclass
class Config:
    rate: float = 0.5
    tags: list = dataclasses.field(default_factory=list)
def deep(x): return x + 3
def middle(x): return deep(x)
def helper(x):
    """Help."""
    return middle(x)
def decorate(function):
    @functools.wraps(function)
    def wrapper(*args): return function(*args) + 0
    return wrapper
@decorate
def decorated(x): return x
def maker(n):
    def inner(x): return x + n
    return inner
add = maker(1)
part = functools.partial(pow, 2)
pair = lambda x: x + 1, lambda x: x + 2
two = pair[1]
def even(n): return n == 0 or odd(n - 1)
def odd(n): return n != 0 and even(n - 1)
def f(x, rate=0.1, *, mode="fast"):
    """Say something."""
    # a comment
    import flowcore_test_body
    if x in {"a", "b", 7}:
        return [i * 2 for i in range(3)]
    model = Model()
    def local(y): return y - 1
    return (helper(x) * DT + TABLE["a"][0] + model.step(x) + decorated(x) + add(x) + part(x) + two(x) + local(x)
            + far(x) + distant.other(x) + flowcore_test_body.value(x) + even(x) + np.linalg.norm(x) + Config().rate
            + Mode.FAST.value)
'''
FAR = "SCALE = 2\ndef far(x): return x * SCALE\ndef other(x): return x\ndef unused(x): return x\n"
BODY = "LIMIT = 9\ndef value(x): return x + LIMIT\n"

_names = itertools.count()


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Each test begins as a run does."""
    plan.forget()
    yield
    plan.forget()


class Library:
    """Writes modules into a directory on the path, and imports them anew."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory

    def load(self, source: str, *, far: str = FAR, body: str = BODY, name: str = "") -> Any:
        name = name or f"flowcore_test_{next(_names)}"
        for module, text in ((name, source), ("flowcore_test_far", far), ("flowcore_test_body", body)):
            sys.modules.pop(module, None)
            path = self.directory / f"{module}.py"
            path.write_text(text)
            cached = pathlib.Path(importlib.util.cache_from_source(str(path)))
            cached.unlink(missing_ok=True)  # an edit of one size in one second would load stale bytecode
        importlib.invalidate_caches()
        plan.forget()
        return importlib.import_module(name)

    def print(self, source: str, **options: str) -> Fingerprint:
        return fingerprint(self.load(source, **options).f)


@pytest.fixture
def library(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    """A place for modules of the user."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield Library(tmp_path)
    for name in set(sys.modules) - before:
        if name.startswith("flowcore_test_"):
            del sys.modules[name]


MUST_DIFFER = {
    "body": ("model = Model()", "model = Model(); x = x + 1", "body"),
    "operator": ("y - 1", "y + 1", "body"),
    "default": ("rate=0.1", "rate=0.2", "default rate"),
    "default's type": ("rate=0.1", "rate=1", "default rate"),
    "keyword default": ('mode="fast"', 'mode="slow"', "default mode"),
    "global constant": ("DT = 0.1", "DT = 0.2", "global DT"),
    "global's type": ("DT = 0.1", "DT = True", "global DT"),
    "global dict": ('"a": [1, 2]', '"a": [1, 3]', "global TABLE"),
    "helper 1": ("return middle(x)", "return middle(x) + 0", "helper"),
    "helper 2": ("return deep(x)", "return deep(x) + 0", "helper"),
    "helper 3": ("x + 3", "x + 4", "helper"),
    "method": ("x * self.factor", "x / self.factor", "helper"),
    "base class": ("def rate(self): return 1", "def rate(self): return 2", "helper"),
    "base": ("class Model(Base)", "class Model", "class"),
    "class attribute": ("factor = 2", "factor = 3", "attribute factor"),
    "decorator": ("function(*args) + 0", "function(*args) + 1", "helper"),
    "decorated": ("def decorated(x): return x", "def decorated(x): return -x", "helper"),
    "decorator taken off": ("@decorate\n", "", "helper"),
    "closure": ("maker(1)", "maker(2)", "closure n"),
    "partial": ("pow, 2", "pow, 3", "partial args"),
    "partial's function": ("partial(pow, 2)", "partial(max, 2)", ""),
    "comprehension": ("i * 2", "i * 3", "body"),
    "nested function": ("def local(y): return y - 1", "def local(y): return y - 2", "body"),
    "second lambda": ("lambda x: x + 2", "lambda x: x + 1", "helper"),
    "cycle": ("n != 0", "n != 1", "helper"),
    "frozenset": ('"b", 7', '"b", 8', "body"),
    "constant's type": ('"b", 7', '"b", 7.0', "body"),
    "enum member": ("FAST = 1", "FAST = 2", "members"),
    "dataclass default": ("rate: float = 0.5", "rate: float = 0.6", "field rate"),
    "dataclass factory": ("default_factory=list", "default_factory=dict", ""),
    "dataclass option": ("@dataclasses.dataclass", "@dataclasses.dataclass(order=True)", "dataclass"),
    "library function": ("np.linalg.norm", "np.linalg.det", "body"),
    "library alias": ("numpy as np, enum", "scipy as np, enum", "library"),
    "unbound": ("DT = 0.1", "", "global DT"),
}
MUST_AGREE = {
    "comment": ("# a comment", "# another comment, longer"),
    "blank lines": ("\n    model", "\n\n\n    model"),
    "docstring": ("Say something.", "Say something else."),
    "no docstring": ('    """Say something."""\n', ""),
    "helper's docstring": ('"""Help."""', '"""Help more."""'),
    "annotation": ("def f(x, rate", "def f(x: int, rate: 'float'"),
    "return annotation": ("def helper(x):", "def helper(x: list) -> 'dict':"),
    "another function": ("DT = 0.1", "DT = 0.1\ndef unrelated(): return DT"),
    "reordered": ("class Mode(enum.Enum):\n    FAST = 1\n", ""),
    "methods reordered": (
        "    factor = 2\n    def step(self, x): return x * self.factor",
        "    def step(self, x): return x * self.factor\n    factor = 2",
    ),
    "dict display of a set": ('{"a", "b", 7}', '{7, "b", "a"}'),
    "imports": ("import functools, numpy", "import sys, json, functools, numpy"),
    "the future": ("\nimport functools", "from __future__ import annotations\nimport functools"),
    "class docstring": ("class Model(Base):", "class Model(Base):\n    'A model.'"),
    "class annotation": ("    factor = 2", "    factor: int = 2"),
}


@pytest.mark.contract("KT3")
@pytest.mark.parametrize("edit", MUST_DIFFER)
def test_edits_that_count(edit: str, library: Library) -> None:
    """Every edit of what runs changes the identity, and its parts name the place."""
    old, new, part = MUST_DIFFER[edit]
    assert 1 == BASE.count(old)
    before, after = (
        library.print(BASE, name="flowcore_test_a"),
        library.print(BASE.replace(old, new), name="flowcore_test_a"),
    )
    changed = {name for name, _ in {*before.parts} ^ {*after.parts}}

    assert before.digest != after.digest
    assert not part or any(name.startswith(part) for name in changed), changed


@pytest.mark.contract("KT3")
@pytest.mark.parametrize("edit", MUST_AGREE)
def test_edits_that_do_not_count(edit: str, library: Library) -> None:
    """What does not change what runs does not change the identity."""
    old, new = MUST_AGREE[edit]
    assert 1 == BASE.count(old)
    edited = BASE.replace(old, new)
    if edit == "reordered":
        edited += old

    assert library.print(BASE).digest == library.print(edited).digest


@pytest.mark.contract("KT3", "K27")
def test_moved_and_renamed(library: Library) -> None:
    """The file, the module and the name of a function do not count."""
    here = library.print(BASE, name="flowcore_test_here")
    there = library.print(BASE, name="flowcore_test_there")
    renamed = fingerprint(library.load(BASE.replace("def f(", "def g(")).g)

    assert here.digest == there.digest == renamed.digest


@pytest.mark.contract("KT3", "K7")
@pytest.mark.parametrize(
    "edit",
    [{"far": FAR.replace("x * SCALE", "x + SCALE")}, {"far": FAR.replace("SCALE = 2", "SCALE = 3")},
     {"far": FAR.replace("def other(x): return x", "def other(x): return -x")},
     {"body": BODY.replace("x + LIMIT", "x - LIMIT")}, {"body": BODY.replace("9", "8")}],
)  # fmt: skip
def test_edits_in_other_modules(edit: dict[str, str], library: Library) -> None:
    """Helpers of other modules count, by name, by attribute, and imported inside a body."""
    assert library.print(BASE).digest != library.print(BASE, **edit).digest


@pytest.mark.contract("K7")
def test_unused_parts_of_other_modules(library: Library) -> None:
    """Of a module read by attributes only these count; a module handed on counts whole."""
    far = FAR.replace("def unused(x): return x", "def unused(x): return -x")
    whole = "import flowcore_test_far\ndef f(x): return use(flowcore_test_far)\ndef use(m): return m.far(1)\n"

    assert library.print(BASE).digest == library.print(BASE, far=far).digest
    assert library.print(whole).digest != library.print(whole, far=far).digest


@pytest.mark.contract("K6")
def test_nested_code_reads_globals(library: Library) -> None:
    """Names read only by a nested function, a comprehension or a class body count."""
    source = (
        "A = 1\nB = 2\nC = 3\ndef deep(): return 4\n"
        "def f(x):\n    def inner():\n        return [B for _ in range(A)], deep()\n"
        "    class Local:\n        c = C\n    return inner, Local\n"
    )
    found = [library.print(source.replace(old, new)).digest
             for old, new in (("", ""), ("A = 1", "A = 9"), ("B = 2", "B = 9"), ("C = 3", "C = 9"), ("return 4", "return 9"))]  # fmt: skip

    assert len(found) == len(set(found))


HIDDEN = {  # what a task reads in ways that are easily overlooked: source, and how its 1 may become 2
    "vectorize": "import numpy as np\ndef inner(x): return x + 1\nv = np.vectorize(inner)\ndef f(x): return v(x)\n",
    "vectorize signature": "import numpy as np\ndef inner(x): return x\nv = np.vectorize(inner, signature='(n1)->()')\ndef f(x): return v(x)\n",
    "vectorize excluded": "import numpy as np\ndef inner(x): return x\nv = np.vectorize(inner, excluded={1})\ndef f(x): return v(x)\n",
    "helper's docstring": "def helper():\n    'Doc 1.'\ndef f(x): return helper.__doc__\n",
    "docstring by another name": "def helper():\n    'Doc 1.'\ndef f(x):\n    h = helper\n    return h.__doc__\n",
    "class docstring": "class C:\n    'Doc 1.'\ndef f(x): return C.__doc__\n",
    "method's docstring": "class C:\n    def m(self):\n        'Doc 1.'\ndef f(x): return C.m.__doc__\n",
    "class annotations": "class C:\n    a1: int\ndef f(x): return list(C.__annotations__)\n",
    "imported docstring": "def f(x):\n    from flowcore_test_body import value\n    return value.__doc__\n",
    "dunder attribute": "class C:\n    __scale__ = 1\ndef f(x): return C.__scale__\n",
    "module's getattr": "import flowcore_test_body\ndef f(x): return flowcore_test_body.lazy\n",
    "module inside": "def f(x):\n    import flowcore_test_body as b\n    def inner(): return b.settings['dt']\n    return inner()\n",
    "module without use": "def f(x):\n    import flowcore_test_body\n",
    "module by name": "def f(x):\n    from flowcore_test_body import settings as s\n    return s['dt']\n",
    "dispatched method": "import functools\nclass C:\n    @functools.singledispatchmethod\n    def m(self, x): return x\n    @m.register\n    def _(self, x: int): return 1\ndef f(x): return C().m(x)\n",
    "derived logger": "import logging\nclass L(logging.Logger):\n    def factor(self): return 1\nlog = L('x')\ndef f(x): return log.factor()\n",
    "derived logger's state": "import logging\nclass L(logging.LoggerAdapter): pass\nlog = L(logging.getLogger('x'), {'k': 1})\ndef f(x): return log.extra['k']\n",
    "attribute of a decorated function": "def scaled(rate):\n    def decorate(g):\n        g.rate = rate\n        def wrapper(x): return g(x) * g.rate\n        return wrapper\n    return decorate\n@scaled(1)\ndef f(x): return x\n",
    "attribute of a method": "class C:\n    def m(self): return self.m.rate\n    m.rate = 1\ndef f(x): return C().m()\n",
    "class behind an alias": "import typing\nT = typing.TypeVar('T')\nclass Box(typing.Generic[T]):\n    def get(self): return 1\nIntBox = Box[int]\ndef f(x): return IntBox().get()\n",
    "class behind a built-in alias": "import types\nclass L(list):\n    def get(self): return 1\nInts = types.GenericAlias(L, (int,))\ndef f(x): return Ints(x).get()\n",
    "class in a union": "import typing\nclass A:\n    k = 1\nEither = A | int\ndef f(x): return typing.get_args(Either)[0].k\n",
    "note of an annotation": "import dataclasses, typing\n@dataclasses.dataclass\nclass Unit:\n    def scale(self): return 1\nLength = typing.Annotated[float, Unit()]\ndef f(x): return Length.__metadata__[0].scale()\n",
    "order of matching": "class P:\n    __match_args__ = ('b', 'c')[::3 - 2 * 1]\n    b, c = 'xy'\ndef f(x):\n    match P():\n        case P(a): return a\n",
    "metadata of a field": "import dataclasses\n@dataclasses.dataclass\nclass C:\n    x: int = dataclasses.field(default=0, metadata={'unit': 1})\ndef f(x): return dataclasses.fields(C)[0].metadata\n",
    "order of slots": "class C:\n    __slots__ = ('b', 'c')[::3 - 2 * 1]\ndef f(x): return C.__slots__\n",
    "partial as enum member": "import enum, functools\nclass Op(enum.Enum):\n    TWICE = functools.partial(pow, 1)\ndef f(x): return Op.TWICE.value(x)\n",
    "function behind an enum member": "import enum\ndef helper(): return 1\nclass Op(enum.Enum):\n    CALL = (lambda: helper(),)\ndef f(x): return Op.CALL.value[0]()\n",
    "class of an enum member": "import dataclasses, enum\n@dataclasses.dataclass(frozen=True)\nclass V:\n    def get(self): return 1\nclass Op(enum.Enum):\n    A = V()\ndef f(x): return Op.A.value.get()\n",
    "private constant of an enum": "import enum\nclass Planet(enum.Enum):\n    __G = 1\n    EARTH = 'e'\n    def weight(self): return self.__G\ndef f(x): return Planet.EARTH.weight()\n",
    "private property of an enum": "import enum\nclass Planet(enum.Enum):\n    EARTH = 'e'\n    @property\n    def _g(self): return 1\ndef f(x): return Planet.EARTH._g\n",
    "missing member of an enum": "import enum\nclass Op(enum.Enum):\n    A = 'a'\n    @classmethod\n    def _missing_(cls, value): return cls.A if value == 1 else None\ndef f(x): return Op(x)\n",
    "derived property": "class scaled(property):\n    def __get__(self, owner, kind=None): return super().__get__(owner, kind) * 1\nclass C:\n    @scaled\n    def x(self): return 5\ndef f(x): return C().x\n",
    "derived partial": "import functools\nclass Scaled(functools.partial):\n    def __call__(self, *args): return super().__call__(*args) * 1\nh = Scaled(pow, 3)\ndef f(x): return h(x)\n",
    "slot of a decorator": "import functools\nclass Scaled:\n    __slots__ = ('by', '__dict__')\n    def __init__(self, g, by):\n        functools.update_wrapper(self, g)\n        self.by = by\n    def __call__(self, x): return self.by * x\nh = Scaled(pow, 1)\ndef f(x): return h(x)\n",
    "class made by a call": "import dataclasses\nC = dataclasses.make_dataclass('C', [('x', int, 1)])\ndef f(x): return C().x\n",
    "class made by another call": "import types\nC = types.new_class('C', (), {}, lambda space: space.update(x=1))\ndef f(x): return C.x\n",
    "name of a helper": "def helper1(): pass\nalias = helper1\ndef f(x): return alias.__name__\n",
}  # fmt: skip
HIDDEN_BODY = """settings = {"dt": 1}
def value(x):
    'Doc 1.'
def __getattr__(name): return settings["dt"]
"""


@pytest.mark.contract("KT3", "K5", "K7")
@pytest.mark.parametrize("case", HIDDEN)
def test_edits_in_hidden_places(case: str, library: Library) -> None:
    """What is wrapped in C, read as a docstring, or imported inside a body counts like all the rest."""
    source = HIDDEN[case]
    before = library.print(source, body=HIDDEN_BODY, name="flowcore_test_a")
    inside = "flowcore_test_body" in source
    after = library.print(
        source if inside else source.replace("1", "2"),
        body=HIDDEN_BODY.replace("1", "2") if inside else HIDDEN_BODY,
        name="flowcore_test_a",
    )

    assert before.digest != after.digest


REFUSED = {  # what cannot be told apart, and how the refusal names it
    "ufunc": ("import numpy as np\nu = np.frompyfunc(abs, 1, 1)\ndef f(x): return u(x)\n", "global u"),
    "ufunc in a list": ("import numpy as np\nu = [np.frompyfunc(abs, 1, 1)]\ndef f(x): return u[0](x)\n", "global u[0]"),
    "ufunc's method": ("import numpy as np\nr = np.frompyfunc(max, 2, 1).reduce\ndef f(x): return r(x)\n", "bound self"),
    "module inside": ("def f(x):\n    import flowcore_test_body\n    return flowcore_test_body.settings.dt\n", "import flowcore_test_body.settings"),
    "module inside, renamed": ("def f(x):\n    import flowcore_test_body as b\n    return [b.settings.dt for _ in x]\n", "import flowcore_test_body.settings"),
    "module as value": ("import flowcore_test_body\ndef f(x):\n    m = flowcore_test_body\n    return m.settings.dt\n", "flowcore_test_body.settings"),
    "dunder attribute": ("import types\nclass C:\n    __scale__ = types.SimpleNamespace(k=1)\ndef f(x): return C.__scale__.k\n", "attribute __scale__"),
    "context variable": ("import contextvars\ncv = contextvars.ContextVar('cv', default=1)\ndef f(x): return cv.get()\n", "global cv"),
    "thread local": ("import threading\ntl = threading.local()\ntl.k = 1\ndef f(x): return tl.k\n", "global tl"),
}  # fmt: skip


@pytest.mark.contract("P1", "K9")
@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_followed_is_refused(case: str, library: Library) -> None:
    """Where an edit could not be seen there is no identity at all, and the refusal names the place."""
    source, path = REFUSED[case]
    body = "import types\nsettings = types.SimpleNamespace(dt=1)\n"
    with pytest.raises(NoEncoding) as refused:
        library.print(source, body=body)

    assert path == refused.value.path


@pytest.mark.contract("K7", "K9")
def test_modules_as_values_hold_what_modules_hold(library: Library) -> None:
    """Loggers, locks, modules, typing objects, functions, classes and tasks make no refusal of a module."""
    body = """from __future__ import annotations
import abc, dataclasses, enum, functools, logging, os, pathlib, re, threading, typing
import numpy as np
import flowcore as fc
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar
T = TypeVar("T")
Alias = dict[str, int]
Either = typing.Optional[int]
Union = int | None
Call = Callable[[int], int]
log = logging.getLogger(__name__)
lock, event, mark = threading.Lock(), threading.Event(), object()
HERE, WORD = pathlib.Path("x"), re.compile("x")
square = np.vectorize(lambda x: x * x)
total = np.add.reduce
class Error(ValueError): pass
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Box(Generic[T]): pass
class Sized(Protocol):
    def size(self) -> int: ...
class Row(typing.NamedTuple):
    a: int = 1
class Options(typing.TypedDict):
    a: int
class Mode(enum.Enum):
    A = 1
@dataclasses.dataclass(slots=True, frozen=True)
class Config:
    a: int = 1
    b: list = dataclasses.field(default_factory=list)
@functools.lru_cache
def cached(x): return x
@functools.singledispatch
def dispatched(x): return x
@fc.compute
def task(x): return x
def value(x): return x
"""
    source = "import flowcore_test_body\ndef f(x): return use(flowcore_test_body)\ndef use(m): return m.value(1)\n"

    assert library.print(source, body=body).digest != library.print(source, body=body.replace("x * x", "x + x")).digest


@pytest.mark.contract("K7")
def test_only_what_is_used_of_modules_inside(library: Library) -> None:
    """Of a module imported inside a body and read by attributes, only these count."""
    source = "def f(x):\n    import flowcore_test_body as b\n    return b.value(x)\n"
    odd = BODY + "import types\nsettings = types.SimpleNamespace(dt=1)\n"

    assert library.print(source, body=BODY).digest == library.print(source, body=odd).digest


@pytest.mark.contract("K7", "K9")
@pytest.mark.parametrize("failure", ["raise ValueError", "raise SystemExit", "1 / 0", "raise ImportError"])
def test_modules_that_fail_to_import(failure: str, library: Library) -> None:
    """A module that raises while it is imported is unbound, and never an exception of ours; its text counts."""
    source = "def f(x):\n    import flowcore_test_broken\n    from flowcore_test_broken import y\n"
    broken = library.directory / "flowcore_test_broken.py"
    broken.write_text(failure)
    before = library.print(source)
    broken.write_text(failure + "\n# edited")

    assert before.digest != library.print(source).digest
    assert ("ImportError" in failure) == (not before.unfollowed)


@pytest.mark.contract("K8")
def test_ufuncs_of_libraries_go_by_name(library: Library) -> None:
    """The ufuncs of numpy and scipy.special are theirs, under any of their names, each with its distribution."""
    from scipy import special

    ufuncs = [np.add, np.abs, special.erf, special.digamma]
    prints = [fingerprint(u) for u in ufuncs]

    assert len(ufuncs) == len({p.digest for p in prints})
    assert any(
        name.startswith("library scipy==")
        for name, _ in library.print("from scipy.special import erf\ndef f(x): return erf(x)\n").parts
    )


@pytest.mark.contract("K6")
def test_globals_are_read_once_a_run(library: Library) -> None:
    """A global changed in place counts from the next run on."""
    module = library.load(BASE)
    first = fingerprint(module.f)
    module.TABLE["a"].append(3)
    again = fingerprint(module.f)
    plan.forget()

    assert first is again
    assert first.digest != fingerprint(module.f).digest


@pytest.mark.contract("K4")
def test_warm_and_traced_code_is_the_same(library: Library) -> None:
    """Neither specialised instructions nor a tracer change the identity."""
    module = library.load("def f(x):\n    t = 0\n    for i in range(x): t += i\n    return t\n")
    cold = fingerprint(module.f).digest
    for _ in range(100):
        module.f(100)
    plan.forget()
    warm = fingerprint(module.f).digest
    tracer = sys.gettrace()
    sys.settrace(lambda *args: None)
    try:
        module.f(3)
        plan.forget()
        traced = fingerprint(module.f).digest
    finally:
        sys.settrace(tracer)

    assert cold == warm == traced


@pytest.mark.contract("KT1")
def test_processes_agree(library: Library) -> None:
    """Fresh processes under other hash seeds give one identity, and so does cloudpickle's copy of a function."""
    library.load(BASE, name="flowcore_test_seeds")
    script = (
        "import cloudpickle, pickle, sys; from flowcore.plan.code import fingerprint; import flowcore_test_seeds as m\n"
        "cloudpickle.register_pickle_by_value(m); print(fingerprint(m.f).digest.hex())\n"
        "copy = pickle.loads(cloudpickle.dumps(m.f)); assert copy is not m.f; print(fingerprint(copy).digest.hex())"
    )
    found = set()
    for seed in ("0", "1"):
        env = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join([str(library.directory), *sys.path])}
        out = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True).stdout
        found |= set(out.split())

    assert {fingerprint(sys.modules["flowcore_test_seeds"].f).digest.hex()} == found


def test_code_from_exec_has_an_identity() -> None:
    """Functions without a file are the user's; two lambdas on one line are two."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("a, b, c = lambda x: x + 1, lambda x: x + 2, lambda x: x + 1", space)

    assert fingerprint(space["a"]).digest != fingerprint(space["b"]).digest
    assert fingerprint(space["a"]).digest == fingerprint(space["c"]).digest


def test_generated_names_are_no_hiding_place() -> None:
    """A method that the user wrote counts, even where a dataclass might have generated one."""
    prints = set()
    for value in (1, 2):
        plan.forget()
        space: dict[str, Any] = {"__name__": "__main__", "dataclass": dataclasses.dataclass}
        exec(f"@dataclass(init=False)\nclass C:\n  x: int = 0\n  def __init__(self): self.x = {value}\n  def __eq__(self, o): return {value}\n"
             "def f(): return C().x\n", space)  # fmt: skip
        prints.add(fingerprint(space["f"]).digest)

    assert 2 == len(prints)


@pytest.mark.contract("K9")
def test_globals_without_encoding_are_named(library: Library) -> None:
    """A global that cannot be keyed is named, and can be left out by name."""
    module = library.load(
        "HANDLE = [iter([])]\ndef f(x, h=iter([])): return HANDLE, helper(x)\ndef helper(x): return HANDLE\n"
    )
    with pytest.raises(NoEncoding) as refused:
        fingerprint(module.f, ignore=("h",))
    assert ("global HANDLE[0]", "list_iterator") == (refused.value.path, refused.value.kind)
    with pytest.raises(NoEncoding, match="default h"):
        fingerprint(module.f, ignore=("global:HANDLE",))

    assert fingerprint(module.f, ignore=("global:HANDLE", "h")).digest


@pytest.mark.contract("K9")
def test_inert_globals(library: Library) -> None:
    """Locks, loggers and bare marks do not matter, and what computes names is listed."""
    source = (
        "import logging, threading\nlog = logging.getLogger('x')\nlock = threading.RLock()\nMARK = object()\n"
        "def f(x):\n    with lock: log.info('x')\n    return x is MARK or getattr(x, 'a' + 'b'), eval('x')\n"
    )
    found = library.print(source)

    assert ("eval()", "getattr()") == found.unfollowed


@pytest.mark.contract("K5")
def test_bindings(library: Library) -> None:
    """Bound values, wrapped functions and accessors all count."""
    source = (
        "import functools, operator, dataclasses\n"
        "@dataclasses.dataclass(frozen=True)\nclass C:\n    n: int = 0\n    def step(self, x): return x + self.n\n"
        "    @property\n    def p(self): return 1\n    @staticmethod\n    def s(): return 2\n    @classmethod\n    def c(cls): return 3\n"
        "    @functools.cached_property\n    def q(self): return 4\n"
        "class Timed:\n    def __init__(self, f, n):\n        self.n = n; functools.update_wrapper(self, f)\n"
        "    def __call__(self, x): return self.__wrapped__(x) + self.n\n"
        "def plain(x): return x + 5\ncached = functools.lru_cache(plain)\ntimed = Timed(plain, 6)\nget = operator.itemgetter(7)\n"
        "bound = C(8).step\nTABLE = {'k': plain}\ndef f(x): return C, cached, timed, get, bound, TABLE\n"
    )
    edits = [
        "return 1",
        "return 2",
        "return 3",
        "return 4",
        "x + 5",
        "(plain, 6)",
        "itemgetter(7)",
        "C(8)",
        "+ self.n\n    @prop",
        "(x) + self.n",
    ]
    found = [library.print(source).digest]
    for edit in edits:
        assert 1 == source.count(edit), edit
        changed = (
            edit.replace("+ self", "- self")
            if "self" in edit
            else "".join(str(int(c) + 1) if c.isdigit() else c for c in edit)
        )
        found.append(library.print(source.replace(edit, changed)).digest)

    assert len(found) == len(set(found))


def test_docstrings_count_where_they_are_read(library: Library) -> None:
    """Code that reads `__doc__` depends on it."""
    source = 'def f(x):\n    """One."""\n    return f.__doc__\n'

    assert library.print(source).digest != library.print(source.replace("One", "Two")).digest


def test_tasks_in_globals_are_their_functions(library: Library) -> None:
    """A task called plainly by another one counts by its function, and its options do not."""
    source = "import flowcore as fc\n@fc.compute(retries=1)\ndef inner(x): return x + 1\ndef f(x): return inner(x)\n"
    plain = library.print(source)

    assert plain.digest != library.print(source.replace("x + 1", "x + 2")).digest
    assert plain.digest == library.print(source.replace("retries=1", "retries=2")).digest
    module = library.load(source)
    assert fingerprint(module.inner).digest == fingerprint(module.inner.function).digest


@pytest.mark.contract("K8")
def test_libraries_go_by_distribution_and_version() -> None:
    """A library's function is its name, distribution and version; its code is not followed."""

    def f(x: object) -> object:
        return np.linalg.norm(x), pytest.raises, logging.getLogger("x"), threading.Lock()  # type: ignore[arg-type]

    parts = dict(fingerprint(f).parts)

    assert f"library numpy=={np.__version__}" in parts
    assert f"library pytest=={pytest.__version__}" in parts
    assert not any("logging" in name or "threading" in name for name in parts)


@pytest.mark.contract("K8")
def test_another_version_is_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade of a library that is reached counts."""

    def f(x: object) -> object:
        return pytest.raises

    before = fingerprint(f).digest
    real = libraries._installed
    monkeypatch.setattr(libraries, "_installed", lambda *a: dataclasses.replace(real(*a), version="99"))
    libraries._of_file.cache_clear()
    plan.forget()
    after = fingerprint(f).digest
    libraries._of_file.cache_clear()

    assert before != after


def test_versions_are_found_without_metadata() -> None:
    """Distribution and version come from the one dist-info that lists the module's file."""
    found = {
        name: libraries.origin_of_module(name)
        for name in ("numpy.linalg", "_pytest.python", "json", "_thread", "flowcore.errors")
    }

    assert ("numpy", np.__version__) == (found["numpy.linalg"].name, found["numpy.linalg"].version)
    assert ("pytest", pytest.__version__) == (found["_pytest.python"].name, found["_pytest.python"].version)
    assert ["stdlib", "stdlib", "own"] == [found[n].kind for n in ("json", "_thread", "flowcore.errors")]
    assert "user" == libraries.origin_of_module(__name__).kind
    assert np.__version__ == libraries.distribution("NumPy")
    assert "" == libraries.distribution("no-such-thing")


def test_site_packages_without_distribution(tmp_path: pathlib.Path) -> None:
    """A module that no distribution lists goes by the content of its file."""
    site = tmp_path / "site-packages"
    site.mkdir()
    origins = []
    for name, text in (("a", "x = 1"), ("b", "x = 2"), ("c", "x = 1")):
        (site / f"{name}.py").write_text(text)
        origins.append(libraries.origin_of({"__name__": name, "__file__": str(site / f"{name}.py")}))

    assert ["library"] * 3 == [o.kind for o in origins]
    assert origins[0].version == origins[2].version != origins[1].version


@pytest.mark.contract("K23")
def test_tracked_things(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files, variables, distributions and functions that are tracked count."""
    data = tmp_path / "data.txt"
    data.write_text("1")

    def f() -> int:
        return 1

    def other() -> int:
        return 2

    def found(*tracks: object) -> bytes:
        plan.forget()
        return fingerprint(f, tracks=tracks).digest

    one = found(data)
    as_text = found(str(data))
    data.write_text("2")
    monkeypatch.setenv("FLOWCORE_TEST", "1")
    env = found("env:FLOWCORE_TEST")
    monkeypatch.setenv("FLOWCORE_TEST", "2")
    every = [
        one,
        found(data),
        env,
        found("env:FLOWCORE_TEST"),
        found("numpy"),
        found("pytest"),
        found(other),
        found(len),
        found(operator),
        found(),
    ]

    assert one == as_text
    assert len(every) == len(set(every))
    with pytest.raises(NoEncoding, match="cannot be read"):
        found(tmp_path / "missing")


@pytest.mark.contract("K19")
def test_functions_as_arguments() -> None:
    """A function inside an argument goes by its code, and classes by theirs."""

    def add(n: int) -> Callable[[int], int]:
        return lambda x: x + n

    values: list[Any] = [
        add(1),
        add(2),
        functools.partial(add, 1),
        functools.partial(add, 2),
        np.add,
        np.subtract,
        len,
        max,
        np.float64,
        np.float32,
        int,
        str,
    ]
    found = [identify_value({"f": [value]}).component for value in values]

    assert len(found) == len(set(found))
    assert identify_value([add(1)]).component == identify_value([add(1)]).component
    assert identify_value([1, np.arange(3)]).component != identify_value([1, np.arange(4)]).component


@pytest.mark.contract("K10")
def test_class_identity(library: Library) -> None:
    """The identity of a class is its bases, methods and attributes, and not its file."""
    module = library.load(BASE)
    model, config = class_identity(module.Model), class_identity(module.Config)
    again = library.load(BASE)
    same = class_identity(again.Model), class_identity(again.Config)
    edited = library.load(BASE.replace("x * self.factor", "x / self.factor"))

    assert (model, config) == same
    assert model != class_identity(edited.Model)
    assert model != config


@pytest.mark.contract("KT3")
@pytest.mark.parametrize(
    ("sabotage", "edit"), [("helpers", "helper 1"), ("closures", "closure"), ("constants", "nested function")]
)
def test_matrix_rejects_saboteurs(sabotage: str, edit: str, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    """With helpers, closures or constants left out the matrix is red."""
    if sabotage == "helpers":
        monkeypatch.setattr(reach, "_read_global", lambda *args, **kwargs: None)
    elif sabotage == "closures":
        monkeypatch.setattr(pieces, "_closure", lambda *args, **kwargs: None)
    else:
        monkeypatch.setattr(flowcore.plan.bytecode, "_WITH_CONSTANT", frozenset())
    old, new, _ = MUST_DIFFER[edit]

    assert library.print(BASE).digest == library.print(BASE.replace(old, new)).digest


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("LOCK = (i for i in ())\ndef f(x): return LOCK\n", 'leave it out with ignore=("global:LOCK",)'),
        ("import flowcore_test_body\ndef f(x): return flowcore_test_body.HELD\n", 'ignore=("global:flowcore_test_body.HELD",)'),
        ("import flowcore_test_body\ndef f(x): return [flowcore_test_body][0]\n", "as in flowcore_test_body.HELD"),
    ],
)  # fmt: skip
def test_a_global_without_encoding_says_how_it_is_left_out(library: Library, source: str, hint: str) -> None:
    """By the name that `ignore=` takes; a module used as a whole is better read by name."""
    module = library.load(source, body="HELD = (i for i in ())\n")
    with pytest.raises(NoEncoding) as refused:
        fingerprint(module.f)

    assert hint in refused.value.hint


def test_what_a_librarys_wrapper_holds_of_the_user_is_needed(library: Library) -> None:
    """A decorator of a library may keep its own affairs to itself, but no object of the user's without encoding."""
    source = "class Held:\n    def __init__(self): self.lines = (i for i in ())\ndef f(x): return x\nheld = Held()\n"
    module = library.load(source)

    def wrapped_around(thing: object) -> Callable[..., object]:
        space: dict[str, Any] = {"__name__": "numpy.made", "__file__": np.__file__}
        exec("def wrap(thing):\n    def wrapper(x): return thing\n    return wrapper\n", space)
        return space["wrap"](thing)  # type: ignore[no-any-return]

    kept = fingerprint(wrapped_around(sys.stdout))
    with pytest.raises(NoEncoding, match="Held"):
        fingerprint(wrapped_around(module.held))

    assert any("closure thing" in one for one in kept.unfollowed)


def test_a_name_that_is_an_attribute_too_is_no_mere_name(library: Library) -> None:
    """A function that calls itself may be renamed, unless its name means something else in it as well."""
    source = "def f(n): return n.f if n else f(n)\n"
    plain = "def f(n): return f(n - 1) if n else 0\n"

    def prints(text: str) -> set[bytes]:
        return {fingerprint(getattr(library.load(text.replace("f(", f"{name}(").replace(".f", f".{name}")), name)).digest
                for name in ("f", "g")}  # fmt: skip

    assert (2, 1) == (len(prints(source)), len(prints(plain)))


@pytest.mark.contract("K8", "K20")
def test_the_library_of_a_global_value_counts(library: Library) -> None:
    """Methods of a table are reached without a name, so its library goes with it."""
    made = library.print(
        "import pandas as pd\nTABLE = {'a': pd.Series([1])}\ndel pd\ndef f(x): return TABLE['a'].sum()\n"
    )
    pandas = sys.modules["pandas"]

    assert f"library pandas=={pandas.__version__}" in [name for name, _ in made.parts]


@pytest.mark.contract("K8", "P1")
def test_the_version_that_an_upgrade_left_behind_hides_no_other(tmp_path: pathlib.Path) -> None:
    """Two directories of one distribution, as after an upgrade that was cut short: the next upgrade is seen."""
    found = []
    for newer in ("2.0", "3.0"):
        site = tmp_path / newer / "site-packages"
        for version in ("1.0", newer):
            info = site / f"{newer[0]}_lib-{version}.dist-info"
            info.mkdir(parents=True)
            info.joinpath("RECORD").write_text("thing.py,,\n")
        found.append(libraries.origin_of({"__name__": "thing", "__file__": str(site / "thing.py")}).version)

    assert ["1.0+2.0", "1.0+3.0"] == found
