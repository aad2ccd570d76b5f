# SPDX-License-Identifier: MIT
r"""Periodic chunks: small periodic cells in which the surroundings of one atom are kept.

In bulk a cluster has a surface that takes most of the reference's time and may not even converge. A
periodic chunk has none: a parallelepiped about the atom with the directions of the structure's own
cell vectors, so wide that all atoms within r_c are in it, is made a cell of its own. Beyond r_c it
is filled with what the cut holds.

The cut closes on itself well if its lengths agree with the lattice. Lengths from the smallest
allowed to two smallest distances more are tried, vector by vector, and the one is taken in which
the atoms have on average most nearly as many neighbours as in the structure; of equal ones that
with the density that is nearest to the structure's.

Of two atoms that are nearer than :data:`CLOSEST` of the smallest distance in the structure the one
farther from the centre is left out, never one within r_c. Along directions in which the structure
is not periodic, or no longer than the chunk would be, it keeps its full length.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from ase import Atoms

from aiida_alpot.carving.chunks import RADIUS, Chunk, check_carving
from aiida_alpot.errors import GeometryError
from aiida_alpot.neighbors import neighbor_list

Array = np.ndarray
CLOSEST = 0.8
"""Share of the smallest distance in the structure below which two atoms collide at the seam."""
BONDED = 1.25
"""Times the smallest distance in the structure: up to there atoms are neighbours."""
RIM = 0.15
"""Share of the smallest distance that a cut is wider than its cell, on each side."""
LENGTHS = 41
"""Lengths that are tried for each cell vector."""


def carve_periodic_chunk(structure: Atoms, centre: int, *, radius: float = RADIUS) -> Chunk:
    """Cut a smaller periodic cell about one atom out of a bulk structure.

    Parameters
    ----------
    structure : Atoms
        Periodic in one direction at least.
    centre : int
        Atom in the middle.
    radius : float
        r_c, A: what is nearer to the central atom is kept as it is.

    Returns
    -------
    Chunk
        Periodic as the structure is; the central atom first, then the others by distance from it.

    Raises
    ------
    SettingError
        If the radius is not positive or there is no such atom.
    GeometryError
        If the structure is not periodic, or two of its atoms coincide.
    """
    check_carving(structure, centre, radius=radius)
    if not structure.pbc.any():
        raise GeometryError(
            "The structure is not periodic, so no smaller periodic cell can be cut from it; carve "
            "clusters."
        )
    parent = _Parent(structure, centre, radius)
    shares = parent.choose_shares()
    kept = parent.cut(shares).members
    positions = parent.fractions[kept] @ parent.cell
    order = np.argsort(np.round(np.linalg.norm(positions, axis=1), 9), kind="stable")
    atoms = Atoms(
        numbers=structure.numbers[kept[order]],
        positions=structure.positions[centre] + positions[order],
        cell=structure.cell.array * shares[:, None],
        pbc=structure.pbc,
    )
    return Chunk(atoms, centre, kept[order], radius)


class _Cut(NamedTuple):
    """Atoms in a cut, and what is wrong with them; the smaller the better."""

    members: Array
    changed_neighbors: float
    density_error: float


class _Parent:
    """The structure that a chunk is cut from, seen from the central atom."""

    def __init__(self, structure: Atoms, centre: int, radius: float) -> None:
        self.structure = structure
        self.radius = radius
        self.cell = structure.cell.complete().array
        self.heights = 1.0 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)
        self.fractions = _fractions(structure, centre)
        self.spacing = _smallest_distance(structure)
        self.coordination = np.diff(neighbor_list(structure, BONDED * self.spacing).first)

    def choose_shares(self) -> Array:
        """Return the share of each cell vector that the chunk has."""
        choices = [self._shares(axis) for axis in range(3)]
        shares = np.array([one[0] for one in choices])
        # each vector once more, since the others were not chosen yet when it was first
        for axis in (0, 1, 2, 0, 1, 2):
            tried = [np.where(np.arange(3) == axis, share, shares) for share in choices[axis]]
            shares = min(tried, key=lambda one: self.cut(one)[1:])
        return shares

    def _shares(self, axis: int) -> Array:
        """Return the shares of a cell vector that a chunk may have, the smallest first."""
        height = float(self.heights[axis])
        # images of atoms on the rim must not come within the radius
        smallest = 2.0 * (self.radius + RIM * self.spacing)
        if not self.structure.pbc[axis] or smallest >= height:
            return np.ones(1)
        # planes of a lattice repeat within two smallest distances
        largest = min(height, smallest + 2.0 * self.spacing)
        return np.linspace(smallest / height, largest / height, LENGTHS)

    def cut(self, shares: Array) -> _Cut:
        """Return the atoms in the parallelepiped of these shares, without those that collide."""
        fractions = self.fractions
        # a little more than the cell, since of a rattled plane on the faces some atoms lie on the
        # outer side of both; what lies on the inner side of both collides with its counterpart
        rim = RIM * self.spacing / self.heights
        is_inside = np.abs(fractions) < 0.5 * shares + rim
        members = np.flatnonzero((is_inside | (shares >= 1.0)).all(axis=1))
        positions = fractions[members] @ self.cell
        cell = self.cell * shares[:, None]
        distances = np.linalg.norm(positions, axis=1)
        lost: set[int] = set()
        for first, second in _pairs(positions, cell, self.structure.pbc, CLOSEST * self.spacing):
            if first in lost or second in lost:
                continue
            farther = max((first, second), key=lambda one: (distances[one], one))
            if distances[farther] > self.radius:
                lost.add(farther)
        kept = np.delete(np.arange(len(members)), sorted(lost))
        closed = Atoms(np.ones(len(kept)), positions[kept], cell=cell, pbc=self.structure.pbc)
        bonds = neighbor_list(closed, BONDED * self.spacing)
        changed = np.abs(np.diff(bonds.first) - self.coordination[members[kept]]).sum()
        expected = len(self.structure) * float(shares.prod())
        return _Cut(members[kept], changed / len(kept), abs(len(kept) / expected - 1.0))


def _pairs(positions: Array, cell: Array, pbc: Array, cutoff: float) -> Iterator[tuple[int, int]]:
    atoms = Atoms(np.ones(len(positions)), positions, cell=cell, pbc=pbc)
    pairs = neighbor_list(atoms, cutoff)
    firsts = np.repeat(np.arange(len(positions)), np.diff(pairs.first))
    return zip(firsts.tolist(), pairs.neighbor.tolist(), strict=True)


def _fractions(structure: Atoms, centre: int) -> Array:
    """Return fractional coordinates relative to the centre, the nearest images where periodic."""
    cell = structure.cell.complete().array
    relative = (structure.positions - structure.positions[centre]) @ np.linalg.inv(cell)
    wrapped = relative - np.floor(relative + 0.5)
    fractions: Array = np.where(structure.pbc, wrapped, relative)
    return fractions


def _smallest_distance(structure: Atoms) -> float:
    """Return the smallest distance of two atoms or images, A."""
    for cutoff in itertools.accumulate([3.0] * 8):
        pairs = neighbor_list(structure, cutoff)
        if pairs.n_pairs:
            smallest = float(np.linalg.norm(pairs.vectors, axis=1).min())
            if smallest < 1e-3:
                raise GeometryError("Two atoms of the structure coincide; repair it.")
            return smallest
    raise GeometryError("No two atoms of the structure are nearer than 24 A; carve clusters.")
