# SPDX-License-Identifier: MIT
"""Periodic chunks of thermal bulk: their size, their seams, and what a limit of atoms does."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.carving import carve_at_most, carve_chunk, carve_periodic_chunk
from aiida_alpot.neighbors import minimum_distance, neighbor_list

CRYSTALS = {
    "fcc": (bulk("Cu", a=3.59, cubic=True), 4, 4.5, 3),
    "bcc": (bulk("W", cubic=True), 5, 4.0, 3),
    "diamond": (bulk("Si", cubic=True), 3, 4.5, 2),
    "rocksalt": (bulk("NaCl", "rocksalt", a=5.64, cubic=True), 3, 5.0, 2),
}
"""Unit cells, how many of them a crystal is wide, a radius, and how many of them hold it."""


def rattled(crystal, displacement):
    """The crystal with a vacancy, and its atoms displaced."""
    atoms = crystal.copy()
    del atoms[100]
    if displacement:
        atoms.rattle(displacement, seed=1)
    return atoms


def smallest(atoms):
    return minimum_distance(atoms, 4.0)[0]


@pytest.mark.parametrize("displacement", [0.0, 0.1])
@pytest.mark.parametrize("name", sorted(CRYSTALS))
def test_a_chunk_is_as_long_as_the_fewest_cells_that_hold_the_radius(name, displacement):
    cell, width, radius, repeats = CRYSTALS[name]
    atoms = rattled(cell.repeat(width), displacement)
    chunk = carve_periodic_chunk(atoms, 3, radius=radius).atoms
    expected = repeats * cell.cell.lengths()[0]
    np.testing.assert_allclose(chunk.cell.lengths(), expected, atol=0.12)
    assert abs(len(chunk) - repeats**3 * len(cell)) <= 1


@pytest.mark.parametrize("displacement", [0.05, 0.18])
def test_no_two_atoms_at_a_seam_are_much_nearer_than_in_the_structure(displacement):
    atoms = rattled(CRYSTALS["fcc"][0].repeat(4), displacement)
    pairs = neighbor_list(atoms, 4.0)
    nearest = np.minimum.reduceat(np.linalg.norm(pairs.vectors, axis=1), pairs.first[:-1])
    for centre in (3, 200):
        chunk = carve_periodic_chunk(atoms, centre, radius=4.5).atoms
        allowed = min(0.999 * nearest.min(), 0.8 * nearest.mean())
        assert len(chunk) < 0.5 * len(atoms)
        assert smallest(chunk) > allowed - 1e-9


def test_species_alternate_across_a_seam():
    """Halves of the unit cell repeat the places of atoms, but not the species."""
    chunk = carve_periodic_chunk(CRYSTALS["rocksalt"][0].repeat(3), 3, radius=3.4).atoms
    assert len(chunk) == 64
    pairs = neighbor_list(chunk, 3.0)
    assert pairs.n_pairs == 6 * len(chunk)
    owner = np.repeat(np.arange(len(chunk)), np.diff(pairs.first))
    assert (chunk.numbers[owner] != chunk.numbers[pairs.neighbor]).all()


@pytest.mark.parametrize("displacement", [0.0, 0.1])
def test_a_limit_makes_the_radius_smaller_but_the_seams_no_worse(displacement):
    """Four cells are 14.36 A long, three of them 10.77 A: 5.5 A do not fit, about 5 A do."""
    atoms = rattled(bulk("Cu", a=3.59, cubic=True).repeat(4), displacement)
    assert len(carve_periodic_chunk(atoms, 3, radius=5.5).atoms) == len(atoms)
    limits = {"radius": 5.5, "smallest_radius": 4.5, "kind": "periodic"}
    chunk = carve_at_most(atoms, 3, most=150, **limits)
    assert len(chunk.atoms) in (107, 108)
    assert 4.5 < chunk.radius < 5.1
    np.testing.assert_allclose(chunk.atoms.cell.lengths(), 10.77, atol=0.1)
    whole = carve_chunk(atoms, 3, radius=chunk.radius).atoms
    kept = carve_chunk(chunk.atoms, 0, radius=chunk.radius).atoms
    np.testing.assert_allclose(
        kept.positions - kept.positions[0], whole.positions - whole.positions[0], atol=1e-9
    )


def test_where_no_cell_closes_well_within_the_limit_the_best_is_taken():
    atoms = rattled(bulk("Cu", a=3.59, cubic=True).repeat(4), 0.05)
    limits = {"radius": 4.5, "smallest_radius": 4.5, "kind": "periodic"}
    chunk = carve_at_most(atoms, 3, most=100, **limits)
    assert len(chunk.atoms) <= 100
    assert (chunk.atoms.cell.lengths() > 9.0).all()
    assert smallest(chunk.atoms) > 1.9
    assert carve_at_most(atoms, 3, most=60, **limits) is None
