# SPDX-License-Identifier: MIT
"""Chunks: small clusters about single atoms of a large structure, for nearsighted force training.

Forces are nearsighted: the force on an atom hardly depends on what is farther away than a radius
r_c. So a structure too large for a reference calculation can teach its forces one by one: all atoms
within r_c of an atom, periodic images included, are cut out, and of the reference forces of this
chunk only that on the central atom is trained on (Zeng, Chen and Peterson, J. Chem. Phys. 156,
064104 (2022)). Energy, stress and all other forces of a chunk are those of a surface that the
structure does not have.

A potential of cutoff R has forces of range 2 R. With r_c < 2 R its force on the central atom in the
chunk is not quite that in the whole structure, so the model is always evaluated *in the chunk*,
like the reference: both see the same atoms, and no error of the cut enters the training. That the
force in the chunk is near that in the whole is another question, which
:mod:`aiida_alpot.carving.locality` answers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.neighbors import PairMemory, search_neighbors

Array = np.ndarray
RADIUS = 8.0
VACUUM = 5.0


@dataclass(frozen=True)
class Chunk:
    """Atoms about one atom of a structure.

    Parameters
    ----------
    atoms : Atoms
        The central atom is the first, then the others by distance from it.
    centre : int
        Place of the central atom in the structure.
    members : (n,) int64
        Place in the structure of each atom of the chunk, -1 for atoms that saturate cut bonds.
    radius : float
        r_c, A.
    """

    atoms: Atoms
    centre: int
    members: Array
    radius: float

    @property
    def force_mask(self) -> Array:
        """(n,) bool: true for the central atom alone."""
        mask: Array = np.arange(len(self.atoms)) == 0
        return mask

    @property
    def n_added(self) -> int:
        """Number of atoms that saturate cut bonds."""
        return int((self.members < 0).sum())


def carve_chunk(
    structure: Atoms, centre: int, *, radius: float = RADIUS, vacuum: float = VACUUM
) -> Chunk:
    """Cut out all atoms within a radius of one atom.

    Parameters
    ----------
    structure : Atoms
        Of any size and periodicity; images of atoms count like atoms.
    centre : int
        Atom in the middle.
    radius : float
        r_c, A, positive.
    vacuum : float
        Distance between the chunk and each face of its cell, A; the cell is not periodic, codes
        that know only periodic cells need it all the same.

    Returns
    -------
    Chunk
        Not periodic.

    Raises
    ------
    SettingError
        If the radius is not positive, the vacuum negative, or there is no such atom.
    GeometryError
        If a position or the cell is not finite, or the cell has no volume.
    """
    check_carving(structure, centre, radius=radius, vacuum=vacuum)
    others, vectors = surroundings(structure, centre, radius)
    members = np.concatenate([[centre], others])
    atoms = Atoms(
        numbers=structure.numbers[members], positions=np.concatenate([np.zeros((1, 3)), vectors])
    )
    return Chunk(put_in_box(atoms, vacuum), centre, members, radius)


def surroundings(structure: Atoms, centre: int, radius: float) -> tuple[Array, Array]:
    """Return the atoms within a radius of one atom, and the vectors to them, the nearest first.

    Of equal distances the one with the smaller number and image comes first.
    """
    search = search_neighbors(Configurations.from_atoms([structure]), radius)
    pairs = search.rows(centre, centre + 1, PairMemory())
    of_centre = slice(int(pairs.first[centre]), int(pairs.first[centre + 1]))
    others, vectors = pairs.neighbor[of_centre], pairs.vectors[of_centre]
    order = np.argsort(np.round(np.linalg.norm(vectors, axis=1), 9), kind="stable")
    return others[order].astype(np.int64), vectors[order]


def put_in_box(atoms: Atoms, vacuum: float) -> Atoms:
    """Return atoms in a cell, not periodic, that leaves so much vacuum at each face."""
    boxed = atoms.copy()
    low, high = atoms.positions.min(axis=0), atoms.positions.max(axis=0)
    # a flat chunk without vacuum would have a cell without volume
    lengths = np.maximum(high - low + 2.0 * vacuum, 1.0)
    boxed.set_cell(np.diag(lengths))
    boxed.positions += 0.5 * (lengths - low - high)
    boxed.pbc = False
    return boxed


def check_carving(structure: Atoms, centre: int, *, radius: float, vacuum: float = 0.0) -> None:
    """Raise SettingError unless there is such an atom, radius and vacuum."""
    if not 0.0 < radius < np.inf:
        raise SettingError(f"The radius of a chunk is {radius:g} A; give a positive number.")
    if not 0.0 <= vacuum < np.inf:
        raise SettingError(
            f"The vacuum around a chunk is {vacuum:g} A; give zero or a positive number."
        )
    if not 0 <= centre < len(structure):
        raise SettingError(
            f"There is no atom {centre} in a structure of {len(structure)} atoms; they count from "
            "zero."
        )
