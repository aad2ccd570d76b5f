# SPDX-License-Identifier: MIT
"""Formation energy of a vacancy in an elemental crystal.

E_f = E(N - 1 atoms) - (N - 1)/N E(N atoms), both in the same cell, which is that of the relaxed
perfect crystal; unrelaxed and with relaxed positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ase import Atoms

from aiida_alpot.errors import SettingError
from aiida_alpot.properties.relaxing import relax, require_crystal
from aiida_alpot.sampling.settings import require, setting

# The keys of results carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class VacancySettings:
    """Settings of :func:`vacancy`."""

    site: int = setting(0, "Index of the atom that is taken out.")
    fmax: float = setting(2e-3, "Largest force of relaxed positions, eV/A.")
    steps: int = setting(300, "Most steps of a relaxation.")

    def __post_init__(self) -> None:
        require(self.site >= 0, "site", self.site, "zero or a positive whole number")
        require(self.fmax > 0, "fmax", self.fmax, "a positive number")
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")


@dataclass(frozen=True)
class VacancyFormation:
    """Result of :func:`vacancy`: formation energies in eV, and the number of atoms left."""

    formation_energy_eV: float
    unrelaxed_formation_energy_eV: float
    n_atoms: int


def vacancy(
    calculator: Any, structure: Atoms, settings: VacancySettings | None = None
) -> VacancyFormation:
    """Take one atom out of a perfect supercell and relax the others.

    Parameters
    ----------
    calculator : ASE calculator
    structure : Atoms
        The perfect crystal, a supercell large enough to hold one vacancy; not changed. Its volume
        is relaxed first.
    settings : VacancySettings, optional

    Raises
    ------
    PropertyError
        If a relaxation does not converge.
    SettingError
        If the structure is no crystal, has several species or no such site.
    """
    settings = settings or VacancySettings()
    require_crystal(structure)
    if len(set(structure.numbers)) > 1:
        raise SettingError(
            f"{structure.get_chemical_formula()} has several species; the formation energy of a "
            "vacancy is defined here for an element."
        )
    atoms = len(structure)
    require(settings.site < atoms, "site", settings.site, f"below the number of atoms, {atoms}")
    perfect = relax(
        structure, calculator, cell="isotropic", fmax=settings.fmax / 10, steps=settings.steps
    )
    share = (atoms - 1) / atoms * _energy(perfect)
    defect = perfect.copy()
    del defect[settings.site]
    defect.calc = calculator
    unrelaxed = _energy(defect)
    relaxed = _energy(relax(defect, calculator, fmax=settings.fmax, steps=settings.steps))
    return VacancyFormation(relaxed - share, unrelaxed - share, atoms - 1)


def _energy(atoms: Atoms) -> float:
    return float(atoms.get_potential_energy(force_consistent=True))
