# SPDX-License-Identifier: MIT
"""The same crystal written down in several ways, which no interatomic potential can tell apart.

What a code makes of them differs by the noise of its labels: k-points lie elsewhere in another
cell, and a grid of real space elsewhere between atoms that have moved together. Each way is named
``CRYSTAL/SOURCE/DETAIL``, of which the source says what was changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError

REFERENCE, CELL_SHAPE, ORIGIN, SUPERCELL = "reference", "cell_shape", "origin", "supercell"
SHIFT = (0.137, 0.211, 0.173)
"""Angstrom; no simple fraction of the spacing of any grid."""
STRAINS = (-0.02, 0.02)
RATTLE = 0.05
"""Angstrom; forces of a perfect crystal are zero by symmetry and tell nothing."""


def distorted_crystals(
    configurations: Configurations, *, seed: int, most_atoms: int
) -> Configurations:
    """Return each crystal compressed and expanded, and rattled, with the names of their starts.

    Parameters
    ----------
    configurations : Configurations
        Crystals; only those of which at least two cells hold ``most_atoms`` are taken.
    seed : int
        Of the displacements.
    most_atoms : int
        Atoms of the largest cell that will be labelled.

    Raises
    ------
    EmptyDataError
        If every crystal is too large.
    """
    rng = np.random.default_rng(seed)
    structures, names = [], []
    for index in range(len(configurations)):
        if 2 * configurations.n_atoms[index] > most_atoms:
            continue
        for strain in STRAINS:
            atoms = configurations.atoms(index)
            bare = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
            bare.set_cell(bare.cell.array * (1.0 + strain), scale_atoms=True)
            bare.positions += rng.normal(0.0, RATTLE, bare.positions.shape)
            structures.append(bare)
            names.append(f"{configurations.identifier[index]} {100 * strain:+g} %")
    if not structures:
        smallest = min(configurations.n_atoms.tolist(), default=0)
        raise EmptyDataError(
            f"No crystal has two cells of at most {most_atoms} atoms; the smallest has {smallest} "
            "atoms. Name a smaller one among start.structures, or allow larger cells."
        )
    return Configurations.from_atoms(structures, identifiers=names)


def equivalent_cells(crystals: Configurations, *, most_atoms: int) -> Configurations:
    """Return all ways of writing down each crystal, its reference first.

    Parameters
    ----------
    crystals : Configurations
        Their identifiers name them.
    most_atoms : int
        Atoms of the largest supercell.
    """
    structures, names = [], []
    for index in range(len(crystals)):
        atoms, name = crystals.atoms(index), str(crystals.identifier[index])
        for source, detail, variant in _variants(atoms, most_atoms):
            structures.append(variant)
            names.append(f"{name}/{source}/{detail}")
    return Configurations.from_atoms(structures, identifiers=names)


def split_name(identifier: str) -> tuple[str, str, str]:
    """Return crystal, source and detail of a name.

    Examples
    --------
    >>> split_name("bulk +2 %/supercell/2x1x1")
    ('bulk +2 %', 'supercell', '2x1x1')
    """
    crystal, source, detail = str(identifier).rsplit("/", 2)
    return crystal, source, detail


def _variants(atoms: Atoms, most_atoms: int) -> Iterator[tuple[str, str, Atoms]]:
    yield REFERENCE, "as it is", atoms
    periodic = [axis for axis in range(3) if atoms.pbc[axis]]
    for first, second in zip(periodic, periodic[1:] + periodic[:1], strict=True):
        if first != second:
            yield CELL_SHAPE, f"{'abc'[first]} + {'abc'[second]}", _sheared(atoms, first, second)
    shifted = atoms.copy()
    shifted.positions += np.array(SHIFT)
    yield ORIGIN, "shifted", shifted
    for repeats in _repeats(periodic, len(atoms), most_atoms):
        yield SUPERCELL, "x".join(map(str, repeats)), atoms.repeat(repeats)


def _sheared(atoms: Atoms, first: int, second: int) -> Atoms:
    """Return the same lattice with the sum of two vectors in place of the first one."""
    cell = atoms.cell.array.copy()
    cell[first] += cell[second]
    sheared = atoms.copy()
    sheared.set_cell(cell, scale_atoms=False)
    return sheared


def _repeats(
    periodic: Sequence[int], n_atoms: int, most_atoms: int
) -> Iterator[tuple[int, int, int]]:
    """Yield repetitions by 1 or 2 along periodic directions, one of each size.

    Along one direction first: cells that are long in one direction alone are those whose k-points
    differ most from the mesh of the small cell.
    """
    seen = set()
    for repeats in sorted(product((1, 2), repeat=3), key=lambda one: (np.prod(one), one)):
        size = int(np.prod(repeats))
        fits = size > 1 and size * n_atoms <= most_atoms and size not in seen
        if fits and all(count == 1 or axis in periodic for axis, count in enumerate(repeats)):
            seen.add(size)
            first, second, third = repeats
            yield first, second, third
