"""Claims about examples/gray_scott.py: its chemistry, and that it can be lengthened."""

from __future__ import annotations

from pathlib import Path

import gray_scott
import numpy as np

from flowcore.testing import check_resume


def test_diffusion_moves_and_makes_nothing() -> None:
    """The Laplacian on a torus sums up to nothing, and has the eigenvalues of the five-point stencil."""
    size = 16
    wave = np.cos(2 * np.pi * 3 * np.arange(size) / size)[:, None] * np.ones(size)
    eigenvalue = 2 * np.cos(2 * np.pi * 3 / size) - 2

    np.testing.assert_allclose(eigenvalue * wave, gray_scott.laplacian(wave), atol=1e-12)
    np.testing.assert_allclose(0.0, gray_scott.laplacian(np.random.default_rng(1).normal(size=(9, 9))).sum(), atol=1e-9)


def test_the_uniform_state_stays() -> None:
    """Without v nothing happens (Pearson 1993: u = 1, v = 0 is a stable steady state for all rates)."""
    u, v = np.ones((8, 8)), np.zeros((8, 8))

    assert [True, True] == [
        np.array_equal(a, b) for a, b in zip((u, v), gray_scott.react(u, v, 0.03, 0.06), strict=True)
    ]


def test_a_flow_goes_on_and_keeps_its_film(tmp_path: Path) -> None:
    """Twice as many steps give the longer film, whose beginning is the shorter one."""
    films = []
    for steps in (500, 1000):
        flow = gray_scott.sweep([0.037], [0.06], size=60, steps=steps, out=str(tmp_path / "sheet.png"))
        films.append(flow.run(store=tmp_path / "store", progress=False, workers=1)["simulate"][0.037, 0.06][1])

    assert [(3, 60, 60), (5, 60, 60)] == [film.shape for film in films]
    np.testing.assert_array_equal(films[0], films[1][:3])
    assert films[1][-1].std() > 0.05  # a pattern


def test_it_can_be_interrupted() -> None:
    """After any step, and nobody can tell."""
    check_resume(gray_scott.simulate, 0.037, 0.06, 24, 300, at=(1, 250, 299))
