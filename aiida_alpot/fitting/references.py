# SPDX-License-Identifier: MIT
"""Energies of free atoms, which are subtracted from the labels and added to the potential again.

The energies of a code may be thousands of eV per atom, those that a potential has to learn a few. A
potential is fitted to E - sum_i e_z(i) and its constants c_z are raised by e_z afterwards, so that
it predicts the energies of the code. Where the constants are frozen, they are e_z exactly: a free
atom then has its own energy, and the energy of cohesion is right by construction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
from ase.data import atomic_numbers, chemical_symbols

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import LabelError, SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import batch_neighbor_list

Array = np.ndarray
SOURCES = ("isolated", "composition")
_ROUNDS = 50


def atomic_references(
    configurations: Configurations, source: str | Mapping[str, float], *, cutoff: float
) -> dict[str, float]:
    """Return the energy of a free atom of each species of a set.

    Parameters
    ----------
    configurations : Configurations
        Labelled.
    source : {"isolated", "composition"} or mapping of str to float
        From the configurations that hold one atom without neighbours; or such that the sums over
        the atoms are as near as possible to the energies of all configurations (least absolute
        deviation per atom); or the energies themselves, eV.
    cutoff : float
        Nearer atoms count as neighbours, Angstrom.

    Raises
    ------
    SettingError
        If there is no such source, or the energies given lack a species or are not finite.
    LabelError
        If no labelled configuration is an isolated atom of some species.
    """
    if isinstance(source, Mapping):
        return _given(configurations, source)
    if source not in SOURCES:
        raise SettingError(
            f"There is no source of atomic energies {source!r}; allowed are {', '.join(SOURCES)} "
            "and a mapping of species to energies in eV."
        )
    if source == "composition":
        return composition_energies(configurations)
    return _isolated(configurations, cutoff)


def subtract_references(
    configurations: Configurations, references: Mapping[str, float]
) -> Configurations:
    """Return the set with the energies of its free atoms taken off."""
    per_atom = _energies_by_number(references)[configurations.numbers]
    totals = np.add.reduceat(per_atom, configurations.offsets[:-1])
    return configurations.replace(energy=configurations.energy - totals)


def shift_constants(
    potential: MomentTensorPotential, references: Mapping[str, float], *, sign: int
) -> MomentTensorPotential:
    """Return the potential with ``sign`` times the references added to its constants."""
    shift = np.array([references.get(symbol, 0.0) for symbol in potential.species])
    return dataclasses.replace(
        potential, species_coefficients=potential.species_coefficients + sign * shift
    )


def lower_constants(
    potential: MomentTensorPotential, references: Mapping[str, float]
) -> MomentTensorPotential:
    """Return the potential with the references taken off its constants.

    A constant of exactly zero was never fitted and stays.
    """
    lowered = shift_constants(potential, references, sign=-1)
    constants = np.where(potential.species_coefficients == 0.0, 0.0, lowered.species_coefficients)
    return dataclasses.replace(lowered, species_coefficients=constants)


def composition_energies(configurations: Configurations) -> dict[str, float]:
    """Return the energies of species whose sums deviate least, in absolute value, per atom.

    A few absurd energies have no influence on it. Where compositions do not tell species apart,
    the solution of least norm is returned.
    """
    species = configurations.species
    shares = composition(configurations, species)
    energies = configurations.energy / configurations.n_atoms
    known = np.isfinite(energies)
    found = _least_absolute_deviation(shares[known], energies[known])
    return dict(zip(species, found.tolist(), strict=True))


def composition(configurations: Configurations, species: tuple[str, ...]) -> Array:
    """Return (n, n_species): the share of each species in the atoms of each configuration."""
    column = np.zeros(len(chemical_symbols), dtype=np.int64)
    column[[atomic_numbers[symbol] for symbol in species]] = np.arange(len(species))
    owner = np.repeat(np.arange(len(configurations)), configurations.n_atoms)
    counts = np.zeros((len(configurations), len(species)))
    np.add.at(counts, (owner, column[configurations.numbers]), 1.0)
    shares: Array = counts / configurations.n_atoms[:, None]
    return shares


def _least_absolute_deviation(rows: Array, values: Array) -> Array:
    """Minimise sum |rows x - values| by reweighted least squares."""
    weights = np.ones(len(values))
    solution = np.zeros(rows.shape[1])
    for _ in range(_ROUNDS):
        scale = np.sqrt(weights)
        previous = solution
        solution = np.linalg.lstsq(rows * scale[:, None], values * scale, rcond=1e-10)[0]
        deviation = np.abs(rows @ solution - values)
        smallest = 1e-3 * np.median(deviation) + 1e-9 if len(values) else 1.0
        weights = 1.0 / np.maximum(deviation, smallest)
        if np.allclose(solution, previous, rtol=1e-9, atol=1e-9):
            break
    return solution


def _energies_by_number(references: Mapping[str, float]) -> Array:
    energies = np.zeros(len(chemical_symbols))
    for symbol, energy in references.items():
        energies[atomic_numbers[symbol]] = energy
    return energies


def _given(configurations: Configurations, source: Mapping[str, float]) -> dict[str, float]:
    unknown = [symbol for symbol in source if symbol not in atomic_numbers]
    missing = [symbol for symbol in configurations.species if symbol not in source]
    wrong = [symbol for symbol, energy in source.items() if not np.isfinite(energy)]
    if unknown or missing or wrong:
        raise SettingError(
            f"The atomic energies lack a value for {', '.join(unknown + missing + wrong)}. Give "
            f"the energy of a free atom in eV for each of {', '.join(configurations.species)}."
        )
    return {symbol: float(energy) for symbol, energy in source.items()}


def _isolated(configurations: Configurations, cutoff: float) -> dict[str, float]:
    is_single = (configurations.n_atoms == 1) & np.isfinite(configurations.energy)
    single = configurations.select(is_single)
    n_pairs = np.diff(batch_neighbor_list(single, cutoff).first)
    energies: dict[str, list[float]] = {symbol: [] for symbol in configurations.species}
    for number, energy, pairs in zip(single.numbers, single.energy, n_pairs, strict=True):
        if pairs == 0:
            energies[chemical_symbols[number]].append(float(energy))
    missing = [symbol for symbol, found in energies.items() if not found]
    if missing:
        raise LabelError(
            f"No labelled configuration is an isolated atom of {', '.join(missing)} (one atom with "
            f"nothing within {cutoff:g} A). Add one, or give the atomic energies in eV."
        )
    return {symbol: float(np.median(found)) for symbol, found in energies.items()}
