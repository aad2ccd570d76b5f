# SPDX-License-Identifier: MIT
"""Atoms of large configurations sorted into bins, the first step of the compiled search.

See :mod:`aiida_alpot.neighbor_kernels`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from aiida_alpot.compilation import compiled, inlined

Array = np.ndarray

FEW_ATOMS = 48
"""Configurations of up to so many atoms are searched without bins."""
ROUNDING = 1e-9
"""Of fractional coordinates."""


class Boxes(NamedTuple):
    """Cells of many configurations."""

    offsets: Array
    """(n + 1,) int64: first atom of each configuration."""
    cells: Array
    """(n, 3, 3)"""
    inverses: Array
    """(n, 3, 3) Fractions of the box are positions @ inverse; the box is the cell, completed along
    directions that are not periodic."""
    heights: Array
    """(n, 3) Distance of opposite faces of the box."""
    periodic: Array
    """(n, 3) bool"""


class Bins(NamedTuple):
    """Atoms of large configurations sorted by position; bins are numbered with z fastest."""

    counts: Array
    """(n, 3) Number of bins along each axis."""
    sees_itself: Array
    """(n,) bool: whether an atom can have several images of another within the cutoff."""
    reach: Array
    """(n, 3) How many bins away a neighbour can be."""
    first: Array
    """(n_atoms + n,) First place of the atoms of each bin; the bins of configuration c begin at
    offsets[c] + c."""
    of_atom: Array
    """(n_atoms, 3) Bin of each atom."""
    translations: Array
    """(n_atoms, 3) Cell translations that bring the wrapped position to the given one."""
    places: Array
    """(n_atoms,) Place of each atom in the order of bins."""
    atoms: Array
    """(n_atoms,) Atom in each place."""
    positions: Array
    """(3, n_atoms) Position of the atom in each place, wrapped into the cell."""


@compiled
def compute_fractions(positions, boxes, fractions):
    """Write fractional coordinates; return the largest along a periodic direction."""
    largest = 0.0
    for index in range(len(boxes.offsets) - 1):
        inverse = boxes.inverses[index]
        for atom in range(boxes.offsets[index], boxes.offsets[index + 1]):
            for axis in range(3):
                fraction = (
                    positions[atom, 0] * inverse[0, axis]
                    + positions[atom, 1] * inverse[1, axis]
                    + positions[atom, 2] * inverse[2, axis]
                )
                fractions[atom, axis] = fraction
                if boxes.periodic[index, axis]:
                    largest = max(largest, abs(fraction))
    return largest


@compiled
def sort_into_bins(positions, fractions, boxes, cutoff, bins):
    """Fill the bins of all configurations that have more than a few atoms."""
    low = np.empty(3)
    scale = np.empty(3)
    for index in range(len(boxes.offsets) - 1):
        start = boxes.offsets[index]
        stop = boxes.offsets[index + 1]
        if stop - start <= FEW_ATOMS:
            continue
        n_bins = _choose_bins(index, fractions, boxes, cutoff, bins, low, scale)
        base = start + index
        for place in range(base, base + n_bins + 1):
            bins.first[place] = 0
        for atom in range(start, stop):
            own = 0
            for axis in range(3):
                fraction = fractions[atom, axis]
                translation = 0.0
                if boxes.periodic[index, axis]:
                    translation = np.floor(fraction)
                place = int((fraction - translation - low[axis]) * scale[axis])
                place = min(place, bins.counts[index, axis] - 1)
                bins.translations[atom, axis] = int(translation)
                bins.of_atom[atom, axis] = place
                own = own * bins.counts[index, axis] + place
            bins.places[atom] = base + own
            bins.first[base + own] += 1
        total = start
        for place in range(base, base + n_bins + 1):
            total += bins.first[place]
            bins.first[place] = total
        # filled from the end, so that what was the end of each bin becomes its beginning
        for atom in range(stop - 1, start - 1, -1):
            own = bins.places[atom]
            place = bins.first[own] - 1
            bins.first[own] = place
            bins.places[atom] = place
            bins.atoms[place] = atom
            for axis in range(3):
                translation = _translate(bins.translations, atom, boxes.cells, index, axis)
                bins.positions[axis, place] = positions[atom, axis] - translation


@compiled
def _choose_bins(index, fractions, boxes, cutoff, bins, low, scale):
    """Choose bins of the width of the cutoff, shorter along z, but no more than there are atoms.

    Returns their number; writes the fraction at which they begin and the bins in a unit of it.
    """
    start = boxes.offsets[index]
    n_atoms = boxes.offsets[index + 1] - start
    number = 1
    width = cutoff
    longest = 0
    for axis in range(3):
        low[axis] = 0.0
        extent = 1.0
        if axis == 2:
            width = 0.2 * cutoff
        if not boxes.periodic[index, axis]:
            low[axis] = fractions[start, axis]
            high = low[axis]
            for atom in range(start, start + n_atoms):
                low[axis] = min(low[axis], fractions[atom, axis])
                high = max(high, fractions[atom, axis])
            extent = max(high - low[axis], ROUNDING)
        count = int(max(1.0, min(extent * boxes.heights[index, axis] / width, float(n_atoms))))
        bins.counts[index, axis] = count
        number *= count
        scale[axis] = 1.0 / extent
    while number > n_atoms:
        for axis in range(3):
            if bins.counts[index, axis] > bins.counts[index, longest]:
                longest = axis
        count = bins.counts[index, longest]
        number = number // count * ((count + 1) // 2)
        bins.counts[index, longest] = (count + 1) // 2
    bins.sees_itself[index] = False
    for axis in range(3):
        if boxes.periodic[index, axis] and boxes.heights[index, axis] < 2.001 * cutoff:
            bins.sees_itself[index] = True
        scale[axis] *= bins.counts[index, axis]
        reach = cutoff * scale[axis] / boxes.heights[index, axis] + 1.0 + ROUNDING
        if not boxes.periodic[index, axis]:
            reach = min(reach, float(bins.counts[index, axis]))
        bins.reach[index, axis] = int(reach)
    return number


@inlined
def _translate(translations, row, cells, index, axis):
    return (
        translations[row, 0] * cells[index, 0, axis]
        + translations[row, 1] * cells[index, 1, axis]
        + translations[row, 2] * cells[index, 2, axis]
    )
