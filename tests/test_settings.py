"""Claims about settings.py, plugins.py and events.py: options, durations, sizes, names."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowcore as fc
from flowcore import plugins
from flowcore.amounts import seconds, size
from flowcore.events import Cells, CellsParked, Event, NodeDrawn, Observer, Printed, RunEnded, RunStarted
from flowcore.optionfiles import executor_options, nearest_options
from flowcore.settings import (
    OPTION_NAMES,
    RunOptions,
    Settings,
    default_workers,
    unknown_variables,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90s", 90), ("2 min", 120), ("1 day", 86400), ("1.5h", 5400), ("250ms", 0.25), ("1h 30min", 5400), ("3", 3),
        ("1e3 s", 1000), (" 2 weeks ", 1209600), (".5 s", 0.5), ("2 Minutes", 120), (5, 5), (0.5, 0.5), (0, 0),
    ],
)  # fmt: skip
def test_durations(text: Any, expected: float) -> None:
    """Numbers are seconds; text has units, several if need be."""
    assert expected == pytest.approx(seconds(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4 GiB", 4 * 2**30), ("500 MB", 500_000_000), ("1kb", 1000), ("1KiB", 1024), ("12", 12), ("3 bytes", 3),
        ("1.5 TiB", 3 * 2**39), (7, 7), ("0", 0),
    ],
)  # fmt: skip
def test_sizes(text: Any, expected: int) -> None:
    """MB counts in thousands, MiB in 1024."""
    assert expected == size(text)


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "5 parsecs",
        "-1s",
        "1h 30",
        "1 2 s",
        "s",
        None,
        True,
        math.nan,
        math.inf,
        -1,
        "3 GiB",
        b"3s",
        [],
        "1,5s",
    ],
    ids=repr,
)
def test_unreadable_durations(value: Any) -> None:
    """What cannot be read is refused with examples, never guessed."""
    with pytest.raises(fc.BadOption, match="2 min"):
        seconds(value, option="timeout")


@pytest.mark.contract("E2")
@pytest.mark.parametrize("value", ["4 Gi", "4 G", "4 GiBs", "GiB", "-4 GiB", "3 s", None, False], ids=repr)
def test_unreadable_sizes(value: Any) -> None:
    """A letter alone is not taken for a unit: it means 1000 here and 1024 there."""
    with pytest.raises(fc.BadOption, match="GiB"):
        size(value)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else comes out, and never a negative or infinite time."""
    try:
        amount = seconds(text)
    except fc.BadOption:
        return

    assert 0 <= amount < math.inf


@given(st.floats(min_value=0, max_value=1e9))
def test_numbers_read_as_themselves(amount: float) -> None:
    """A number and its text mean the same."""
    assert amount == seconds(amount) == seconds(repr(amount))


def test_run_options_are_the_settings() -> None:
    """What may be given and what is kept have the same names, so neither list can grow alone."""
    assert set(OPTION_NAMES) == set(get_type_hints(RunOptions))
    assert set(OPTION_NAMES) | {"origins"} == {field.name for field in dataclasses.fields(Settings)}


def test_defaults() -> None:
    """Without arguments and variables, and where each value came from."""
    settings = Settings.of(environment={})

    assert (default_workers(), ".flowcore", None, "stop", 0, {}, None) == tuple(
        getattr(settings, name) for name in ("workers", "store", "executor", "on_error", "seed", "given", "progress")
    )
    assert {"default"} == set(settings.origins.values())


def test_an_argument_wins_over_a_variable() -> None:
    """Argument, then variable, then default; None is no argument."""
    variables = {"FLOWCORE_WORKERS": "3", "FLOWCORE_SEED": "7", "FLOWCORE_PROGRESS": "no", "FLOWCORE_STORE": "here"}
    settings = Settings.of(workers=2, seed=None, environment=variables)

    assert (2, 7, False, "here", "stop") == (
        settings.workers, settings.seed, settings.progress, settings.store, settings.on_error,
    )  # fmt: skip
    assert ["argument", "FLOWCORE_SEED", "default"] == [settings.origins[n] for n in ("workers", "seed", "on_error")]


