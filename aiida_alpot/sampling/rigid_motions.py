# SPDX-License-Identifier: MIT
"""Motions that change no energy: translations, and rotations of what is not periodic."""

from __future__ import annotations

import numpy as np
from ase import Atoms


def remove_rigid_motions(atoms: Atoms, displacements: np.ndarray) -> np.ndarray:
    """Return displacements without their part that moves or turns all atoms as one body.

    Translations are taken away always, rotations where no direction is periodic. The result is the
    nearest set of displacements orthogonal to them.

    Parameters
    ----------
    atoms : Atoms
    displacements : (n_atoms, 3) float64

    Returns
    -------
    (n_atoms, 3) float64
    """
    free: np.ndarray = displacements - displacements.mean(axis=0)
    if atoms.pbc.any():
        return free
    arms = atoms.positions - atoms.positions.mean(axis=0)
    # omega x arm, with omega that takes as much as it can (least squares; any in a line of atoms)
    inertia = (arms**2).sum() * np.eye(3) - arms.T @ arms
    rotation = np.linalg.pinv(inertia) @ np.cross(arms, free).sum(axis=0)
    unturned: np.ndarray = free - np.cross(rotation, arms)
    return unturned
