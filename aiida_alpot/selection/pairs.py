# SPDX-License-Identifier: MIT
"""Distances between the atoms of many configurations at a time, sorted by pair of species.

A set is gone through in blocks of whole configurations. Within a block every pair of atoms stands
once; pairs belong to groups, one for each configuration and pair of species (a *kind*: ``a <= b``),
and are sorted by group and by length. Symbols: p pairs, g groups, c configurations, k kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
CUTOFF = 6.0
"""Longest distance that is looked at, Angstrom."""
ATOMS_PER_BLOCK = 8_000
_SPAN = 8.0  # keeps groups apart in one sorted array; longer than the cutoff


@dataclass(frozen=True)
class PairBlock:
    """The pairs of some configurations.

    Parameters
    ----------
    indices : (n_c,) int64
        Places of the configurations in their set.
    configurations : Configurations
        The configurations themselves.
    kinds : (n_k, 2) int64
        Atomic numbers of each pair of species, the smaller one first.
    lengths : (n_p,) float64
        Angstrom, sorted by group and length.
    first : (n_c * n_k + 1,) int64
        First pair of each group, which is number ``c * n_k + k``.
    atoms : (n_q, 2) int64
        Both atoms of each pair, counted through the block, unsorted.
    atom_lengths, atom_kinds : (n_q,) arrays
        Length and kind of these.
    """

    indices: Array
    configurations: Configurations
    kinds: Array
    lengths: Array
    first: Array
    atoms: Array
    atom_lengths: Array
    atom_kinds: Array

    def smallest(self) -> Array:
        """Return the smallest distance of each kind, (n_c, n_k); infinite where there is none."""
        smallest = np.full(len(self.first) - 1, np.inf)
        filled = np.diff(self.first) > 0
        smallest[filled] = self.lengths[self.first[:-1][filled]]
        return smallest.reshape(len(self.indices), len(self.kinds))


def kinds_of(*sets: Configurations) -> Array:
    """Return the pairs of species that can occur in any of the sets, (n_k, 2)."""
    numbers = np.unique(np.concatenate([np.unique(one.numbers) for one in sets]))
    pairs = [(a, b) for place, a in enumerate(numbers) for b in numbers[place:]]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def pair_blocks(
    configurations: Configurations, indices: Array, kinds: Array
) -> Iterator[PairBlock]:
    """Go through the configurations at ``indices`` in blocks.

    Raises
    ------
    GeometryError
        If a position or a cell is not finite, or a cell has no volume.
    """
    sizes = configurations.n_atoms[indices]
    block = np.cumsum(sizes) // ATOMS_PER_BLOCK
    for number in np.unique(block):
        yield _pair_block(configurations, indices[block == number], kinds)


def _pair_block(configurations: Configurations, indices: Array, kinds: Array) -> PairBlock:
    chosen = configurations.select(indices)
    pairs = batch_neighbor_list(chosen, CUTOFF)
    centre = np.repeat(np.arange(pairs.n_atoms), np.diff(pairs.first))
    once = _once(pairs, centre)
    atoms = np.stack([centre[once], pairs.neighbor[once].astype(np.int64)], axis=1)
    lengths = np.linalg.norm(pairs.vectors[once], axis=1)
    kind = _kind_of_pairs(chosen.numbers, atoms, kinds)
    configuration = np.repeat(np.arange(len(chosen)), chosen.n_atoms)[atoms[:, 0]]
    group = configuration * len(kinds) + kind
    key = np.sort(group * _SPAN + lengths)
    counts = np.bincount(group, minlength=len(chosen) * len(kinds))
    return PairBlock(
        indices=indices,
        configurations=chosen,
        kinds=kinds,
        lengths=key - _SPAN * np.repeat(np.arange(len(counts)), counts),
        first=np.concatenate([[0], np.cumsum(counts)]),
        atoms=atoms,
        atom_lengths=lengths,
        atom_kinds=kind,
    )


def _once(pairs: NeighborList, centre: Array) -> Array:
    """Return which of the ordered pairs to keep, one of both directions."""
    ahead: Array = pairs.neighbor > centre
    own = np.flatnonzero(pairs.neighbor == centre)  # of an atom and its images, half the shifts
    x, y, z = pairs.shifts[own].T
    ahead[own] = (x > 0) | ((x == 0) & ((y > 0) | ((y == 0) & (z > 0))))
    return ahead


def _kind_of_pairs(numbers: Array, atoms: Array, kinds: Array) -> Array:
    table = np.zeros((int(kinds.max(initial=0)) + 1,) * 2, dtype=np.int64)
    for kind, (a, b) in enumerate(kinds):
        table[a, b] = table[b, a] = kind
    found: Array = table[numbers[atoms[:, 0]], numbers[atoms[:, 1]]]
    return found
