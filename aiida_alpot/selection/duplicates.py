# SPDX-License-Identifier: MIT
"""Configurations that are the same but for rounding, order of atoms, translation or rotation.

Two configurations with the same atoms are near duplicates if their interatomic distances, sorted
from the smallest, differ nowhere by more than a tolerance. The fingerprint of N atoms holds the ``8
N`` smallest distances within a cutoff for each pair of species; it moves by no more than twice the
largest displacement of an atom.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.neighbors import neighbor_list

Array = np.ndarray
FINGERPRINT_CUTOFF = 4.0
DISTANCES_PER_ATOM = 8


@dataclass(frozen=True)
class Fingerprint:
    """What is compared: composition, and sorted distances (A) of each pair of species."""

    composition: tuple[tuple[int, int], ...]
    distances: Array


@dataclass(frozen=True)
class PairDistances:
    """All distances within the cutoff, each pair twice: atomic numbers of its ends, lengths (A)."""

    centre: Array
    neighbor: Array
    lengths: Array

    def between(self, a: int, b: int) -> Array:
        """Distances from atoms of atomic number ``a`` to atoms of ``b``."""
        found: Array = self.lengths[(self.centre == a) & (self.neighbor == b)]
        return found

    def smallest(self) -> dict[tuple[int, int], float]:
        """Smallest distance of each pair of species that occurs, the smaller number first."""
        smallest: dict[tuple[int, int], float] = {}
        for a in np.unique(self.centre):
            for b in np.unique(self.neighbor[self.centre == a]):
                if a <= b:
                    smallest[int(a), int(b)] = float(self.between(a, b).min())
        return smallest


def pair_distances(configurations: Configurations, index: int) -> PairDistances:
    """Return the distances of one configuration up to :data:`FINGERPRINT_CUTOFF`.

    Raises
    ------
    GeometryError
        If a position or the cell is not finite.
    """
    atoms = configurations.atoms(index)
    pairs = neighbor_list(atoms, FINGERPRINT_CUTOFF)
    return PairDistances(
        centre=np.repeat(atoms.numbers, np.diff(pairs.first)),
        neighbor=atoms.numbers[pairs.neighbor],
        lengths=np.linalg.norm(pairs.vectors, axis=1),
    )


def fingerprint(numbers: Array, distances: PairDistances) -> Fingerprint:
    """Return the fingerprint of a configuration from its atomic numbers and distances."""
    species, counts = np.unique(numbers, return_counts=True)
    parts = []
    for a, number_a in enumerate(species):
        for number_b in species[a:]:
            n_kept = DISTANCES_PER_ATOM * int(counts[a])
            padded = np.full(n_kept, FINGERPRINT_CUTOFF)
            nearest = np.sort(distances.between(number_a, number_b))[:n_kept]
            padded[: len(nearest)] = nearest
            parts.append(padded)
    composition = tuple((int(n), int(c)) for n, c in zip(species, counts, strict=True))
    return Fingerprint(composition, np.concatenate(parts))


class KnownFingerprints:
    """Fingerprints seen so far, with a fast answer to "is there one like this?".

    Parameters
    ----------
    tolerance : float
        Largest difference of two sorted distances that still counts as the same, Angstrom.
    """

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self._means: dict[tuple, list[float]] = defaultdict(list)
        self._members: dict[tuple, list[tuple[str, Array]]] = defaultdict(list)

    def find(self, sought: Fingerprint) -> str | None:
        """Return the name of a near duplicate, or None."""
        members = self._members[sought.composition]
        if not members:
            return None
        means = np.array(self._means[sought.composition])
        # means of near duplicates differ by less than the largest difference of their distances
        for position in np.flatnonzero(np.abs(means - sought.distances.mean()) <= self.tolerance):
            name, distances = members[int(position)]
            if np.abs(distances - sought.distances).max() <= self.tolerance:
                return name
        return None

    def add(self, name: str, new: Fingerprint) -> None:
        """Remember a fingerprint under a name."""
        self._means[new.composition].append(float(new.distances.mean()))
        self._members[new.composition].append((name, new.distances))


def smallest_distance(configurations: Configurations) -> float:
    """Return the smallest distance of all, at most :data:`FINGERPRINT_CUTOFF`, Angstrom."""
    smallest = FINGERPRINT_CUTOFF
    for index in range(len(configurations)):
        lengths = pair_distances(configurations, index).lengths
        smallest = min(smallest, float(lengths.min(initial=smallest)))
    return smallest