def test_the_environment_is_the_process_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless another one is handed in."""
    monkeypatch.setenv("FLOWCORE_ON_ERROR", "continue")

    assert "continue" == Settings.of().on_error


def test_a_file_is_read(tmp_path: Path) -> None:
    """After arguments and variables, before defaults; its store lies beside it, wherever the run is started."""
    (tmp_path / "flowcore.toml").write_text(
        'workers = 3\nseed = 5\nstore = "kept"\non_error = "cancel"\nprogress = false\n'
    )
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    settings = Settings.of(seed=9, environment={"FLOWCORE_WORKERS": "4"}, directory=str(below))
    file = str(tmp_path / "flowcore.toml")

    assert (4, 9, str(tmp_path / "kept"), "cancel", False) == (
        settings.workers, settings.seed, settings.store, settings.on_error, settings.progress,
    )  # fmt: skip
    assert {"workers": "FLOWCORE_WORKERS", "seed": "argument", "store": file, "on_error": file} == {
        name: settings.origins[name] for name in ("workers", "seed", "store", "on_error")
    }


def test_the_nearest_file_counts_alone(tmp_path: Path) -> None:
    """`flowcore.toml` before `pyproject.toml`; a project without our table is passed over."""
    inner = tmp_path / "project" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "flowcore.toml").write_text("seed = 1\nworkers = 7\n")
    (inner / "pyproject.toml").write_text('[project]\nname = "flowcore-user"\n')
    far = Settings.of(environment={}, directory=str(inner))
    (tmp_path / "project" / "pyproject.toml").write_text("[tool.flowcore]\nseed = 2\n")
    near = Settings.of(environment={}, directory=str(inner))
    (tmp_path / "project" / "flowcore.toml").write_text("seed = 3\n")

    assert (1, 2, 3) == (far.seed, near.seed, Settings.of(environment={}, directory=str(inner)).seed)
    assert f"{tmp_path / 'project' / 'pyproject.toml'} [tool.flowcore]" == near.origins["seed"]
    assert default_workers() == near.workers


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("text", "option", "near", "told"),
    [
        ("wrokers = 3", "wrokers", ("workers",), "one of"),
        ("given = {a = 1}", "given", (), "one of"),
        ("seed = 'x'", "seed", (), "whole number"),
        ("seed = ", "flowcore.toml", (), "TOML"),
        ("seed = '\xff'", "flowcore.toml", (), "TOML"),
    ],
)
def test_a_wrong_file(tmp_path: Path, text: str, option: str, near: tuple[str, ...], told: str) -> None:
    """File and key are named."""
    (tmp_path / "flowcore.toml").write_text(text, encoding="latin-1")
    with pytest.raises(fc.BadOption, match=told) as caught:
        Settings.of(environment={}, directory=str(tmp_path))

    assert (option, near, str(tmp_path / "flowcore.toml")) == (
        caught.value.option, caught.value.near[:1], caught.value.at,
    )  # fmt: skip


def test_what_a_file_says_to_executors(tmp_path: Path) -> None:
    """Tables of plugins are theirs to read, and no options of a run."""
    (tmp_path / "flowcore.toml").write_text("seed = 4\n[executors.far]\nnodes = 3\n")

    assert 4 == Settings.of(environment={}, directory=str(tmp_path)).seed
    assert {"nodes": 3} == executor_options("far", str(tmp_path)).values
    assert {} == executor_options("near", str(tmp_path)).values


@pytest.mark.parametrize("text", ["executors = 3", "[executors]\nfar = 3"], ids=["all", "one"])
def test_what_a_file_says_to_executors_is_a_table(text: str, tmp_path: Path) -> None:
    """A word in the place of a table is told as that."""
    (tmp_path / "flowcore.toml").write_text(text)
    with pytest.raises(fc.BadOption, match="a table"):
        executor_options("far", str(tmp_path))


@pytest.mark.contract("E2")
@pytest.mark.contract("S5")
@pytest.mark.parametrize(("mode", "read"), [(0o1777, False), (0o755, True)])
def test_options_that_others_put_where_everybody_may_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, read: bool
) -> None:
    """Of another user in a directory like /tmp; those in a colleague's own directory are."""
    (tmp_path / "flowcore.toml").write_text("workers = 3\n")
    (tmp_path / "below").mkdir()
    tmp_path.chmod(mode)
    own = nearest_options(str(tmp_path / "below")).values
    if os.geteuid() == 0:
        os.chown(tmp_path / "flowcore.toml", 1717, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1717)

    assert {"workers": 3} == own
    assert read == bool(nearest_options(str(tmp_path / "below")).values)


@pytest.mark.contract("S6", "P5")
def test_what_blocks_its_reader_is_no_options_file(tmp_path: Path) -> None:
    """A FIFO of that name is passed by; the options above it count."""
    (tmp_path / "flowcore.toml").write_text("workers = 3\n")
    (tmp_path / "below").mkdir()
    os.mkfifo(tmp_path / "below" / "flowcore.toml")
    os.mkfifo(tmp_path / "below" / "pyproject.toml")

    assert {"workers": 3} == nearest_options(str(tmp_path / "below")).values


