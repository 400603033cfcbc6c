"""Claims about examples/ising.py: its physics, and that its simulations can be interrupted."""

from __future__ import annotations

import math

import ising
import numpy as np
import pytest

from flowcore.testing import check_resume


def per_spin(temperature: float) -> float:
    """Give the energy a spin of the infinite lattice without field (Onsager 1944)."""
    x = 2.0 / temperature
    modulus = 2.0 * math.sinh(x) / math.cosh(x) ** 2
    one, other = 1.0, math.sqrt(1.0 - modulus**2)  # the complete elliptic integral, by Gauss's mean
    for _ in range(40):
        one, other = (one + other) / 2.0, math.sqrt(one * other)
    integral = math.pi / (2.0 * one)
    return -(1.0 + 2.0 / math.pi * (2.0 * math.tanh(x) ** 2 - 1.0) * integral) / math.tanh(x)


@pytest.mark.parametrize("temperature", [1.5, 2.0, 3.0])
def test_energy_and_magnetisation_are_those_of_the_infinite_lattice(temperature: float) -> None:
    """Away from the transition, where 64 spins each way are as good as infinitely many."""
    spins, rng = np.ones((64, 64), dtype=np.int8), np.random.default_rng(1)
    energies, means = [], []
    for step in range(600):
        spins = ising.sweep(spins, temperature, 0.0, rng)
        if step >= 100:
            around = np.roll(spins, 1, 0) + np.roll(spins, 1, 1)
            energies.append(-(spins * around).mean())
            means.append(spins.mean())

    np.testing.assert_allclose(per_spin(temperature), np.mean(energies), atol=0.01)
    np.testing.assert_allclose(ising.spontaneous(temperature), np.mean(means), atol=0.02)


def test_the_infinite_lattice_is_magnetic_below_its_transition() -> None:
    """Yang's formula: all spins at zero temperature, none from Onsager's temperature on."""
    found = [ising.spontaneous(temperature) for temperature in (0.1, ising.CRITICAL, 9.0)]

    assert [1.0, 0.0, 0.0] == found
    assert ising.spontaneous(ising.CRITICAL - 1e-3) > 0.3


def test_a_field_turns_spins_its_way() -> None:
    """A single free spin would have tanh(h / T); its neighbours make it more."""
    spins, rng = np.ones((64, 64), dtype=np.int8), np.random.default_rng(2)
    for _ in range(100):
        spins = ising.sweep(spins, 8.0, -2.0, rng)

    assert spins.mean() < -math.tanh(2.0 / 8.0)


def test_it_can_be_interrupted() -> None:
    """After any sweep, and nobody can tell."""
    check_resume(ising.simulate, np.ones((8, 8), dtype=np.int8), 2.0, 0.1, 12, at=(1, 7))
