# SPDX-License-Identifier: MIT
r"""What random crystals of a space group need: operations, cells, special positions, orbits.

The operations are those that spglib holds for the standard setting of each group; all else follows
from them. An operation ``x -> W x + t`` acts on fractional coordinates of the conventional cell.

- A metric tensor has the symmetry of the group once it is averaged: ``<W^T G W>``.
- A position is special where operations leave it in place. It is found by making a point satisfy
  ``(W - 1) x = n - t`` for one operation after the other, as far as they agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from typing import Any

import numpy as np

from aiida_alpot.errors import SettingError

Array = np.ndarray
_SAME = 1e-6
N_GROUPS = 230


@dataclass(frozen=True)
class SpaceGroup:
    """A space group by its operations.

    Parameters
    ----------
    number : int
        From 1 to 230.
    rotations : (n, 3, 3) array
        The matrices ``W``.
    translations : (n, 3) array
        The vectors ``t``.
    centring : (c, 3) array
        Pure translations within the conventional cell, the zero vector among them.
    """

    number: int
    rotations: Array
    translations: Array
    centring: Array

    def symmetric_cell(self, cell: Array) -> Array:
        """Return the cell nearest to ``cell`` in its metric that has the symmetry of the group.

        Its volume is that of ``cell``; vectors stand in rows.
        """
        metric = cell @ cell.T
        averaged = np.einsum("nji,jk,nkl->il", self.rotations, metric, self.rotations)
        symmetric = np.linalg.cholesky(averaged / len(self.rotations))
        scaled: Array = symmetric * (abs(np.linalg.det(cell)) / np.linalg.det(symmetric)) ** (1 / 3)
        return scaled

    def images(self, point: Array) -> Array:
        """Return where the operations take a point, one row for each, in [0, 1)."""
        images: Array = (self.rotations @ point + self.translations) % 1.0
        return images

    def multiplicity(self, point: Array) -> int:
        """Return how many different positions the operations make of a point."""
        return len(self.rotations) // int(_coincide(self.images(point), point).sum())

    def orbit(self, point: Array) -> Array:
        """Return the different positions that the operations make of a point (m, 3)."""
        left = self.images(point)
        orbit = []
        while len(left):
            orbit.append(left[0])
            left = left[~_coincide(left, left[0])]
        return np.array(orbit)

    def special_points(self, rng: np.random.Generator) -> Iterator[tuple[int, Array]]:
        """Yield ever more special points and their multiplicities, from a general one on."""
        point = rng.random(3)
        conditions, values = np.zeros((0, 3)), np.zeros(0)
        yield len(self.rotations), point
        for index in rng.permutation(len(self.rotations)):
            matrix, shift = self.rotations[index] - np.eye(3), self.translations[index]
            if len(conditions) and np.linalg.matrix_rank(conditions, tol=1e-9) == 3:
                return
            if not matrix.any():
                continue
            # the image of the point that is nearest decides which lattice vector is taken off
            lattice = np.round(matrix @ point + shift)
            tried = np.vstack([conditions, matrix])
            goals = np.append(values, lattice - shift)
            moved = point - np.linalg.pinv(tried, rcond=1e-9) @ (tried @ point - goals)
            if np.abs(tried @ moved - goals).max() < _SAME and np.abs(moved - point).max() > _SAME:
                conditions, values, point = tried, goals, moved
                yield self.multiplicity(point), point % 1.0

    def primitive_vectors(self, cell: Array) -> Array:
        """Return the short lattice vectors that span a primitive cell, in rows, Angstrom."""
        steps = np.array(list(product((-1, 0, 1), repeat=3)))
        lattice = (self.centring[:, None] + steps).reshape(-1, 3) @ cell
        lengths = np.linalg.norm(lattice, axis=1)
        order = np.argsort(lengths, kind="stable")
        lattice = lattice[order][lengths[order] > _SAME]
        volume = np.linalg.det(cell) / len(self.centring)
        for three in combinations(range(len(lattice)), 3):
            vectors = lattice[list(three)]
            spanned = np.linalg.det(vectors)
            if abs(abs(spanned) - volume) < _SAME * volume:
                oriented: Array = vectors * np.sign(spanned)
                return oriented
        raise AssertionError("the vectors of the cell and its centring span a primitive cell")


@cache
def space_group(number: int) -> SpaceGroup:
    """Return a space group in its standard setting (hexagonal axes where there is a choice).

    Raises
    ------
    SettingError
        If there is no such group, or spglib is not installed.
    """
    if not 1 <= number <= N_GROUPS:
        raise SettingError(f"There is no space group {number}; they are numbered from 1 to 230.")
    try:
        import spglib
    except ImportError as error:
        raise SettingError(
            "Random crystals need spglib; install it with: pip install 'aiida-alpot[samplers]'."
        ) from error
    operations = spglib.get_symmetry_from_database(_hall_numbers()[number])
    assert operations is not None, "the table has every Hall number"
    rotations, translations = operations["rotations"], operations["translations"]
    pure = (rotations == np.eye(3, dtype=int)).all(axis=(1, 2))
    return SpaceGroup(number, rotations, translations, translations[pure])


@cache
def _hall_numbers() -> dict[int, int]:
    """Return the first setting of each group in the table of Hall symbols."""
    import spglib

    found: dict[int, int] = {}
    for hall in range(1, 531):
        kind: Any = spglib.get_spacegroup_type(hall)
        found.setdefault(int(kind.number), hall)
    return found


def _coincide(points: Array, point: Array) -> Array:
    """Return which fractional points are the same position as ``point``, up to the lattice."""
    apart = points - point
    same: Array = (np.abs(apart - np.round(apart)) < _SAME).all(axis=1)
    return same