def test_options_that_are_no_table(tmp_path: Path) -> None:
    """A project that says `flowcore = 3` is told so."""
    (tmp_path / "pyproject.toml").write_text("[tool]\nflowcore = 3\n")
    with pytest.raises(fc.BadOption, match="a table") as caught:
        Settings.of(environment={}, directory=str(tmp_path))

    assert "tool.flowcore" == caught.value.option


@pytest.mark.contract("E2")
def test_a_variable_written_wrongly() -> None:
    """It is told; a variable that only shares the prefix is somebody else's."""
    with pytest.raises(fc.BadOption) as caught:
        Settings.of(environment={"FLOWCORE_WROKERS": "3"})

    assert ("FLOWCORE_WROKERS", ("FLOWCORE_WORKERS",)) == (caught.value.option, caught.value.near)
    assert 0 == Settings.of(environment={"FLOWCORE_CLUSTER_TOKEN": "x"}).seed
    assert ["FLOWCORE_CLUSTER_TOKEN"] == unknown_variables({"FLOWCORE_CLUSTER_TOKEN": "x", "FLOWCORE_SEED": "1"})


def test_no_parser_without_a_file(tmp_path: Path) -> None:
    """A run without options file loads no TOML parser."""
    code = "import sys; from flowcore.settings import Settings; Settings.of(); print('tomllib' in sys.modules)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(Path(fc.__file__).parent.parent)},
    )  # fmt: skip

    assert "False\n" == ran.stdout


def test_paths_and_mappings() -> None:
    """A path is a store's name; given is a mapping."""
    settings = Settings.of(store=Path("a") / "b", given={"x": 1}, environment={})

    assert ("a/b", {"x": 1}) == (settings.store, settings.given)


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    "option",
    [{"workers": 0}, {"workers": "many"}, {"workers": True}, {"on_error": "panic"}, {"seed": -1}, {"seed": 1.5},
     {"given": [1]},     {"progress": "maybe"}, {"memory": 0}, {"memory": "much"}],
    ids=str,
)  # fmt: skip
def test_bad_run_options(option: dict[str, Any]) -> None:
    """Each is named; what this version does not do is refused."""
    with pytest.raises(fc.BadOption) as caught:
        Settings.of(environment={}, **option)

    assert next(iter(option)) == caught.value.option


@pytest.mark.contract("E2")
def test_all_bad_run_options_at_once() -> None:
    """With the names of the variables they came from."""
    with pytest.raises(ExceptionGroup) as caught:
        Settings.of(wrokers=3, environment={"FLOWCORE_SEED": "x", "FLOWCORE_ON_ERROR": "y"})
    errors: Any = caught.value.exceptions

    assert [("wrokers", ("workers",), ""), ("on_error", (), "FLOWCORE_ON_ERROR"), ("seed", (), "FLOWCORE_SEED")] == [
        (error.option, error.near, error.at) for error in errors
    ]


def test_settings_are_frozen() -> None:
    """A run's options do not change under it."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().workers = 3  # type: ignore[misc]


def test_events_are_frozen_and_small() -> None:
    """No event has a dict, and none can be changed."""
    events: list[Event] = [
        RunStarted(run="r", flow="f", nodes=1, workers=2), NodeDrawn(node=0, name="a", kind="io"),
        Cells(node=0, done=3), Printed(cell="a", stream="stdout", text="x"),
        CellsParked(cells=1, runs=("other",)), RunEnded(run="r", status="done", seconds=1.0),
    ]  # fmt: skip

    assert [False] * 6 == [hasattr(event, "__dict__") for event in events]
    with pytest.raises(dataclasses.FrozenInstanceError):
        events[0].run = "other"  # type: ignore[union-attr, misc]


def test_an_observer_is_what_listens() -> None:
    """Anything with `on_event`; progress= takes one."""

    class Listener:
        def on_event(self, event: Event) -> None: ...

    listener = Listener()

    assert isinstance(listener, Observer)
    assert listener is Settings.of(progress=listener, environment={}).progress


def _installed(where: Path, name: str, body: str) -> None:
    """Put a distribution with one executor into a folder."""
    (where / f"{name}_plugin.py").write_text(body)
    info = where / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[flowcore.executors]\n{name} = {name}_plugin:Executor\n")


def test_a_plugin_is_loaded_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its object comes back."""
    _installed(tmp_path, "goodone", "class Executor:\n    api = 1\n")
    monkeypatch.syspath_prepend(tmp_path)

    assert "goodone" in plugins.names("flowcore.executors")
    assert "Executor" == getattr(plugins.load("flowcore.executors", "goodone"), "__name__", None)


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("class Executor:\n    api = 99\n", "for api 99"),
        ("import no_such_module_here\n", "cannot be imported"),
        ("", "cannot be imported"),
    ],
    ids=["other api", "import error", "no object"],
)
def test_a_plugin_that_cannot_be_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, told: str) -> None:
    """It is refused by the name of its distribution."""
    name = f"bad{abs(hash(told + body)) % 10_000}"
    _installed(tmp_path, name, body)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(fc.BadOption, match=told) as caught:
        plugins.load("flowcore.executors", name)

    assert name == caught.value.at


