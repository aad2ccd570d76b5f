# SPDX-License-Identifier: MIT
"""Full neighbour lists, for one structure or for many at once.

Here are the functions that make them; :mod:`aiida_alpot.pair_lists` says what a list is, and
:mod:`aiida_alpot.neighbor_search` how it is found.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.neighbor_search import NeighborSearch
from aiida_alpot.pair_lists import NeighborList, PairMemory, PairSource, pair_vectors

__all__ = [
    "NeighborList",
    "NeighborSearch",
    "PairMemory",
    "PairSource",
    "batch_neighbor_list",
    "minimum_distance",
    "neighbor_list",
    "pair_vectors",
    "search_neighbors",
    "smallest_distance",
]

_ATOMS_AT_A_TIME = 5_000


def neighbor_list(atoms: Atoms, cutoff: float) -> NeighborList:
    """Return all pairs nearer than ``cutoff``, in Angstrom.

    Raises
    ------
    GeometryError
        If a position or the cell is not finite, or the cell has no volume.
    """
    search = NeighborSearch(
        atoms.positions,
        np.array([0, len(atoms)]),
        atoms.cell.array[None],
        atoms.pbc[None],
        cutoff,
    )
    return search.all_rows()


def batch_neighbor_list(configurations: Configurations, cutoff: float) -> NeighborList:
    """Return the neighbour lists of all configurations joined into one.

    Atoms count through all configurations, as in the flat arrays of ``Configurations``.

    Raises
    ------
    GeometryError
        As :func:`neighbor_list`, for the first configuration that is not usable.
    """
    return search_neighbors(configurations, cutoff).all_rows()


def search_neighbors(configurations: Configurations, cutoff: float) -> NeighborSearch:
    """Prepare to list the pairs of some atoms at a time, where those of all need too much memory.

    Raises
    ------
    GeometryError
        As :func:`batch_neighbor_list`.
    """
    given = configurations
    return NeighborSearch(given.positions, given.offsets, given.cells, given.pbc, cutoff)


def minimum_distance(atoms: Atoms, below: float) -> tuple[float, int, int] | None:
    """Return the smallest distance under ``below`` with its two atoms, or None if there is none."""
    pairs = neighbor_list(atoms, below)
    if pairs.n_pairs == 0:
        return None
    distances = np.linalg.norm(pairs.vectors, axis=1)
    closest = int(np.argmin(distances))
    atom = int(np.searchsorted(pairs.first, closest, side="right") - 1)
    return float(distances[closest]), atom, int(pairs.neighbor[closest])


def smallest_distance(configurations: Configurations, below: float) -> float:
    """Return the smallest distance of two atoms, Angstrom; infinite if none is under ``below``."""
    search = search_neighbors(configurations, below)
    memory = PairMemory()
    smallest = np.inf
    n_atoms = len(configurations.numbers)
    for start in range(0, n_atoms, _ATOMS_AT_A_TIME):
        stop = min(start + _ATOMS_AT_A_TIME, n_atoms)
        vectors = search.rows(start, stop, memory).vectors
        smallest = min(smallest, np.einsum("ij,ij->i", vectors, vectors).min(initial=np.inf))
    return float(np.sqrt(smallest))
