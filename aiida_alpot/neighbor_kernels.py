# SPDX-License-Identifier: MIT
"""Compiled search for neighbours.

A pair is an atom i, a neighbour j and an integer translation S of the cell, |r_j + S.h - r_i| below
the cutoff. Rows of pairs are made in the order of atom, neighbour, translation:

- In configurations of few atoms all j are tried in order, for each the translations that can reach
  the slab of twice the cutoff around atom i along every axis, in lexicographic order.
- In others atoms are sorted into bins. The bins around that of atom i are
  visited in lexicographic order of their index, images included, so that those of one neighbour
  come in the order of S; the neighbours found are then ranked by counting how many come before
  each, which processors do for eight pairs at once.

Whether a pair is near enough is decided by ``(r_j - r_i) + S.h``, which is exactly antisymmetric,
so that every pair has its opposite. Vectors are ``r_j + S.h - r_i`` from the positions as given.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.compilation import compiled, inlined
from aiida_alpot.neighbor_bins import FEW_ATOMS, ROUNDING

_LAST = np.int32(2**31 - 1)


@inlined
def write_vector(positions, atom, other, cells, index, pair, shifts, vectors):
    """Write r_j + S . cell - r_i, always in this order of operations; return its square."""
    # numba lets indices count from the end, and tests for it where they could be negative
    own = np.uintp(atom)
    there = np.uintp(other)
    at = np.uintp(pair)
    a = shifts[at, 0]
    b = shifts[at, 1]
    c = shifts[at, 2]
    # no branch for S = 0: numba counts references to the arrays anew in every branch
    shift_x = a * cells[index, 0, 0] + b * cells[index, 1, 0] + c * cells[index, 2, 0]
    shift_y = a * cells[index, 0, 1] + b * cells[index, 1, 1] + c * cells[index, 2, 1]
    shift_z = a * cells[index, 0, 2] + b * cells[index, 1, 2] + c * cells[index, 2, 2]
    x = positions[there, 0] + shift_x - positions[own, 0]
    y = positions[there, 1] + shift_y - positions[own, 1]
    z = positions[there, 2] + shift_z - positions[own, 2]
    vectors[at, 0] = x
    vectors[at, 1] = y
    vectors[at, 2] = z
    return x * x + y * y + z * z


@compiled
def list_rows(
    start, stop, positions, fractions, boxes, bins, cutoff, first, neighbor, vectors, shifts
):
    """List the pairs of the atoms from ``start`` to ``stop``, as far as there is space.

    Parameters
    ----------
    first : (>= stop + 1,) int64
        Written from ``start`` to the end of the last atom listed; the first pair of ``start`` is 0.
    neighbor, vectors, shifts
        Written from 0 on.

    Returns
    -------
    int
        The first atom that was not listed; there was no space for its pairs.
    """
    found = np.empty((2, 256), np.int32)
    rank = np.empty(256, np.int64)
    runs = np.empty((64, 5), np.int64)
    index = _configuration_of(start, boxes.offsets)
    first[start] = 0
    for atom in range(start, stop):
        while atom >= boxes.offsets[index + 1]:
            index += 1
        if boxes.offsets[index + 1] - boxes.offsets[index] <= FEW_ATOMS:
            is_done = _list_among_few(
                atom, index, positions, fractions, boxes, cutoff, first, neighbor, vectors, shifts
            )
            if not is_done:
                return atom
            continue

        n_runs = _bound_runs(index, bins)
        if n_runs > len(runs):
            runs = np.empty((2 * n_runs, 5), np.int64)
        n_runs, n_candidates = _collect_runs(atom, index, boxes, bins, runs)
        if n_candidates + 32 > len(rank):
            found = np.empty((2, 2 * n_candidates + 32), np.int32)
            rank = np.empty(2 * n_candidates + 32, np.int64)
        count = _find(atom, index, boxes, bins, cutoff, runs, n_runs, found)
        if first[atom] + count > len(neighbor):
            return atom
        _rank(count, bins.sees_itself[index], found, rank)
        for k in range(count):
            pair = first[atom] + rank[k]
            other = found[0, k]
            neighbor[pair] = other
            for axis in range(3):
                shifts[pair, axis] = (
                    runs[found[1, k], 2 + axis]
                    + bins.translations[atom, axis]
                    - bins.translations[other, axis]
                )
            write_vector(positions, atom, other, boxes.cells, index, pair, shifts, vectors)
        first[atom + 1] = first[atom] + count
    return stop


@compiled
def _configuration_of(atom, offsets):
    low = 0
    high = len(offsets) - 1
    while high - low > 1:
        middle = (low + high) // 2
        if offsets[middle] <= atom:
            low = middle
        else:
            high = middle
    return low


@compiled
def _list_among_few(
    atom, index, positions, fractions, boxes, cutoff, first, neighbor, vectors, shifts
):
    """Try all atoms of a configuration; return whether there was space for the pairs."""
    cutoff_squared = cutoff * cutoff
    low = np.zeros(3, np.int64)
    high = np.zeros(3, np.int64)
    between = np.zeros(3)
    row = np.zeros(3)
    pair = first[atom]
    for other in range(boxes.offsets[index], boxes.offsets[index + 1]):
        for axis in range(3):
            between[axis] = positions[other, axis] - positions[atom, axis]
            if boxes.periodic[index, axis]:
                apart = fractions[other, axis] - fractions[atom, axis]
                reach = cutoff / boxes.heights[index, axis] + ROUNDING
                low[axis] = int(np.ceil(-reach - apart))
                high[axis] = int(np.floor(reach - apart))
        for a in range(low[0], high[0] + 1):
            for b in range(low[1], high[1] + 1):
                for axis in range(3):
                    row[axis] = a * boxes.cells[index, 0, axis] + b * boxes.cells[index, 1, axis]
                for c in range(low[2], high[2] + 1):
                    square = 0.0
                    for axis in range(3):
                        along = between[axis] + (row[axis] + c * boxes.cells[index, 2, axis])
                        square += along * along
                    if square >= cutoff_squared:
                        continue
                    if other == atom and a == 0 and b == 0 and c == 0:
                        continue
                    if pair == len(neighbor):
                        return False
                    neighbor[pair] = other
                    shifts[pair, 0] = a
                    shifts[pair, 1] = b
                    shifts[pair, 2] = c
                    write_vector(positions, atom, other, boxes.cells, index, pair, shifts, vectors)
                    pair += 1
    first[atom + 1] = pair
    return True


@compiled
def _bound_runs(index, bins):
    """Return how many runs :func:`_collect_runs` can make of a configuration."""
    return (
        (2 * bins.reach[index, 0] + 1)
        * (2 * bins.reach[index, 1] + 1)
        * ((2 * bins.reach[index, 2] + 1) // bins.counts[index, 2] + 2)
    )


@compiled
def _collect_runs(atom, index, boxes, bins, runs):
    """List the places in the order of bins that hold all neighbours of an atom.

    A run is a column of bins along z within one image of the cell: first place, last place and cell
    translation, written to ``runs``. Returns the number of runs and that of the atoms in them.
    """
    low = np.empty(3, np.int64)
    high = np.empty(3, np.int64)
    for axis in range(3):
        low[axis] = bins.of_atom[atom, axis] - bins.reach[index, axis]
        high[axis] = bins.of_atom[atom, axis] + bins.reach[index, axis]
        if not boxes.periodic[index, axis]:
            low[axis] = max(low[axis], 0)
            high[axis] = min(high[axis], bins.counts[index, axis] - 1)
    n_x = bins.counts[index, 0]
    n_y = bins.counts[index, 1]
    n_z = bins.counts[index, 2]
    start = boxes.offsets[index] + index
    first_y = low[1] // n_y
    first_z = low[2] // n_z
    image_x = low[0] // n_x
    own_x = low[0] - image_x * n_x
    n_runs = 0
    n_candidates = 0
    # indices of bins are wrapped by counting, as divisions take longer than all the rest
    for _ in range(low[0], high[0] + 1):
        if own_x == n_x:
            own_x = 0
            image_x += 1
        image_y = first_y
        own_y = low[1] - image_y * n_y
        for _ in range(low[1], high[1] + 1):
            if own_y == n_y:
                own_y = 0
                image_y += 1
            column = start + (own_x * n_y + own_y) * n_z
            own_y += 1
            image_z = first_z
            own_z = low[2] - image_z * n_z
            left = high[2] + 1 - low[2]
            while left > 0:
                n_bins = min(left, n_z - own_z)
                begin = bins.first[column + own_z]
                end = bins.first[column + own_z + n_bins]
                if begin < end:
                    runs[n_runs, 0] = begin
                    runs[n_runs, 1] = end
                    runs[n_runs, 2] = image_x
                    runs[n_runs, 3] = image_y
                    runs[n_runs, 4] = image_z
                    n_candidates += end - begin
                    n_runs += 1
                left -= n_bins
                image_z += 1
                own_z = 0
        own_x += 1
    return n_runs, n_candidates


@compiled
def _find(atom, index, boxes, bins, cutoff, runs, n_runs, found):
    """Write the neighbours of an atom and their runs; return how many there are."""
    cutoff_squared = cutoff * cutoff
    own = bins.places[atom]
    own_x = bins.positions[0, own]
    own_y = bins.positions[1, own]
    own_z = bins.positions[2, own]
    offset = np.empty(3)
    count = 0
    for run in range(n_runs):
        for axis in range(3):
            offset[axis] = (
                runs[run, 2] * boxes.cells[index, 0, axis]
                + runs[run, 3] * boxes.cells[index, 1, axis]
                + runs[run, 4] * boxes.cells[index, 2, axis]
            )
        for place in range(runs[run, 0], runs[run, 1]):
            at = np.uintp(place)
            x = (bins.positions[0, at] - own_x) + offset[0]
            y = (bins.positions[1, at] - own_y) + offset[1]
            z = (bins.positions[2, at] - own_z) + offset[2]
            square = x * x + y * y + z * z
            # written in any case and kept by counting: a branch would be mispredicted often
            found[0, np.uintp(count)] = bins.atoms[at]
            found[1, np.uintp(count)] = run
            count += (square < cutoff_squared) & ((square > 0.0) | (place != own))
    return count


@compiled
def _rank(count, has_equals, found, rank):
    """Write the rank of each neighbour among all, by counting those before it.

    Equal ones keep their order. Fast for as many as a cutoff holds, as the processor compares 8 or
    16 at a time.
    """
    n_padded = (count + 31) // 32 * 32
    for k in range(count, n_padded):
        found[0, k] = _LAST
    for k in range(count):
        own = found[0, k]
        before = np.int32(0)
        for m in range(n_padded):
            before = np.int32(before + (found[0, np.uintp(m)] < own))
        if has_equals:
            for m in range(k):
                before = np.int32(before + (found[0, np.uintp(m)] == own))
        rank[k] = before
