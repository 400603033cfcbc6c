"""Claims about examples/landscape.py: its physics on tiny grids, and the whole of it on a coarse one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import landscape
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

SPACING = (100.0, 80.0)


def rough(seed: int, shape: tuple[int, int] = (7, 9)) -> NDArray[np.float64]:
    """Give heights without any order."""
    return np.random.default_rng(seed).uniform(100, 900, shape)


def corner(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Give a base of one outlet in the first cell."""
    base = np.zeros(shape, dtype=bool)
    base[0, 0] = True
    return base


def path_of(receivers: NDArray[np.intp], cell: int) -> list[int]:
    """Follow the water from a cell until it is out, one step at a time."""
    path = []
    while cell < len(receivers) - 1:
        path.append(cell)
        cell = int(receivers[cell])
    return path


@given(st.integers(0, 10_000))
def test_filled_terrain_drains_to_its_outlets(seed: int) -> None:
    """After filling, water from every cell reaches an outlet, and no cell was lowered."""
    heights = rough(seed)
    base = landscape.outlets(heights)
    filled = landscape.fill(heights, base)
    receivers, _ = landscape.route(filled, base, SPACING)
    ends = [path_of(receivers, cell)[-1] for cell in range(heights.size)]

    assert base.ravel()[ends].all()
    assert (filled >= heights).all()


def test_fill_leaves_what_drains_already() -> None:
    """A plane that falls to its outlet is not touched by filling."""
    plane = np.add.outer(np.arange(5.0), np.arange(6.0))

    np.testing.assert_array_equal(plane, landscape.fill(plane, corner(plane.shape)))


def test_fill_raises_a_pit_to_its_rim() -> None:
    """The floor of a closed basin ends just above the lowest way out."""
    heights = np.full((5, 5), 50.0)
    heights[2, 2] = 3.0
    heights[0, 0] = 0.0
    filled = landscape.fill(heights, corner(heights.shape), slope=1e-3)

    assert 50.0 < filled[2, 2] < 50.0 + 25 * 1e-3


def test_outlets_are_the_low_points_of_the_border() -> None:
    """Of a border with two notches, the two notches are the outlets."""
    heights = np.full((9, 30), 10.0) + np.linspace(0, 1, 270).reshape(9, 30)
    heights[0, 5], heights[8, 20] = 1.0, 2.0
    found = landscape.outlets(heights, reach=12)

    assert {(0, 5), (8, 20)} <= set(zip(*map(list, np.nonzero(found)), strict=True))
    assert found.sum() <= 4
    assert not found[1:-1, 1:-1].any()


def test_water_takes_the_steepest_way() -> None:
    """A neighbour that is lower but farther loses against one that is steeper."""
    heights = np.full((3, 3), 100.0)
    heights[1, 2] = 92.0  # 80 m away: slope 0.100
    heights[0, 0] = 90.0  # 128 m away: slope 0.078
    receivers, lengths = landscape.route(heights, np.zeros((3, 3), dtype=bool), SPACING)

    assert 5 == receivers[4]
    assert 80.0 == lengths[4]


def test_an_outlet_lets_water_out() -> None:
    """Water that reached an outlet is gone, even with a lower cell beside it."""
    heights = np.array([[5.0, 9.0, 9.0], [9.0, 2.0, 9.0], [9.0, 9.0, 9.0]])
    receivers, _ = landscape.route(heights, corner((3, 3)), SPACING)

    assert heights.size == receivers[0]
    assert 4 == receivers[8]


@given(st.integers(0, 10_000))
def test_no_water_is_lost(seed: int) -> None:
    """What leaves at the outlets and pits is all the rain, and each cell gets what its upstream sends."""
    heights = rough(seed)
    rain = rough(seed + 1)
    receivers, _ = landscape.route(heights, landscape.outlets(heights), SPACING)
    water = landscape.accumulate(rain, landscape.leaps(receivers)).ravel()
    expected = np.zeros(heights.size)
    for cell in range(heights.size):
        expected[path_of(receivers, cell)] += rain.ravel()[cell]

    np.testing.assert_allclose(expected, water, rtol=1e-12)
    np.testing.assert_allclose(rain.sum(), water[receivers[:-1] == heights.size].sum(), rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(0.0, 1e6))
def test_incision_solves_its_equation(seed: int, strength: float) -> None:
    """The new heights satisfy the implicit equation along every flow path, for any step."""
    heights = rough(seed)
    receivers, _ = landscape.route(heights, landscape.outlets(heights), SPACING)
    pull = np.append(rough(seed + 1).ravel() * strength, 0.0)
    new = np.append(landscape.incise(heights, pull, landscape.leaps(receivers)).ravel(), 0.0)
    moves = receivers < heights.size
    expected = np.append(heights.ravel(), 0.0)
    expected[moves] = (expected[moves] + pull[moves] * new[receivers[moves]]) / (1 + pull[moves])

    np.testing.assert_allclose(expected, new, rtol=1e-9)


@given(st.integers(0, 10_000))
def test_creep_moves_soil_and_loses_none(seed: int) -> None:
    """Diffusion keeps the volume, and lowers the highest cell."""
    heights = rough(seed)
    crept = landscape.creep(heights, SPACING, 500.0)

    np.testing.assert_allclose(heights.sum(), crept.sum(), rtol=1e-12)
    assert crept.max() < heights.max()


