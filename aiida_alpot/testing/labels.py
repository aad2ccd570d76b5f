# SPDX-License-Identifier: MIT
"""Assertions about the labels of any code: signs, units and which energy it is.

A labeller that is new labels the five cells of :func:`gradient_probe` and hands the result to
:func:`assert_gradients_of_labels`. A stress with the sign of a pressure, forces in another order or
unit, or an energy that is not that of the forces do not pass.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations


def gradient_probe(
    atoms: Atoms, rng: np.random.Generator, *, step: float = 0.01, strain: float = 0.003
) -> Configurations:
    """Return a cell, and the same with its atoms moved and with the cell strained to either side.

    Parameters
    ----------
    atoms : Atoms
        Displaced atoms in a sheared cell, so that nothing vanishes by symmetry.
    rng : numpy.random.Generator
        Draws directions and the strain.
    step : float
        Largest displacement, Angstrom.
    strain : float
        Largest component of the strain.
    """
    direction = rng.uniform(-1, 1, atoms.positions.shape)
    tensor = rng.uniform(-1, 1, (3, 3))
    tensor = (tensor + tensor.T) / 2
    # a pressure is often most of a stress, and would hide an order that is wrong
    tensor -= 0.9 * np.trace(tensor) / 3 * np.eye(3)
    cells = [atoms]
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions += sign * step * direction / np.abs(direction).max()
        cells.append(moved)
    for sign in (1, -1):
        strained = atoms.copy()
        deformation = np.eye(3) + sign * strain * tensor / np.abs(tensor).max()
        strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
        cells.append(strained)
    names = ["probe", "moved +", "moved -", "strained +", "strained -"]
    return Configurations.from_atoms(cells, identifiers=names)


def assert_gradients_of_labels(
    labelled: Configurations, *, rtol: float = 3e-3, stress: bool = True
) -> None:
    """Assert that forces and stress are the gradients of the labelled energy.

    Parameters
    ----------
    labelled : Configurations
        The cells of :func:`gradient_probe`, in their order, with labels.
    rtol : float
        Largest difference of a change of energy from what forces or stress say, as a share of it.
    stress : bool
        Whether the code gives a stress.

    Raises
    ------
    AssertionError
        With both numbers, eV.
    """
    __tracebackhide__ = True
    assert len(labelled) == 5, f"the probe has five cells, {len(labelled)} are labelled"
    energy, rows = labelled.energy, [labelled.atoms_slice(index) for index in range(5)]
    shift = labelled.positions[rows[1]] - labelled.positions[rows[2]]
    _assert_same("forces", energy[1] - energy[2], -np.sum(labelled.forces[rows[0]] * shift), rtol)
    if stress:
        strain = np.linalg.solve(labelled.cells[0], labelled.cells[3] - labelled.cells[4])
        xx, yy, zz, yz, xz, xy = labelled.stress[0]
        tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        work = labelled.volumes[0] * np.sum(tensor * strain)
        _assert_same("the stress", energy[3] - energy[4], work, rtol)


def _assert_same(name: str, change: float, told: float, rtol: float) -> None:
    __tracebackhide__ = True
    assert abs(change) > 1e-5, f"the energy hardly changes ({change} eV); distort the cell first"
    assert abs(change - told) <= rtol * abs(change), (
        f"the energy changes by {change:.8f} eV, {name} say {told:.8f} eV"
    )
