# SPDX-License-Identifier: MIT
r"""Random strains of structures: of the volume, and of the shape alone.

The size of a strain of shape is its von Mises strain ``sqrt(2/3 e:e)``, where ``e`` is symmetric
and has no trace. Here ``e`` is the logarithmic strain: cells are deformed by ``exp(e)``, which
leaves their volume as it is at any size.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms
from scipy.linalg import expm

Array = np.ndarray


def von_mises_strain(strain: Array) -> float:
    """Return ``sqrt(2/3 e:e)`` of the traceless part of a strain (3, 3)."""
    deviator = strain - np.trace(strain) / 3 * np.eye(3)
    return float(np.sqrt(2 / 3 * (deviator**2).sum()))


def random_deviator(size: float, rng: np.random.Generator) -> Array:
    """Return a traceless symmetric strain of that von Mises strain, all directions alike."""
    drawn = rng.standard_normal((3, 3))
    strain = (drawn + drawn.T) / 2
    strain -= np.trace(strain) / 3 * np.eye(3)
    scaled: Array = strain * (size / von_mises_strain(strain))
    return scaled


def deform(atoms: Atoms, deformation: Array) -> None:
    """Deform cell and positions by a matrix (3, 3) that acts on row vectors from the right."""
    atoms.set_cell(atoms.cell.array @ deformation)
    atoms.positions = atoms.positions @ deformation


def strain_volume(atoms: Atoms, low: float, high: float, rng: np.random.Generator) -> None:
    """Change the volume by a share that is uniform in [low, high]."""
    deform(atoms, np.eye(3) * (1 + rng.uniform(low, high)) ** (1 / 3))


def strain_shape(atoms: Atoms, largest: float, rng: np.random.Generator) -> None:
    """Apply a strain of shape whose von Mises strain is uniform in [0, largest]."""
    deform(atoms, expm(random_deviator(rng.uniform(0, largest), rng)))
