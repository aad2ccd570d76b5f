# SPDX-License-Identifier: MIT
"""Elastic constants from differences of the stress, with relaxed internal positions.

C_ij = (sigma_i(+e_j) - sigma_i(-e_j)) / (2 e), in Voigt order with engineering shear strains, at
the relaxed cell; the matrix is made symmetric at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units

from aiida_alpot.properties.relaxing import relax, require_crystal
from aiida_alpot.sampling.settings import require, setting

# The keys of results carry their units.
# ruff: noqa: N815

VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ElasticSettings:
    """Settings of :func:`elastic`."""

    strain: float = setting(2e-3, "Strain, to either side; no unit.")
    fmax: float = setting(1e-3, "Largest force of relaxed positions, eV/A.")
    steps: int = setting(300, "Most steps of a relaxation.")

    def __post_init__(self) -> None:
        require(0 < self.strain <= 0.05, "strain", self.strain, "above 0 and at most 0.05")
        require(self.fmax > 0, "fmax", self.fmax, "a positive number")
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")


@dataclass(frozen=True)
class ElasticConstants:
    """Result of :func:`elastic`, GPa.

    ``C11``, ``C12`` and ``C44`` are means over the constants that a cubic crystal with its axes
    along x, y, z has equal; ``bulk_modulus_GPa`` is Voigt's, right for cubic crystals.
    ``matrix_GPa`` has all constants, right for any crystal.
    """

    C11_GPa: float
    C12_GPa: float
    C44_GPa: float
    bulk_modulus_GPa: float
    matrix_GPa: tuple[tuple[float, ...], ...]


def elastic(
    calculator: Any, structure: Atoms, settings: ElasticSettings | None = None
) -> ElasticConstants:
    """Measure all elastic constants of a crystal at zero pressure.

    Parameters
    ----------
    calculator : ASE calculator
        With stress.
    structure : Atoms
        Unit cell or supercell; cell and positions are relaxed first; not changed.
    settings : ElasticSettings, optional

    Raises
    ------
    PropertyError
        If a relaxation does not converge.
    SettingError
        If the structure is not periodic in three directions.
    """
    settings = settings or ElasticSettings()
    require_crystal(structure)
    # a pressure left over enters the constants in full: relax the cell ten times better
    perfect = relax(
        structure, calculator, cell="flexible", fmax=settings.fmax / 10, steps=settings.steps
    )
    matrix = np.zeros((6, 6))
    for column in range(6):
        plus, minus = (
            _stress_at(perfect, calculator, column, sign * settings.strain, settings)
            for sign in (1, -1)
        )
        matrix[:, column] = (plus - minus) / (2 * settings.strain) / units.GPa
    return _summarise((matrix + matrix.T) / 2)


def _stress_at(
    perfect: Atoms, calculator: Any, component: int, amount: float, settings: ElasticSettings
) -> np.ndarray:
    row, column = VOIGT[component]
    strain = np.zeros((3, 3))
    strain[row, column] += amount / 2
    strain[column, row] += amount / 2
    strained = perfect.copy()
    strained.set_cell(perfect.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    relaxed = relax(strained, calculator, fmax=settings.fmax, steps=settings.steps)
    return np.asarray(relaxed.get_stress())


def _summarise(matrix: np.ndarray) -> ElasticConstants:
    c11 = float(np.diag(matrix)[:3].mean())
    c12 = float(matrix[[0, 0, 1], [1, 2, 2]].mean())
    c44 = float(np.diag(matrix)[3:].mean())
    rows = tuple(tuple(float(value) for value in row) for row in matrix)
    return ElasticConstants(c11, c12, c44, float(matrix[:3, :3].mean()), rows)
