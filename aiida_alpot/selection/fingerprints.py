# SPDX-License-Identifier: MIT
r"""A short description of a configuration that says whether two are the same but for rounding.

For each pair of species its shortest distances, :data:`PER_ATOM` per atom (those beyond
:data:`~aiida_alpot.selection.pairs.CUTOFF` count as the cutoff) are sorted and cut into
:data:`PARTS` parts of equal size. The fingerprint is the mean of each part, and the smallest
distance: a coarse quantile function of the distances, in Angstrom.

Neither a translation, a rotation or reflection, the order of the atoms nor the choice of the cell
changes it: in a supercell of ``m`` cells each distance occurs ``m`` times, and so do the ranks. If
no atom moves by more than ``d``, no entry changes by more than ``2 d``, since sorting, cutting off
and averaging change no two lists more than they differ. It needs no potential, so that it means the
same in every turn of a campaign.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import gcd

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.pairs import CUTOFF, PairBlock, kinds_of, pair_blocks

Array = np.ndarray
PER_ATOM = 48
PARTS = 24
Composition = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Fingerprint:
    """What is compared: reduced composition, and an array of lengths (Angstrom)."""

    composition: Composition
    lengths: Array


@dataclass
class FingerprintMaker:
    """Makes the fingerprints of blocks, and remembers which are done.

    Parameters
    ----------
    made : dict of int to Fingerprint
        By the place of the configuration in its set.
    """

    made: dict[int, Fingerprint] = field(default_factory=dict)

    def add(self, block: PairBlock) -> None:
        """Make the fingerprints of the configurations of a block."""
        lengths = _part_means(block)
        for place, index in enumerate(block.indices.tolist()):
            rows = block.configurations.atoms_slice(place)
            composition, present = _composition(block.configurations.numbers[rows], block.kinds)
            self.made[index] = Fingerprint(composition, lengths[place, present].ravel())


def fingerprints(configurations: Configurations) -> list[Fingerprint]:
    """Return the fingerprint of each configuration.

    Raises
    ------
    GeometryError
        If a position or a cell is not finite, or a cell has no volume.
    """
    maker = FingerprintMaker()
    indices = np.arange(len(configurations))
    for block in pair_blocks(configurations, indices, kinds_of(configurations)):
        maker.add(block)
    return [maker.made[index] for index in range(len(configurations))]


def _composition(numbers: Array, kinds: Array) -> tuple[Composition, Array]:
    """Return the reduced composition, and which kinds of pairs it has."""
    species, counts = np.unique(numbers, return_counts=True)
    common = gcd(*counts.tolist()) if len(counts) else 1
    reduced = tuple((int(n), int(c) // common) for n, c in zip(species, counts, strict=True))
    present = np.asarray(np.all(np.isin(kinds, species), axis=1))
    return reduced, present


def _part_means(block: PairBlock) -> Array:
    """Return smallest distance and means of the parts, (n_c, n_k, PARTS + 1), as float32.

    Every pair stands once in a block: a species has half of ``PER_ATOM`` pairs per atom with
    itself, and with another ``PER_ATOM`` per atom of the rarer of both.
    """
    n_kinds = len(block.kinds)
    sizes = _part_sizes(block)[:, None]
    counts = np.diff(block.first)[:, None]
    edges = sizes * np.arange(PARTS + 1)
    inside = np.minimum(edges, counts)
    sums = np.concatenate([[0.0], np.cumsum(block.lengths)])[block.first[:-1, None] + inside]
    missing = np.diff(edges, axis=1) - np.diff(inside, axis=1)
    means = (np.diff(sums, axis=1) + CUTOFF * missing) / np.maximum(sizes, 1)
    nearest = np.minimum(block.smallest().ravel(), CUTOFF)[:, None]
    joined = np.concatenate([nearest, means], axis=1).astype(np.float32)
    return joined.reshape(len(block.indices), n_kinds, PARTS + 1)


def _part_sizes(block: PairBlock) -> Array:
    """Return the number of pairs in a part of each group."""
    chosen = block.configurations
    place = np.repeat(np.arange(len(chosen)), chosen.n_atoms)
    counts = {
        int(number): np.bincount(place[chosen.numbers == number], minlength=len(chosen))
        for number in np.unique(block.kinds)
    }
    per_atom = PER_ATOM // PARTS
    sizes = [
        np.minimum(counts[a], counts[b]) * (per_atom if a != b else per_atom // 2)
        for a, b in block.kinds.tolist()
    ]
    of_groups: Array = np.array(sizes, dtype=np.int64).T.reshape(-1)
    return of_groups
