"""Claims about the gallery: each script runs as it is, leaves nothing behind, and finds what its text says.

Scripts whose data is not installed for the tests run by `make gallery`, and in `make docs`.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.site.gallery import GALLERY, counts, found

PICTURES = "len(plt.get_fignums())"
FAST = {"landscapes", "gray_scott", "percolation", "downloads"}
SLOW = {"events": "obspy", "nuclei": "skimage", "protein": "MDAnalysisTests"}  # and the package that has the data


def needs(package: str) -> None:
    """Pass the test by, and say so, where nobody has installed the data of the gallery."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed: `make gallery` does that, and runs this test")


def test_every_script_is_tested_and_in_the_index() -> None:
    """None is forgotten."""
    scripts = {path.stem for path in GALLERY.glob("plot_*.py")}

    assert {f"plot_{name}" for name in FAST | set(SLOW)} == scripts
    assert scripts == set(re.findall(r"<(plot_\w+)>`", (GALLERY / "GALLERY_HEADER.rst").read_text(encoding="utf-8")))


def test_landscapes(tmp_path: Path) -> None:
    """The plan's two simulations are not run again; what is eroded more easily, or rises, is eroded more."""
    came = found(
        "landscapes", tmp_path, pictures=PICTURES, run=counts("run", "evolve"), again=counts("again", "evolve"),
        eroded="[[run['measure'][rate, uplift]['erosion'] for rate in rates] for uplift in uplifts]",
    )  # fmt: skip
    still, rising = came.pop("eroded")

    assert {"pictures": 2, "run": [6, 2], "again": [0, 8], "left": []} == came
    assert still == sorted(still)
    assert rising == sorted(rising)
    assert all(one < other for one, other in zip(still, rising, strict=True))


def test_gray_scott(tmp_path: Path) -> None:
    """What was done before the stop is not done again, nor are the first steps of what is lengthened."""
    came = found(
        "gray_scott", tmp_path, pictures=PICTURES, run="run.counts('simulate').hit >= 10",
        longer=counts("longer", "simulate"), again=counts("again", "simulate"), same="same",
        uniform="len(uniform)", worst="float(worst)",
    )  # fmt: skip
    worst, uniform = came.pop("worst"), came.pop("uniform")

    assert {"pictures": 1, "run": True, "longer": [30, 0], "again": [0, 30], "same": True, "left": []} == came
    assert uniform >= 8
    assert worst < 1e-3


def test_percolation(tmp_path: Path) -> None:
    """The threshold is the known one within the errors; workers change no bit; old batches stay."""
    came = found(
        "percolation", tmp_path, pictures=PICTURES, same="same", run=counts("run", "sample"),
        deviation="abs(estimate - KNOWN) / error", error="error",
    )  # fmt: skip
    deviation, error = came.pop("deviation"), came.pop("error")

    assert {"pictures": 1, "same": True, "run": [64, 32], "left": []} == came
    assert deviation < 3
    assert error < 1e-3


def test_downloads(tmp_path: Path) -> None:
    """Refused downloads are made again; only what has changed is fitted again; the fit knows smooth from rough."""
    ramp = "np.add.outer(np.arange(57.0), np.arange(57.0))"
    came = found(
        "downloads", tmp_path, pictures=PICTURES, refused="sum(span.how == 'raised' for span in timeline)",
        run=counts("run", "hurst"), again=counts("again", "hurst"), changed=counts("changed", "hurst"),
        smooth=f"hurst({ramp})", rough="hurst(np.random.default_rng(1).normal(size=(57, 57)))",
        least="float(exponents.min())", most="float(exponents.max())",
    )  # fmt: skip
    smooth, rough, least, most = (came.pop(name) for name in ("smooth", "rough", "least", "most"))

    expected = {"pictures": 2, "refused": 6, "run": [42, 0], "again": [0, 42], "changed": [1, 41], "left": []}
    assert expected == came
    assert pytest.approx(1.0, abs=0.02) == smooth
    assert pytest.approx(0.0, abs=0.02) == rough
    assert rough < least < most < smooth


@pytest.mark.slow
def test_events(tmp_path: Path) -> None:
    """The events are those of ObsPy's tutorial; a threshold more costs its own cells."""
    needs("obspy")
    came = found(
        "events", tmp_path, pictures=PICTURES, begins="events[chosen].tolist()", bandpass=counts("run", "bandpass"),
        ratio=counts("run", "ratio"), triggers=counts("run", "triggers"),
    )  # fmt: skip
    begins = came.pop("begins")

    assert {"pictures": 1, "bandpass": [0, 4], "ratio": [0, 20], "triggers": [20, 180], "left": []} == came
    assert pytest.approx([29.53, 177.58, 206.83], abs=0.1) == begins


@pytest.mark.slow
def test_nuclei(tmp_path: Path) -> None:
    """The changed line is named; the number of nuclei depends on the choices, the part of them in glands does not."""
    needs("skimage")
    came = found(
        "nuclei", tmp_path, pictures=PICTURES, smooth=counts("run", "smooth"), segment=counts("run", "segment"),
        why="str(why)", numbers="[int(numbers.min()), int(numbers.max())]",
        parts="[float(parts.min()), float(parts.max())]",
    )  # fmt: skip
    why, (fewest, most), (least, largest) = came.pop("why"), came.pop("numbers"), came.pop("parts")

    assert {"pictures": 1, "smooth": [0, 5], "segment": [40, 0], "left": []} == came
    assert "-    return feature.peak_local_max(blue, min_distance=4" in why
    assert "+    return feature.peak_local_max(blue, min_distance=6" in why
    assert most > 2 * fewest
    assert largest < 1.25 * least


@pytest.mark.slow
def test_protein(tmp_path: Path) -> None:
    """A third trajectory costs its own blocks, a copy nothing; the RMSD is that of MDAnalysis."""
    needs("MDAnalysisTests")
    came = found(
        "protein", tmp_path, pictures=PICTURES, run=counts("run", "rmsd"), again=counts("again", "rmsd"),
        ours="[float(blocks['DIMS 1', 'TMD'][frame, frame]) for frame in (0, 40, 90)]",
        theirs="[float(__import__('MDAnalysis.analysis.rms').analysis.rms.rmsd(run['read']['DIMS 1'][frame], "
        "run['read']['TMD'][frame], superposition=True)) for frame in (0, 40, 90)]",
        radii="shapes['DIMS 1']['radius'][[0, -1]].tolist()",
    )  # fmt: skip
    ours, theirs, (closed, opened) = came.pop("ours"), came.pop("theirs"), came.pop("radii")

    assert {"pictures": 1, "run": [5, 4], "again": [0, 9], "left": []} == came
    assert pytest.approx(theirs, abs=1e-3) == ours
    assert closed < 17
    assert opened > 19