def test_nothing_happens_without_forces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No uplift, no erodibility, no diffusion: a terrain that drains stays bit for bit."""
    monkeypatch.setattr(landscape, "DIFFUSIVITY", 0.0)
    base = corner((7, 9))
    start = landscape.fill(rough(5), base)

    np.testing.assert_array_equal(start, landscape.evolve(start, base, np.ones((7, 9)), SPACING, 0.0, 0.0, 20))


def test_steady_rivers_cut_as_fast_as_the_ground_rises(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a long time slope times the root of discharge is uplift over erodibility, everywhere."""
    monkeypatch.setattr(landscape, "DIFFUSIVITY", 0.0)
    base, rain = corner((7, 9)), np.ones((7, 9))
    rate, uplift = 1e-4, 0.5
    start = landscape.fill(rough(7), base)
    land = landscape.evolve(start, base, rain, SPACING, rate, uplift, 4000)
    receivers, lengths = landscape.route(land, base, SPACING)
    water = landscape.accumulate(rain * SPACING[0] * SPACING[1], landscape.leaps(receivers)).ravel()
    moves = np.flatnonzero(receivers[:-1] < land.size)
    drop = land.ravel()[moves] - land.ravel()[receivers[moves]]

    np.testing.assert_allclose(uplift / 1000 / rate, np.sqrt(water[moves]) * drop / lengths[moves], rtol=1e-6)
    assert land.size - 1 == len(moves)


def test_outlets_keep_their_height() -> None:
    """The base level stays where it is, whatever happens around it."""
    start = rough(3)
    base = landscape.outlets(start)
    land = landscape.evolve(landscape.fill(start, base), base, np.ones((7, 9)), SPACING, 1e-5, 1.0, 30)

    np.testing.assert_array_equal(start[base], land[base])


def test_steps_that_would_not_be_stable_are_refused() -> None:
    """Cells too small for the explicit diffusion step raise instead of giving noise."""
    with pytest.raises(ValueError, match="too small"):
        landscape.evolve(rough(1), corner((7, 9)), np.ones((7, 9)), (1.0, 1.0), 1e-6, 0.1, 1)


def test_slope_of_a_plane() -> None:
    """A plane that rises 3 m in 100 one way and 4 m in 100 the other has slope 0.05."""
    plane = np.add.outer(np.arange(4) * 3.0, np.arange(5) * 4.0)

    np.testing.assert_allclose(0.05, landscape.slope(plane, (100.0, 100.0)))


def test_light_comes_from_the_north_west() -> None:
    """A slope that faces the light is brighter than flat ground, and one that faces away is darker."""
    flat = landscape.shade(np.zeros((4, 4)), SPACING).mean()
    facing = np.add.outer(np.arange(4) * 30.0, np.arange(4) * 24.0)  # rises to the south-east

    assert landscape.shade(facing, SPACING).mean() > flat
    assert landscape.shade(-facing, SPACING).mean() < flat


def test_picture_has_the_shape_and_kind_of_a_picture() -> None:
    """A hillshade is (rows, columns, 3) bytes, and no colour of it is the only one."""
    start = rough(4)
    picture = landscape.hillshade(start, start, landscape.outlets(start), np.ones((7, 9)), SPACING, zoom=4)

    assert (28, 36, 3) == picture.shape
    assert np.uint8 == picture.dtype
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_rain_follows_the_stations() -> None:
    """Rain on a straight line of stations is read off that line, and is never negative."""
    rain = landscape.rain_over(np.array([[0.0, 500.0, -1e6]]), [(0.0, 1.0), (1000.0, 2.0)])

    np.testing.assert_allclose([[1.0, 1.5, 0.0]], rain, atol=1e-12)


def test_table_comes_from_the_server() -> None:
    """The table that was fetched is the one that the server has."""
    with landscape.rain_server() as url:
        stations = asyncio.run(landscape.fetch(url))

    assert (290.0, 1.24) == stations[0]
    assert landscape.RAINFALL.count(b"\n") - 1 == len(stations)


def test_what_the_server_does_not_have_is_an_error() -> None:
    """An answer other than 200 raises, so that no empty table goes on."""
    with landscape.rain_server() as url, pytest.raises(ConnectionError, match="404"):
        asyncio.run(landscape.fetch(url.replace("rainfall", "snowfall")))


def test_whole_study_on_a_coarse_grid(tmp_path: Path) -> None:
    """The flow runs from file and server to table and pictures; again it computes nothing and says the same."""
    from matplotlib.cbook import get_sample_data

    path = str(get_sample_data("jacksboro_fault_dem.npz", asfileobj=False))
    rates, uplifts = [1e-6, 4e-6], [0.0, 0.2]

    def study() -> tuple[str, NDArray[np.float64]]:
        with landscape.rain_server() as url:
            flow = landscape.landscape(path, url, rates, uplifts, steps=20, factor=24, out=str(tmp_path / "out"))
            run = flow.run(workers=2, store=tmp_path / "store")
        return run["table"], run["evolve"].array()

    first_table, first = study()
    again_table, again = study()

    assert (2, 2, 14, 16) == first.shape
    assert 5 == len(first_table.splitlines())
    assert 5 == len(list((tmp_path / "out").glob("*.png")))
    np.testing.assert_array_equal(first, again)
    assert first_table == again_table
