# SPDX-License-Identifier: MIT
"""Collective variables: a distance, an angle, a dihedral, a coordination number, with gradients.

Each is written as its name and the atoms it is of, counted from 0: ``distance 0 5``, ``angle 0 1
2``, ``dihedral 0 1 2 3``, ``coordination 4 3.2``. The coordination number of an atom is the sum
over all others of (1 - x^6) / (1 - x^12) = 1 / (1 + x^6) with x = r / radius. Vectors go to the
nearest image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase import Atoms
from ase.geometry import (
    find_mic,
    get_angles,
    get_angles_derivatives,
    get_dihedrals,
    get_dihedrals_derivatives,
)

from aiida_alpot.errors import SettingError

Array = np.ndarray


class _Kind(NamedTuple):
    """How many atoms a variable is of, its unit, the usual width of a hill, and its period."""

    n_atoms: int
    unit: str
    width: float
    period: float


KINDS = {
    "distance": _Kind(2, "A", 0.1, np.inf),
    "angle": _Kind(3, "degrees", 10.0, np.inf),
    "dihedral": _Kind(4, "degrees", 20.0, 360.0),
    "coordination": _Kind(1, "neighbours", 0.2, np.inf),
}
FORMS = "'distance I J', 'angle I J K', 'dihedral I J K L' or 'coordination I RADIUS'"


@dataclass(frozen=True)
class CollectiveVariable:
    """One variable of given atoms.

    Parameters
    ----------
    kind : str
        Of :data:`KINDS`.
    atoms : tuple of int
        Counted from 0.
    radius : float
        Distance at which a neighbour counts one half, A; of a coordination number only.
    """

    kind: str
    atoms: tuple[int, ...]
    radius: float = 0.0

    def __str__(self) -> str:
        radius = [f"{self.radius:g}"] if self.kind == "coordination" else []
        return " ".join([self.kind, *map(str, self.atoms), *radius])

    @property
    def width(self) -> float:
        """Usual width of a hill."""
        return KINDS[self.kind].width

    def difference(self, values: Array, value: Array | float) -> Array:
        """Return values - value, for a periodic variable the nearest of all images."""
        difference: Array = np.asarray(values) - value
        period = KINDS[self.kind].period
        if np.isfinite(period):
            difference = (difference + period / 2) % period - period / 2
        return difference

    def evaluate(self, atoms: Atoms) -> tuple[float, Array]:
        """Return the value and its gradient, (n_atoms, 3), in its unit and unit/A.

        Raises
        ------
        ZeroDivisionError
            If a dihedral is undefined because three of its atoms lie on a line.
        """
        gradient = np.zeros((len(atoms), 3))
        if self.kind == "coordination":
            return self._count(atoms, gradient)
        if self.kind == "distance":
            [vector], [length] = self._vectors(atoms, [(0, 1)])
            gradient[list(self.atoms)] = np.array([-vector, vector]) / length
            return float(length), gradient
        if self.kind == "angle":
            vectors, _ = self._vectors(atoms, [(1, 0), (1, 2)])
            value, slopes = get_angles(*vectors[:, None]), get_angles_derivatives(*vectors[:, None])
        else:
            vectors, _ = self._vectors(atoms, [(0, 1), (1, 2), (2, 3)])
            value = get_dihedrals(*vectors[:, None])
            slopes = get_dihedrals_derivatives(*vectors[:, None])
        gradient[list(self.atoms)] = slopes[0]
        return float(value[0]), gradient

    def _vectors(self, atoms: Atoms, pairs: list[tuple[int, int]]) -> tuple[Array, Array]:
        places = atoms.positions[list(self.atoms)]
        vectors = np.array([places[last] - places[first] for first, last in pairs])
        found: tuple[Array, Array] = find_mic(vectors, atoms.cell, atoms.pbc)
        return found

    def _count(self, atoms: Atoms, gradient: Array) -> tuple[float, Array]:
        [centre] = self.atoms
        others = np.flatnonzero(np.arange(len(atoms)) != centre)
        away = atoms.positions[others] - atoms.positions[centre]
        vectors, lengths = find_mic(away, atoms.cell, atoms.pbc)
        sixth = (lengths / self.radius) ** 6
        counted = 1.0 / (1.0 + sixth)
        # d/dr of 1 / (1 + x^6), over r
        slope = -6.0 * sixth * counted**2 / lengths**2
        gradient[others] = slope[:, None] * vectors
        gradient[centre] = -gradient[others].sum(axis=0)
        return float(counted.sum()), gradient


def parse_variable(text: str) -> CollectiveVariable:
    """Return the variable that is written as ``text``.

    Raises
    ------
    SettingError
        If there is no such kind, or atoms are missing, doubled or no whole numbers.
    """
    words = text.split()
    wrong = SettingError(f"The variable {text!r} is none; write {FORMS}, atoms counted from 0.")
    if not words or words[0] not in KINDS:
        raise wrong
    n_atoms = KINDS[words[0]].n_atoms
    try:
        atoms = tuple(int(word) for word in words[1 : n_atoms + 1])
        radii = [float(word) for word in words[n_atoms + 1 :]]
    except ValueError:
        raise wrong from None
    n_radii = 1 if words[0] == "coordination" else 0
    if len(set(atoms)) != n_atoms or min(atoms) < 0 or len(radii) != n_radii:
        raise wrong
    if radii and not radii[0] > 0:
        raise wrong
    return CollectiveVariable(words[0], atoms, *radii)
