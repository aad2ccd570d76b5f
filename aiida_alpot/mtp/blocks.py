# SPDX-License-Identifier: MIT
"""Atoms in blocks for the kernels, blocks in chunks for the threads.

The chunks follow from the number of blocks alone and their sums are added in order, so the numbers
are the same, bit for bit, for any number of threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.kernels.lanes import LANES

Array = np.ndarray
_MOST_CHUNKS = 16
_SMALLEST_CHUNK = 64
_ATOMS_OF_ONE_GROUP = 128
_ATOMS_OF_TWO_GROUPS = 1024
_ATOMS_OF_PORTION = 1024


class Portion(NamedTuple):
    """Atoms that are next to each other, and their blocks."""

    start: int
    stop: int
    blocks: slice


class Partition(NamedTuple):
    """How atoms are shared out: portions in groups, each group summed by one thread."""

    blocks: Array
    """(n_blocks, 8) Atoms of one species each, -1 for none; by portion."""
    groups: list[list[Portion]]


def partition_atoms(types: Array, n_species: int) -> Partition:
    """Share atoms out by their number alone, so that threads do not change the order of sums.

    A portion has up to 1024 atoms, whose neighbours are listed together if need be. There are up to
    16 groups, an even number of equal size if there are more than a few atoms, for two threads.
    """
    n_atoms = len(types)
    n_groups = min(_MOST_CHUNKS, 2 * -(-n_atoms // _ATOMS_OF_TWO_GROUPS))
    if n_atoms <= _ATOMS_OF_ONE_GROUP:
        n_groups = 1
    size = max(_round_up(-(-n_atoms // n_groups)), LANES)
    parts: list[Array] = []
    groups = []
    n_blocks = 0
    for first in range(0, n_atoms, size):
        group = []
        end = min(first + size, n_atoms)
        for start in range(first, end, _ATOMS_OF_PORTION):
            stop = min(start + _ATOMS_OF_PORTION, end)
            blocks = blocks_of_species(types[start:stop], n_species)
            parts.append(np.where(blocks >= 0, blocks + start, -1))
            group.append(Portion(start, stop, slice(n_blocks, n_blocks + len(blocks))))
            n_blocks += len(blocks)
        groups.append(group)
    return Partition(np.concatenate(parts) if parts else np.zeros((0, LANES), np.int64), groups)


def _round_up(count: int) -> int:
    return -(-count // LANES) * LANES


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
    """Call ``run(index)`` for every chunk, in up to ``threads`` threads, of which this is one."""
    chunks = iter(range(n_chunks))  # given out one by one to whoever is ready

    def work() -> None:
        for index in chunks:
            run(index)

    n_helpers = min(threads, n_chunks) - 1
    helpers = [_pool(n_helpers).submit(work) for _ in range(n_helpers)]
    try:
        work()
    finally:
        # one that never started, as all threads are taken, has nothing left to do
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@lru_cache(maxsize=8)
def _pool(threads: int) -> ThreadPoolExecutor:
    """Return threads that stay, as making them takes as long as a hundred atoms."""
    return ThreadPoolExecutor(threads, thread_name_prefix="alpot")


# threads do not survive a fork
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)


def add_in_order(parts: Array) -> Array:
    """Return the sum over the first axis, part after part; the first part is overwritten."""
    if len(parts) == 0:
        return np.zeros(parts.shape[1:])
    total: Array = parts[0]
    for part in parts[1:]:
        total += part
    return total
