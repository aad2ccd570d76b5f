# SPDX-License-Identifier: MIT
"""Rules about the distance of two atoms: by what is known of their species, and by their cores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from ase.data import atomic_numbers, chemical_symbols, covalent_radii

from aiida_alpot.selection.gate.settings import GateSettings, atomic_numbers_of
from aiida_alpot.selection.pairs import PairBlock

Array = np.ndarray
Pair = tuple[int, int]
Refused = dict[int, str]


@dataclass(frozen=True)
class DistanceBounds:
    """The least distance of each pair of species, Angstrom, and where it comes from.

    Parameters
    ----------
    settings : GateSettings
        Of the gate.
    smallest : mapping of (int, int) to float
        Smallest distances among known configurations.
    """

    settings: GateSettings
    smallest: Mapping[Pair, float]

    def least(self, pair: Pair) -> tuple[float, str]:
        """Return the bound of a pair of atomic numbers, the smaller first."""
        for given, distance in self.settings.min_distances.items():
            if atomic_numbers_of(given) == pair:
                return float(distance), "given"
        factor = self.settings.min_distance_factor
        if pair in self.smallest:
            known = self.smallest[pair]
            return factor * known, f"{factor:g} x the smallest known, {known:.3f} A"
        radii = float(covalent_radii[list(pair)].sum())
        return factor * radii, f"{factor:g} x the sum of covalent radii, {radii:.3f} A"

    def least_of_cores(self, pair: Pair) -> tuple[float, str]:
        """Return the bound from the radii of the cores, zero where one is not given."""
        radii = {atomic_numbers[one]: r for one, r in self.settings.core_radii.items()}
        if not set(pair) <= set(radii):
            return 0.0, ""
        joined = sum(float(radii[one]) for one in pair)
        overlap = self.settings.core_overlap
        return (1.0 - overlap) * joined, (
            f"their cores reach {joined:.3f} A and may overlap by {overlap:.0%}"
        )

    def find_close_atoms(self, block: PairBlock) -> Refused:
        """Refuse configurations of a block in which two atoms are too near."""
        return _find_below(block, [self.least(pair) for pair in _pairs(block)])

    def find_overlapping_cores(self, block: PairBlock) -> Refused:
        """Refuse configurations of a block in which the cores of two atoms overlap too much."""
        if not self.settings.core_radii:
            return {}
        return _find_below(block, [self.least_of_cores(pair) for pair in _pairs(block)])


def _pairs(block: PairBlock) -> list[Pair]:
    return [(a, b) for a, b in block.kinds.tolist()]


def _find_below(block: PairBlock, bounds: list[tuple[float, str]]) -> Refused:
    smallest = block.smallest()
    least = np.array([bound for bound, _ in bounds])
    refused: Refused = {}
    for place in np.flatnonzero((smallest < least).any(axis=1)).tolist():
        kind = int(np.argmax(smallest[place] < least))
        first, second = (chemical_symbols[number] for number in block.kinds[kind])
        refused[int(block.indices[place])] = (
            f"{first}-{second} at {smallest[place, kind]:.3f} A, less than {least[kind]:.3f} A "
            f"({bounds[kind][1]})"
        )
    return refused
