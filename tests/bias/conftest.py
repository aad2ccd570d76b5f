# SPDX-License-Identifier: MIT
"""A potential with an active set and a committee, of copper and of a binary."""

from typing import NamedTuple

import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.bias import BiasedCalculator, CommitteeBias, FixedStrength, GradeBias
from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.committee import CommitteeSettings
from aiida_alpot.fitting.loss import LossWeights
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.fitting.training import TrainingSettings, train_potential
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee_calculator import CommitteeMTP
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential


@pytest.fixture(scope="session")
def pair(make_potential, alloy):
    """A potential of two species, with forces of up to 2 eV/A in the alloy."""
    wild = make_potential(6, ("Cu", "Ni"), seed=1)
    linear = wild.parameters.copy()
    linear[wild.n_radial_parameters :] *= 2.0 / np.abs(MTP(wild).get_forces(alloy)).max()
    return wild.with_parameters(linear)


@pytest.fixture(scope="session")
def members(pair):
    """Four potentials whose parameters scatter by ten per cent about those of one."""
    rng = np.random.default_rng(5)
    scatter = 1.0 + 0.1 * rng.standard_normal((4, pair.n_parameters))
    return [pair.with_parameters(pair.parameters * one) for one in scatter]


@pytest.fixture(scope="session")
def alloy():
    """Eight atoms of both species, off their sites, in a cell without symmetry."""
    atoms = bulk("Cu", a=3.6, cubic=True) * (2, 1, 1)
    atoms.symbols[::3] = "Ni"
    atoms.set_cell(atoms.cell.array + np.array([[0, 0.2, 0], [0, 0, 0.1], [0.3, 0, 0]]), True)
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture(scope="session")
def make_active_set(pair, alloy):
    """Factory of active sets of strained and rattled cells about the alloy."""

    def make(mode="neighborhood", method="projected"):
        rng = np.random.default_rng(7)
        cells = []
        for _ in range(150):
            cell = alloy.copy()
            cell.symbols = rng.permutation(cell.get_chemical_symbols())
            strain = np.eye(3) + rng.normal(0.0, 0.02, (3, 3))
            cell.set_cell(cell.cell.array @ strain, scale_atoms=True)
            cell.positions += rng.normal(0.0, 0.05, cell.positions.shape)
            cells.append(cell)
        configurations = Configurations.from_atoms(cells)
        return build_active_set(pair, configurations, mode=mode, method=method)

    return make


@pytest.fixture(scope="session")
def active_set(make_active_set):
    return make_active_set()


@pytest.fixture
def committee(pair, members):
    return CommitteeMTP(pair, members)


@pytest.fixture
def graded(pair, active_set):
    return MTP(pair, active_set=active_set)


@pytest.fixture
def biased(committee, graded):
    """Factory of biased calculators of both kinds."""

    def make(kind, alpha=1.0, **settings):
        if kind == "committee":
            return BiasedCalculator(committee, CommitteeBias(), FixedStrength(alpha), **settings)
        return BiasedCalculator(graded, GradeBias(), FixedStrength(alpha), **settings)

    return make


@pytest.fixture(scope="session")
def copper():
    """Copper of EMT: a potential, its committee and active set, fitted to ten rattled cells."""
    rng = np.random.default_rng(11)
    cells = []
    for number in range(10):
        cell = bulk("Cu", a=3.59, cubic=True) * (2, 1 + number % 2, 1)
        cell.set_cell(cell.cell.array @ (np.eye(3) + rng.normal(0.0, 0.01, (3, 3))), True)
        cell.positions += rng.normal(0.0, 0.08, cell.positions.shape)
        cells.append(cell)
    training = label(cells)
    start = start_potential(training, level=6, cutoff=5.0, min_distance=1.9)
    settings = TrainingSettings(
        weights=LossWeights(force=0.1), committee=CommitteeSettings(4), max_iterations=30
    )
    trained = train_potential(training, initial=start, settings=settings)
    potential = trained.fit.potential
    return Copper(
        training,
        potential,
        CommitteeMTP(potential, [one.potential for one in trained.committee]),
        MTP(potential, active_set=build_active_set(potential, training)),
    )


class Copper(NamedTuple):
    """A potential of copper and what tells how uncertain it is."""

    training: Configurations
    potential: MomentTensorPotential
    committee: CommitteeMTP
    grade: MTP


def label(cells):
    """Return configurations with labels of EMT."""
    labelled = []
    for one in cells:
        cell = one.copy()
        cell.calc = EMT()
        values = {
            name: cell.calc.get_property(name, cell) for name in ("energy", "forces", "stress")
        }
        cell.calc = SinglePointCalculator(cell, **values)
        labelled.append(cell)
    return Configurations.from_atoms(labelled)
