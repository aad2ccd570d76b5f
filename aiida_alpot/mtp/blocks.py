# SPDX-License-Identifier: MIT
"""Atoms in blocks for the kernels, blocks in chunks for the threads.

The chunks follow from the number of blocks alone and their sums are added in order, so the numbers
are the same, bit for bit, for any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from aiida_alpot.mtp.kernels.lanes import LANES

Array = np.ndarray
_MOST_CHUNKS = 16
_SMALLEST_CHUNK = 64


def blocks_of_species(types: Array, n_species: int) -> Array:
    """Return (n_blocks, 8) int64: all atoms in blocks of one species, filled up with -1."""
    parts = []
    for species in range(n_species):
        atoms = np.flatnonzero(types == species)
        block = np.full(-(-len(atoms) // LANES) * LANES, -1, dtype=np.int64)
        block[: len(atoms)] = atoms
        parts.append(block)
    return np.concatenate(parts).reshape(-1, LANES)


def split_blocks(n_blocks: int) -> list[slice]:
    """Split the blocks by their number alone, so that threads do not change the order of sums."""
    size = max(_SMALLEST_CHUNK, -(-n_blocks // _MOST_CHUNKS))
    return [slice(start, min(start + size, n_blocks)) for start in range(0, n_blocks, size)]


def run_chunks(run: Callable[[int], None], n_chunks: int, threads: int) -> None:
    """Call ``run(index)`` for every chunk, in up to ``threads`` threads."""
    if threads <= 1 or n_chunks <= 1:
        for index in range(n_chunks):
            run(index)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(n_chunks)))


def add_in_order(parts: Array) -> Array:
    """Return the sum over the first axis, part after part; the first part is overwritten."""
    if len(parts) == 0:
        return np.zeros(parts.shape[1:])
    total: Array = parts[0]
    for part in parts[1:]:
        total += part
    return total
