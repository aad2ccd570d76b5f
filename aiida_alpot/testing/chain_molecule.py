# SPDX-License-Identifier: MIT
"""A chain molecule whose conformations lie behind barriers: a small test of samplers.

Beads of an alkane with stiff bonds and angles and a threefold torsion about each inner bond, whose
minima are at 60, 180 and 300 degrees.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

Array = np.ndarray
BOND, ANGLE = 1.54, 114.0
BOND_STIFFNESS, ANGLE_STIFFNESS = 20.0, 5.4
"""eV/A^2, eV/rad^2."""


class ChainForces(Calculator):  # type: ignore[misc]
    """Bonds, angles and torsions of a chain of beads.

    Parameters
    ----------
    barrier : float
        Of each torsion, eV.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces"]

    def __init__(self, *, barrier: float = 0.15) -> None:
        super().__init__()
        self.barrier = barrier

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate energy and forces."""
        super().calculate(atoms, properties, system_changes)
        steps = np.diff(self.atoms.positions, axis=0)
        lengths = np.sqrt((steps**2).sum(axis=1))
        forces = np.zeros_like(self.atoms.positions)
        energy = (
            self._stretch(steps, lengths, forces)
            + self._bend(steps, lengths, forces)
            + self._turn(steps, lengths, forces)
        )
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}

    def _stretch(self, steps: Array, lengths: Array, forces: Array) -> float:
        excess = lengths - BOND
        pull = (BOND_STIFFNESS * excess / lengths)[:, None] * steps
        forces[:-1] += pull
        forces[1:] -= pull
        return float(BOND_STIFFNESS * (excess**2).sum() / 2)

    def _bend(self, steps: Array, lengths: Array, forces: Array) -> float:
        units = steps / lengths[:, None]
        back, ahead = -units[:-1], units[1:]
        cosine = (back * ahead).sum(axis=1)
        excess = np.arccos(cosine) - np.radians(ANGLE)
        torque = (ANGLE_STIFFNESS * excess / np.sqrt(1 - cosine**2))[:, None]
        first = torque * (ahead - cosine[:, None] * back) / lengths[:-1, None]
        last = torque * (back - cosine[:, None] * ahead) / lengths[1:, None]
        forces[:-2] += first
        forces[2:] += last
        forces[1:-1] -= first + last
        return float(ANGLE_STIFFNESS * (excess**2).sum() / 2)

    def _turn(self, steps: Array, lengths: Array, forces: Array) -> float:
        """Torsions; gradients of Blondel and Karplus, J. Comput. Chem. 17, 1132 (1996)."""
        before, axis, after = -steps[:-2], -steps[1:-1], steps[2:]
        length = lengths[1:-1, None]
        left, right = np.cross(before, axis), np.cross(after, axis)
        left_square = (left**2).sum(axis=1, keepdims=True)
        right_square = (right**2).sum(axis=1, keepdims=True)
        sine = (np.cross(right, left) * axis).sum(axis=1) / length[:, 0]
        angle = np.arctan2(sine, (left * right).sum(axis=1))
        torque = (1.5 * self.barrier * np.sin(3 * angle))[:, None]
        first = -torque * length * left / left_square
        last = torque * length * right / right_square
        shift = torque * (
            (before * axis).sum(axis=1, keepdims=True) * left / left_square
            - (after * axis).sum(axis=1, keepdims=True) * right / right_square
        )
        shift /= length
        forces[:-3] += first
        forces[3:] += last
        forces[1:-2] += shift - first
        forces[2:-1] -= shift + last
        return float(self.barrier / 2 * (1 + np.cos(3 * angle)).sum())


def make_chain(n_beads: int = 5, **info: Any) -> Atoms:
    """Return a chain with all torsions at 180 degrees; ``info`` goes into ``atoms.info``."""
    half = np.radians(ANGLE / 2)
    places = np.arange(n_beads)
    positions = np.zeros((n_beads, 3))
    positions[:, 0] = BOND * np.sin(half) * places
    positions[:, 1] = BOND * np.cos(half) * (places % 2)
    atoms = Atoms(f"C{n_beads}", positions=positions)
    atoms.info.update(info)
    return atoms


def torsions(atoms: Atoms) -> np.ndarray:
    """Return the torsions of a chain, degrees from 0 to 360, (n_beads - 3,)."""
    return np.array([atoms.get_dihedral(i, i + 1, i + 2, i + 3) for i in range(len(atoms) - 3)])
