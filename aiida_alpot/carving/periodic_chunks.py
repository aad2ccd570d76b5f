# SPDX-License-Identifier: MIT
r"""Periodic chunks: small periodic cells in which the surroundings of one atom are kept.

In bulk a cluster has a surface that takes most of the reference's time and may not even converge. A
periodic chunk has none: a parallelepiped about the atom with the directions of the structure's own
cell vectors, so wide that all atoms within r_c are in it, is made a cell of its own. Beyond r_c it
is filled with what the cut holds.

The cut closes on itself well if its lengths agree with the lattice. What tells is the smooth
coordination of each atom by each species,

    c_i = sum_j w(r_ij / d),  w(x) = 2 up to 1/2, 1 - sin(pi (x - 1)) up to 3/2, 0 beyond,

with the mean distance d of nearest neighbours, for which w is 1. The misfit of a seam is the mean
change of c that it makes in a layer d thick. It is smallest where a plane meets the plane that it
replaces, and thermal displacements do not hide that. Lengths from the smallest allowed to 2.5 d
more, within which all simple lattices repeat, are tried for each cell vector alone; of those whose
misfit is nearly the smallest the shortest is taken. Where even that is more than :data:`POOR`
neighbours the vector is kept whole.

Of two atoms that are nearer than :data:`CLOSEST` d the one farther from the centre is left out,
never one within r_c. Along directions in which the structure is not periodic, or no longer than
the chunk would be, it keeps its full length.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_alpot.carving.chunks import RADIUS, Chunk, check_carving
from aiida_alpot.errors import GeometryError
from aiida_alpot.neighbors import NeighborList, neighbor_list

Array = np.ndarray
CLOSEST = 0.8
"""Share of d below which two atoms collide at the seam."""
REACH = 1.5
"""Share of d up to which atoms count as neighbours."""
RIM = 0.15
"""Share of d that a cut is wider than its cell, on each side."""
POOR = 1.2
"""Largest misfit of a seam, neighbours."""
SHRINK = 0.97
"""Factor by which the radius is made smaller at a time where atoms are limited."""
REPEAT = 2.5
"""Share of d within which the planes of a lattice repeat."""
STEP = 0.06
"""Share of d between two lengths that are tried."""
_NEARLY = 1.25
_SIMPLE = sorted({part / whole for whole in range(2, 9) for part in range(1, whole)})
"""Shares of a cell vector that a supercell of few cells repeats at."""
_SHORTEST = 0.1
"""A; where no limit is given the radius is not made smaller than this."""


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
    chunk = carve_periodic_at_most(structure, centre, radius=radius, smallest_radius=radius)
    assert chunk is not None
    return chunk


def carve_periodic_at_most(
    structure: Atoms,
    centre: int,
    *,
    radius: float = RADIUS,
    most: int | None = None,
    smallest_radius: float = 0.0,
) -> Chunk | None:
    """Cut a smaller periodic cell that holds no more than some number of atoms.

    Where the radius would take in more it is made smaller. If no cell of so few atoms closes well
    on itself the best of them is taken all the same.

    Parameters
    ----------
    structure, centre, radius
        See :func:`carve_periodic_chunk`.
    most : int, optional
        Atoms of the chunk; any number if absent.
    smallest_radius : float
        r_c, A, below which there is no chunk.

    Returns
    -------
    Chunk or None
        None where ``most`` atoms do not reach as far as ``smallest_radius``.

    Raises
    ------
    SettingError
        As :func:`carve_periodic_chunk`.
    GeometryError
        As :func:`carve_periodic_chunk`.
    """
    check_carving(structure, centre, radius=radius)
    if not structure.pbc.any():
        raise GeometryError(
            "The structure is not periodic, so no smaller periodic cell can be cut from it; carve "
            "clusters."
        )
    parent = _Parent(structure, centre)
    limit = len(structure) if most is None else most
    smallest_radius = max(smallest_radius, _SHORTEST)
    while radius >= smallest_radius:
        members, shares = parent.choose(radius, limit)
        if len(members) <= limit:
            return parent.close(members, shares, radius)
        if radius == smallest_radius:
            break
        radius = max(SHRINK * radius, smallest_radius)
    members, shares = parent.choose_poor(smallest_radius, limit)
    return parent.close(members, shares, smallest_radius) if len(members) <= limit else None


class _Parent:
    """The structure that a chunk is cut from, seen from the central atom."""

    def __init__(self, structure: Atoms, centre: int) -> None:
        self.structure = structure
        self.centre = centre
        self.cell = structure.cell.complete().array
        self.heights = 1.0 / np.linalg.norm(np.linalg.inv(self.cell), axis=0)
        self.fractions = _fractions(structure, centre)
        nearest = _nearest_distances(structure)
        self.spacing = float(nearest.mean())
        # atoms of the structure itself never collide
        self.closest = min(CLOSEST * self.spacing, 0.999 * float(nearest.min()))
        self.species = np.unique(structure.numbers, return_inverse=True)[1]
        self.coordination = self._coordination(
            neighbor_list(structure, REACH * self.spacing), self.species
        )
        self._misfits: dict[tuple[int, float], float] = {}

    def choose(self, radius: float, limit: int) -> tuple[Array, Array]:
        """Return the atoms, and the share of each cell vector, of the cell that closes well."""
        smallest = self._smallest_shares(radius)
        if len(self.structure) * smallest.prod() > 1.2 * limit:  # so nothing need be compared
            return self.cut(smallest, radius)[0], smallest
        shares = np.array([self._good_share(axis, smallest[axis]) for axis in range(3)])
        return self.cut(shares, radius)[0], shares

    def choose_poor(self, radius: float, limit: int) -> tuple[Array, Array]:
        """Return the same of the cell that closes best of those with few atoms."""
        smallest = self._smallest_shares(radius)
        n_smallest = max(len(self.cut(smallest, radius)[0]), 1)
        longer = (limit / n_smallest) ** (1.0 / max((smallest < 1.0).sum(), 1))
        shares = smallest.copy()
        for axis in np.flatnonzero(smallest < 1.0).tolist():
            within = self._choices(axis, smallest[axis])
            # the last share that holds the limit may hold an atom too many at its rim
            within = within[within <= max(longer, 1.0) * smallest[axis]]
            for share in sorted(within, key=lambda one: self._misfit(axis, one)):
                tried = np.where(np.arange(3) == axis, share, shares)
                if len(self.cut(tried, radius)[0]) <= limit:
                    shares = tried
                    break
        return self.cut(shares, radius)[0], shares

    def _smallest_shares(self, radius: float) -> Array:
        # images of atoms on the rim must not come within the radius
        smallest = 2.0 * (radius + RIM * self.spacing)
        # a little less than the whole would save nothing
        is_cut = self.structure.pbc & (smallest <= self.heights - 0.5 * self.spacing)
        shares: Array = np.where(is_cut, smallest / self.heights, 1.0)
        return shares

    def _good_share(self, axis: int, smallest: float) -> float:
        """Return the smallest share of a vector whose seam is as good as can be had."""
        if smallest >= 1.0:
            return 1.0
        choices = self._choices(axis, smallest)
        misfits = np.array([self._misfit(axis, share) for share in choices])
        if misfits.min() > POOR:
            return 1.0
        # about the shortest good one the best; next to it there are others almost as good
        good = np.flatnonzero(misfits <= _NEARLY * misfits.min() + 0.2 * POOR)
        near = choices <= choices[good[0]] + 0.25 * self.spacing / self.heights[axis]
        return float(choices[np.argmin(np.where(near, misfits, np.inf))])

    def _choices(self, axis: int, smallest: float) -> Array:
        """Return the shares of a cell vector that are tried, the smallest first."""
        height = float(self.heights[axis])
        largest = min(1.0 - 0.5 * self.spacing / height, smallest + REPEAT * self.spacing / height)
        step = STEP * self.spacing / height
        evenly = step * np.arange(np.ceil(smallest / step), np.floor(largest / step) + 1)
        simple = np.array(_SIMPLE)
        within = simple[(simple >= smallest) & (simple <= largest)]
        return np.unique(np.concatenate([[smallest], evenly, within]))

    def _misfit(self, axis: int, share: float) -> float:
        """Return the mean change of the coordination in a layer at the seam of one vector."""
        key = axis, float(share)
        if key not in self._misfits:
            shares = np.where(np.arange(3) == axis, share, 1.0)
            members, change = self.cut(shares, 0.5 * share * self.heights[axis] - self.spacing)
            layers = share * self.heights[axis] / self.spacing
            self._misfits[key] = float(np.abs(change).sum()) / max(len(members), 1) * layers
        return self._misfits[key]

    def cut(self, shares: Array, radius: float) -> tuple[Array, Array]:
        """Return the atoms in the parallelepiped of these shares, without those that collide.

        Beside them stands how much the coordination of each by each species changes.
        """
        # a little more than the cell, since of a rattled plane on the faces some atoms lie on the
        # outer side of both; what lies on the inner side of both collides with its counterpart
        rim = RIM * self.spacing / self.heights
        is_inside = np.abs(self.fractions) < 0.5 * shares + rim
        members = np.flatnonzero((is_inside | (shares >= 1.0)).all(axis=1))
        positions = self.fractions[members] @ self.cell
        closed = Atoms(
            np.ones(len(members)),
            positions,
            cell=self.cell * shares[:, None],
            pbc=self.structure.pbc,
        )
        pairs = neighbor_list(closed, REACH * self.spacing)
        stays = self._without_collisions(pairs, np.linalg.norm(positions, axis=1), radius)
        found = self._coordination(pairs, self.species[members], stays)
        return members[stays], (found - self.coordination[members])[stays]

    def _without_collisions(self, pairs: NeighborList, distances: Array, radius: float) -> Array:
        """(n,) bool: which atoms stay, if of two that collide the one farther off is left out."""
        stays = np.ones(len(distances), dtype=bool)
        first, length = pairs.owner, np.linalg.norm(pairs.vectors, axis=1)
        close = np.flatnonzero(length < self.closest)
        for one, other in zip(first[close].tolist(), pairs.neighbor[close].tolist(), strict=True):
            if stays[one] and stays[other]:
                farther = max((one, other), key=lambda atom: (distances[atom], atom))
                stays[farther] = distances[farther] <= radius
        return stays

    def _coordination(
        self, pairs: NeighborList, species: Array, stays: Array | None = None
    ) -> Array:
        """Return the smooth number of neighbours of each atom by species, (n, n_species)."""
        first, n_species = pairs.owner, int(self.species.max()) + 1
        beyond = np.linalg.norm(pairs.vectors, axis=1) / self.spacing - 1.0
        weights = 1.0 - np.sin(np.pi * np.clip(beyond, -0.5, 0.5))
        if stays is not None:
            weights = weights * stays[pairs.neighbor]
        places = first * n_species + species[pairs.neighbor]
        counted: Array = np.bincount(places, weights, len(species) * n_species)
        return counted.reshape(-1, n_species)

    def close(self, members: Array, shares: Array, radius: float) -> Chunk:
        """Return a cut as a cell of its own, the central atom first."""
        positions = self.fractions[members] @ self.cell
        order = np.argsort(np.round(np.linalg.norm(positions, axis=1), 9), kind="stable")
        atoms = Atoms(
            numbers=self.structure.numbers[members[order]],
            positions=self.structure.positions[self.centre] + positions[order],
            cell=self.structure.cell.array * shares[:, None],
            pbc=self.structure.pbc,
        )
        return Chunk(atoms, self.centre, members[order], radius)


def _fractions(structure: Atoms, centre: int) -> Array:
    """Return fractional coordinates relative to the centre, the nearest images where periodic."""
    cell = structure.cell.complete().array
    relative = (structure.positions - structure.positions[centre]) @ np.linalg.inv(cell)
    wrapped = relative - np.floor(relative + 0.5)
    fractions: Array = np.where(structure.pbc, wrapped, relative)
    return fractions


def _nearest_distances(structure: Atoms) -> Array:
    """Return the distance of each atom that has neighbours within 24 A to the nearest, A."""
    cutoff = 3.0
    pairs = neighbor_list(structure, cutoff)
    while cutoff < 24.0 and not np.diff(pairs.first).all():
        cutoff *= 2.0
        pairs = neighbor_list(structure, cutoff)
    has_neighbor = np.diff(pairs.first) > 0
    if not has_neighbor.any():
        raise GeometryError("No two atoms of the structure are nearer than 24 A; carve clusters.")
    lengths = np.linalg.norm(pairs.vectors, axis=1)
    nearest: Array = np.minimum.reduceat(lengths, pairs.first[:-1][has_neighbor])
    if nearest.min() < 1e-3:
        raise GeometryError("Two atoms of the structure coincide; repair it.")
    return nearest
