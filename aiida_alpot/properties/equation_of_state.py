# SPDX-License-Identifier: MIT
"""Lattice constant and bulk modulus from energies at several volumes.

The cell is scaled uniformly, internal positions relax at each volume, and the equation of state of
Birch and Murnaghan (F. Birch, Phys. Rev. 71, 809 (1947)) is fitted by ASE. The window is moved
until the minimum lies well within.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.eos import EquationOfState as FittedEquation

from aiida_alpot.properties.relaxing import PropertyError, relax, require_crystal
from aiida_alpot.sampling.settings import require, setting

# The keys of results carry their units.
# ruff: noqa: N815

LARGEST_NUMBER_OF_WINDOWS = 8


@dataclass(frozen=True)
class EquationOfStateSettings:
    """Settings of :func:`equation_of_state`."""

    strain: float = setting(0.02, "Largest linear strain of the cell, to either side; no unit.")
    points: int = setting(9, "Number of volumes.")
    fmax: float = setting(1e-3, "Largest force of relaxed positions, eV/A.")

    def __post_init__(self) -> None:
        require(0 < self.strain <= 0.2, "strain", self.strain, "above 0 and at most 0.2")
        require(self.points >= 5, "points", self.points, "a whole number of at least 5")
        require(self.fmax > 0, "fmax", self.fmax, "a positive number")


@dataclass(frozen=True)
class EquationOfState:
    """Result of :func:`equation_of_state`.

    Parameters
    ----------
    lattice_constant_A : float
        Length of the first edge of the crystal's cell at the minimum, A: of the smallest cell with
        the edges of the given one, so that a supercell gives the constant of its unit cell.
    lattice_constants_A : (3,) tuple of float
        Of all three edges, A.
    volume_per_atom_A3, energy_per_atom_eV : float
        At the minimum, A^3 and eV.
    bulk_modulus_GPa : float
        At the minimum, GPa.
    volumes, energies : tuple of float
        The points of the fit, A^3 and eV per atom.
    """

    lattice_constant_A: float
    lattice_constants_A: tuple[float, float, float]
    volume_per_atom_A3: float
    energy_per_atom_eV: float
    bulk_modulus_GPa: float
    volumes: tuple[float, ...]
    energies: tuple[float, ...]


def equation_of_state(
    calculator: Any, structure: Atoms, settings: EquationOfStateSettings | None = None
) -> EquationOfState:
    """Fit the equation of state of a crystal under uniform scaling.

    Parameters
    ----------
    calculator : ASE calculator
    structure : Atoms
        A crystal, unit cell or supercell, at roughly the right volume; not changed.
    settings : EquationOfStateSettings, optional

    Raises
    ------
    PropertyError
        If the energy has no minimum near the given volume, or a relaxation does not converge.
    SettingError
        If the structure is not periodic in three directions.
    """
    settings = settings or EquationOfStateSettings()
    require_crystal(structure)
    volume = structure.get_volume()
    scale = 1.0
    for _ in range(LARGEST_NUMBER_OF_WINDOWS):
        scales = scale * (1 + np.linspace(-settings.strain, settings.strain, settings.points))
        energies = _energies_at(calculator, structure, scales, settings.fmax)
        found = _fit(volume * scales**3, energies)
        if found is None:
            scale = float(scales[int(np.argmin(energies))])
            continue
        minimum, energy, modulus = found
        best = (minimum / volume) ** (1 / 3)
        if abs(best / scale - 1) < settings.strain / 4:
            return _result(
                structure,
                scale=best,
                energy=energy,
                modulus=modulus,
                volumes=volume * scales**3,
                energies=energies,
            )
        scale = best
    raise PropertyError(
        f"The energy of {structure.get_chemical_formula()} has no minimum between the linear "
        f"scales 1 and {scale:.3g}. Train the potential further or start nearer to the minimum."
    )


def count_repeats(structure: Atoms, tolerance: float = 1e-3) -> tuple[int, int, int]:
    """Return how many times the cell repeats a smaller one along each of its vectors.

    Parameters
    ----------
    structure : Atoms
        Periodic in three directions.
    tolerance : float
        Distance up to which two atoms are on the same site, A.
    """
    scaled = structure.get_scaled_positions()
    repeats = []
    for axis in range(3):
        candidates = range(len(structure), 0, -1)
        translations = (
            (count, np.eye(3)[axis] / count) for count in candidates if len(structure) % count == 0
        )
        repeats.append(
            next(
                count
                for count, shift in translations
                if count == 1 or _is_symmetry(structure, scaled, shift, tolerance)
            )
        )
    return repeats[0], repeats[1], repeats[2]


def _is_symmetry(structure: Atoms, scaled: np.ndarray, shift: np.ndarray, tolerance: float) -> bool:
    cell = structure.cell.array
    for position, number in zip(scaled + shift, structure.numbers, strict=True):
        difference = scaled[structure.numbers == number] - position
        difference -= np.round(difference)
        if np.linalg.norm(difference @ cell, axis=1).min() > tolerance:
            return False
    return True


def _energies_at(calculator: Any, structure: Atoms, scales: np.ndarray, fmax: float) -> np.ndarray:
    energies = []
    for scale in scales:
        scaled = structure.copy()
        scaled.set_cell(structure.cell * scale, scale_atoms=True)
        relaxed = relax(scaled, calculator, fmax=fmax)
        energies.append(relaxed.get_potential_energy(force_consistent=True))
    return np.array(energies)


def _fit(volumes: np.ndarray, energies: np.ndarray) -> tuple[float, float, float] | None:
    """Return volume, energy and bulk modulus (eV/A^3) at a minimum within the window, or None."""
    if int(np.argmin(energies)) in (0, len(energies) - 1):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a poor fit shows in the minimum, checked below
            volume, energy, modulus = FittedEquation(volumes, energies, eos="birchmurnaghan").fit(
                warn=False
            )
    except (ValueError, RuntimeError):
        return None
    is_minimum = volumes.min() < volume < volumes.max() and modulus > 0
    return (float(volume), float(energy), float(modulus)) if is_minimum else None


def _result(
    structure: Atoms,
    *,
    scale: float,
    energy: float,
    modulus: float,
    volumes: np.ndarray,
    energies: np.ndarray,
) -> EquationOfState:
    atoms = len(structure)
    edges = structure.cell.lengths() * scale / np.array(count_repeats(structure))
    a, b, c = (float(edge) for edge in edges)
    return EquationOfState(
        lattice_constant_A=a,
        lattice_constants_A=(a, b, c),
        volume_per_atom_A3=float(structure.get_volume() * scale**3 / atoms),
        energy_per_atom_eV=energy / atoms,
        bulk_modulus_GPa=modulus / units.GPa,
        volumes=tuple(float(value) for value in volumes / atoms),
        energies=tuple(float(value) for value in energies / atoms),
    )
