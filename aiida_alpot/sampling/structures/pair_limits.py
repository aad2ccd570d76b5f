# SPDX-License-Identifier: MIT
"""How near two atoms of a structure that is made may come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from aiida_alpot.errors import SettingError
from aiida_alpot.neighbors import neighbor_list
from aiida_alpot.periodic_cells import complete_cells
from aiida_alpot.sampling.settings import require

Array = np.ndarray
LARGEST_FACTOR = 5.0
"""Share of the sum of covalent radii beyond which no limit is meant, but a distance in A."""


@dataclass(frozen=True)
class PairLimits:
    """The smallest distance of each pair of species.

    Parameters
    ----------
    factor : float
        Share of the sum of covalent radii that a pair keeps.
    given : mapping of (int, int) to float
        Distances in Angstrom that replace it for their pair of atomic numbers, the smaller first.
    """

    factor: float
    given: Mapping[tuple[int, int], float]

    def table(self, first: Array, second: Array) -> Array:
        """Return the smallest distances between two lists of atomic numbers, Angstrom (n, m)."""
        limits: Array = self.factor * (covalent_radii[first][:, None] + covalent_radii[second])
        for (a, b), distance in self.given.items():
            for one, other in {(a, b), (b, a)}:
                limits[np.ix_(first == one, second == other)] = distance
        return limits

    def leave_room(self, numbers: Array, volume: float) -> bool:
        """Return whether atoms might fit: those of a species are at most closely packed."""
        kinds, counts = np.unique(numbers, return_counts=True)
        distances = np.diag(self.table(kinds, kinds))
        # spheres of these diameters fill pi / sqrt(18) of a volume at most (Hales, 2005)
        return bool(np.all(counts * distances**3 <= np.sqrt(2) * volume))

    def keeps(self, atoms: Atoms) -> bool:
        """Return whether no two atoms, images included, are nearer than allowed."""
        kinds = np.unique(atoms.numbers)
        pairs = neighbor_list(atoms, float(self.table(kinds, kinds).max()))
        if pairs.n_pairs == 0:
            return True
        first = pairs.owner
        places = np.searchsorted(kinds, atoms.numbers)
        limits = self.table(kinds, kinds)[places[first], places[pairs.neighbor]]
        return bool(np.all(np.linalg.norm(pairs.vectors, axis=1) >= limits))


def make_limits(factor: float, distances: Mapping[str, float] | None) -> PairLimits:
    """Return the limits from settings, such as ``{"Cu-Zr": 1.9}``.

    Raises
    ------
    SettingError
        If the factor or a distance is negative or no number, or a key is no pair of chemical
        symbols.
    """
    fits = 0 <= factor <= LARGEST_FACTOR
    allowed = f"zero or a positive number, at most {LARGEST_FACTOR:g}"
    require(fits, "min_distance_factor", factor, allowed)
    given = {}
    for pair, distance in (distances or {}).items():
        symbols = pair.split("-")
        if len(symbols) != 2 or any(one not in atomic_numbers or one == "X" for one in symbols):
            raise SettingError(
                f"'min_distances' has the pair {pair!r}; write two chemical symbols joined by "
                "'-', as in 'Cu-Zr'."
            )
        if not (distance >= 0 and np.isfinite(distance)):
            raise SettingError(
                f"'min_distances' has {distance!r} for {pair}; it must be zero or positive."
            )
        first, second = sorted(atomic_numbers[one] for one in symbols)
        given[first, second] = distance
    return PairLimits(factor, given)


class Placement:
    """Atoms placed one after the other into a cell, none too near to another.

    Parameters
    ----------
    cell : (3, 3) array
        Vectors in its rows, Angstrom.
    pbc : (3,) array of bool
        In which directions it repeats.
    limits : PairLimits
        How near two atoms may come.
    numbers : (n,) array
        Species of all atoms that will be placed, from which the images that matter are found.
    """

    def __init__(self, cell: Array, pbc: Array, limits: PairLimits, numbers: Array) -> None:
        self.positions = np.zeros((0, 3))
        self.numbers = np.zeros(0, dtype=int)
        self._limits = limits
        kinds = np.unique(numbers)
        self._reach = float(limits.table(kinds, kinds).max())
        self._pbc, self._spread = pbc, cell
        self._cell = complete_cells(cell[None], pbc[None])[0]
        self._inverse = np.linalg.inv(self._cell)
        self._shifts = _lattice_shifts(self._cell, pbc, self._reach)

    def images_allow(self, number: int) -> bool:
        """Return whether an atom keeps its distance from its own images."""
        lengths = np.linalg.norm(self._shifts, axis=1)
        shortest = lengths[lengths > 1e-8].min(initial=np.inf)
        return bool(shortest >= self.least(number))

    def clearances(self, points: Array, number: int) -> Array:
        """Return by how much each point is farther from all atoms than it must be, Angstrom (m,).

        Negative where an atom of species ``number`` cannot be placed.
        """
        if not len(self.positions):
            return np.full(len(points), np.inf)
        apart = points[:, None] - self.positions
        apart -= (np.round(apart @ self._inverse) * self._pbc) @ self._cell
        distances = np.linalg.norm(apart[:, :, None] + self._shifts, axis=3).min(axis=2)
        limits = self._limits.table(np.array([number]), self.numbers)
        nearest: Array = (distances - limits).min(axis=1)
        return nearest

    def least(self, number: int) -> float:
        """Return the smallest distance allowed between two atoms of a species, Angstrom."""
        kind = np.array([number])
        return float(self._limits.table(kind, kind)[0, 0])

    def clearance_within(self, points: Array, number: int) -> float:
        """Return by how much atoms of one species, images included, keep their distance at least.

        Infinite where no image is within reach.
        """
        apart = points[:, None] - points
        apart -= (np.round(apart @ self._inverse) * self._pbc) @ self._cell
        distances = np.linalg.norm(apart[:, :, None] + self._shifts, axis=3)
        own = (np.linalg.norm(self._shifts, axis=1) < 1e-8) & np.eye(len(points), dtype=bool)[
            :, :, None
        ]
        return float(distances[~own].min(initial=np.inf)) - self.least(number)

    def place(self, point: Array, number: int) -> None:
        """Put an atom there."""
        self.positions = np.vstack([self.positions, point])
        self.numbers = np.append(self.numbers, number)

    def place_at_random(
        self, number: int, rng: np.random.Generator, *, tries: int, force: bool = False
    ) -> bool:
        """Place an atom anywhere in the cell where it fits; return whether it was placed.

        With ``force`` it goes where it overlaps least if it fits nowhere.
        """
        return self._place(lambda n: rng.random((n, 3)) @ self._spread, number, tries, force)

    def place_near(
        self, site: Array, number: int, deviation: float, rng: np.random.Generator, *, tries: int
    ) -> bool:
        """Place an atom with a Gaussian displacement from a site, drawn again where too near."""
        return self._place(
            lambda n: site + deviation * rng.standard_normal((n, 3)), number, tries, False
        )

    def _place(self, draw: Callable[[int], Array], number: int, tries: int, force: bool) -> bool:
        """Place an atom at the first point drawn where it fits."""
        widest, most = None, -np.inf
        for n in _batches(tries):
            points = draw(n)
            clearances = self.clearances(points, number)
            fitting = np.flatnonzero(clearances >= 0)
            if len(fitting):
                self.place(points[fitting[0]], number)
                return True
            if clearances.max() > most:
                widest, most = points[clearances.argmax()], clearances.max()
        if force and widest is not None:
            self.place(widest, number)
            return True
        return False


def _batches(tries: int) -> list[int]:
    """Split tries into batches that grow: most atoms fit at once."""
    sizes = []
    size = 4
    while tries > 0:
        sizes.append(min(size, tries))
        tries -= size
        size = min(4 * size, 256)
    return sizes


def _lattice_shifts(cell: Array, pbc: Array, reach: float) -> Array:
    """Return the lattice vectors that can bring wrapped differences within ``reach``."""
    widths = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    # differences wrapped into the cell are at most half a vector
    most = np.where(pbc, np.floor(reach / widths + 0.5), 0).astype(int)
    steps = np.meshgrid(*[np.arange(-m, m + 1) for m in most], indexing="ij")
    shifts: Array = np.stack(steps, axis=-1).reshape(-1, 3) @ cell
    return shifts
