# SPDX-License-Identifier: MIT
"""The rule about pieces: atoms that leave a slab, a cluster or a crystal, molecules that break.

Atoms nearer than a factor times the sum of their covalent radii hang together, also across periodic
images; the pieces of a configuration are the connected components of that graph. A candidate must
not have more of them than known configurations of its composition. Where none has its composition,
the number of pieces beyond the first, per atom, must not exceed that of any known configuration. A
chain that starts from more pieces, such as molecules, may keep them: its frame of step zero counts
as known, and its earliest frame where nothing is known at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

import numpy as np
from ase.data import covalent_radii
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aiida_alpot.configurations import Configurations
from aiida_alpot.selection.gate.distances import Refused
from aiida_alpot.selection.pairs import PairBlock

Array = np.ndarray


def count_fragments(block: PairBlock, bonds: Array) -> Array:
    """Return the number of pieces of each configuration of a block.

    Parameters
    ----------
    block : PairBlock
        Distances of the configurations.
    bonds : (n_kinds,) float64
        Bond length of each kind of pair, Angstrom.
    """
    n_atoms = block.configurations.n_atoms
    bound = block.atom_lengths < bonds[block.atom_kinds]
    first, second = block.atoms[bound].T
    size = int(n_atoms.sum())
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(size, size))
    _, piece = connected_components(graph, directed=False)
    _, representatives = np.unique(piece, return_index=True)
    owner = np.repeat(np.arange(len(n_atoms)), n_atoms)
    return np.bincount(owner[representatives], minlength=len(n_atoms))


def bond_lengths(kinds: Array, factor: float) -> Array:
    """Return the distance up to which two atoms hang together, by kind, Angstrom.

    Known distances would not do: molecules of a liquid have one too, and hang not together.
    """
    lengths: Array = factor * covalent_radii[kinds].sum(axis=1)
    return lengths


@dataclass
class KnownFragments:
    """How many pieces known configurations have.

    Parameters
    ----------
    most : dict
        Most pieces of each composition.
    most_per_atom : float or None
        Most pieces beyond the first, per atom; None where nothing is known.
    """

    most: dict[bytes, int] = field(default_factory=dict)
    most_per_atom: float | None = None

    def add(self, known: Configurations, indices: Array, counts: Array) -> None:
        """Learn from known configurations."""
        for place, count in zip(indices.tolist(), counts.tolist(), strict=True):
            composition = _composition(known, place)
            self.most[composition] = max(count, self.most.get(composition, 1))
            beyond = (count - 1) / max(_size(known, place), 1)
            self.most_per_atom = max(beyond, self.most_per_atom or 0.0)

    def allowed(self, candidates: Configurations, place: int) -> int | None:
        """Return how many pieces a candidate may have, None where nothing is known."""
        same = self.most.get(_composition(candidates, place))
        if same is not None or self.most_per_atom is None:
            return same
        return 1 + ceil(self.most_per_atom * _size(candidates, place) - 1e-9)

    def find_too_many(self, candidates: Configurations, counts: Mapping[int, int]) -> Refused:
        """Refuse candidates that fell apart; ``counts`` are their pieces, by place."""
        starts = self._pieces_of_starts(candidates, counts)
        refused: Refused = {}
        for place, count in counts.items():
            start = starts.get(_chain(candidates, place))
            bounds = [b for b in (self.allowed(candidates, place), start) if b is not None]
            if bounds and count > max(bounds):
                refused[place] = f"{count} pieces, known configurations have at most {max(bounds)}"
        return refused

    def _pieces_of_starts(
        self, candidates: Configurations, counts: Mapping[int, int]
    ) -> dict[tuple[int, str, str], int]:
        earliest: dict[tuple[int, str, str], int] = {}
        for place in counts:
            chain = _chain(candidates, place)
            if chain[2] and candidates.step[place] < candidates.step[earliest.get(chain, place)]:
                earliest[chain] = place
            elif chain[2]:
                earliest.setdefault(chain, place)
        return {
            chain: counts[place]
            for chain, place in earliest.items()
            if candidates.step[place] == 0 or self.most_per_atom is None
        }


def _chain(candidates: Configurations, place: int) -> tuple[int, str, str]:
    turn, sampler = int(candidates.turn[place]), str(candidates.sampler[place])
    return turn, sampler, str(candidates.chain[place])


def _size(configurations: Configurations, place: int) -> int:
    rows = configurations.atoms_slice(place)
    return int(rows.stop - rows.start)


def _composition(configurations: Configurations, place: int) -> bytes:
    numbers = np.sort(configurations.numbers[configurations.atoms_slice(place)])
    return bytes(numbers.astype("<i4").tobytes())