def test_an_unknown_plugin() -> None:
    """No distribution offers it."""
    with pytest.raises(fc.BadOption, match="'nothing'"):
        plugins.load("flowcore.executors", "nothing")


@pytest.mark.contract("S8")
def test_no_plugin_runs_uninvited(tmp_path: Path) -> None:
    """An installed plugin, and a module in the working directory, are left alone by importing and listing."""
    marker = tmp_path / "marker"
    _installed(tmp_path, "hostile", f"open({str(marker)!r}, 'w').close()\n")
    code = "import flowcore as fc; from flowcore import plugins; fc.Flow(); print(plugins.names('flowcore.executors'))"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True,
        env={"PYTHONPATH": f"{Path(fc.__file__).parent.parent}:{tmp_path}"},
    )  # fmt: skip

    assert "hostile" in ran.stdout
    assert not marker.exists()


class Noting:
    """An observer."""

    def on_event(self, event: Event) -> None:
        """Ignore it."""


@pytest.fixture
def known() -> Iterator[list[str]]:
    """Know plugins by name for one test; give what the codec has done."""
    done: list[str] = []
    plugins.register("flowcore.codecs", "noted", lambda: done.append("registered"))
    plugins.register("flowcore.codecs", "broken", lambda: 1 / 0)
    plugins.register("flowcore.codecs", "odd", 7)
    plugins.register("flowcore.observers", "noting", Noting)
    plugins.register("flowcore.observers", "deaf", dict)
    yield done
    for name in ("noted", "broken", "odd"):
        plugins.unregister("flowcore.codecs", name)
    for name in ("noting", "deaf"):
        plugins.unregister("flowcore.observers", name)


@pytest.mark.contract("S8")
def test_a_codec_is_registered_when_its_name_is_given(known: list[str], tmp_path: Path) -> None:
    """Not before, once in a process, and from wherever options come."""
    nobody = list(known)
    (tmp_path / "flowcore.toml").write_text('codecs = ["noted"]')
    settings = [
        Settings.of(codecs="noted", environment={}),
        Settings.of(environment={"FLOWCORE_CODECS": " noted , noted"}),
        Settings.of(environment={}, directory=str(tmp_path)),
    ]

    assert ([], ["registered"]) == (nobody, known)
    assert [("noted",), ("noted", "noted"), ("noted",)] == [one.codecs for one in settings]


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("broken", "which raised ZeroDivisionError"), (["odd"], "a int"), (["nosuch"], "'nosuch'"),
        ([7], "names of installed codecs"), ("", "names of installed codecs"), (["no:thing"], "cannot be imported"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.usefixtures("known")
def test_a_codec_that_cannot_be_had_is_refused(value: Any, said: str) -> None:
    """By its name, before anything runs."""
    with pytest.raises(fc.BadOption, match=said):
        Settings.of(codecs=value, environment={})


@pytest.mark.usefixtures("known")
def test_an_observer_may_be_given_by_its_name() -> None:
    """Each run has one of its own."""
    one, other = (Settings.of(environment={"FLOWCORE_PROGRESS": "noting"}).progress for _ in range(2))

    assert (Noting, Noting) == (type(one), type(other))
    assert one is not other


@pytest.mark.contract("E2")
@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("notin", "Did you mean 'noting'"), ("deaf", "a dict"), (Noting, "an Observer"), (3, "True, False"),
        ("nothing:here", "cannot be imported"),
    ],
    ids=repr,
)  # fmt: skip
@pytest.mark.usefixtures("known")
def test_an_observer_that_cannot_be_had_is_refused(value: Any, said: str) -> None:
    """A class where an object is wanted, too: its method would be called without an object."""
    with pytest.raises(fc.BadOption, match=said):
        Settings.of(progress=value, environment={})
