# SPDX-License-Identifier: MIT
"""Labels that cannot be right, before a fit and after it, each with the name of its configuration.

One absurd label among thousands bends a fit by least squares, and its configuration is hard to find
by hand. Two looks find it. The labels alone are compared with each other before the fit
(:func:`suspicious_labels`): energies per atom with the sum over free atoms that suits most of them,
forces and their sum with what is usual. After the fit each label is compared with the potential
(:func:`find_outliers`); errors many times the median are named. Published sets (Zuo et al., J.
Phys. Chem. A 124, 731 (2020)) hold errors of forces up to 21 times, of energies up to 7 times the
median, so that :data:`FACTOR` leaves them in peace.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.references import composition, composition_energies
from aiida_alpot.fitting.residuals import Deviations, typical
from aiida_alpot.fitting.weighting import largest_forces

Array = np.ndarray
FACTOR = 30.0
"""Errors above so many times the median are outliers."""
_ENERGY_FLOOR, _FORCE_FLOOR = 10.0, 100.0
"""Energies, eV/atom from the usual, and forces, eV/A, that may be suspicious."""
_NET_FORCE_FLOOR, _NET_FORCE_SHARE = 1.0, 0.25
"""eV/A, and share of the largest force."""
_SPREAD_FACTOR = 100.0
_FEWEST_ENERGIES = 5
_ERROR_FLOORS = {"energy": 0.005, "forces": 0.05, "stress": 0.001}
"""eV/atom, eV/A, eV/A^3: smaller errors are none, however good the rest of the fit is."""
_UNITS = {"energy": "eV/atom", "forces": "eV/A", "stress": "eV/A^3"}


@dataclass(frozen=True)
class Outlier:
    """A label that does not go with the others.

    Parameters
    ----------
    configuration : int
        Its place in the set.
    identifier : str
        Its name.
    kind : str
        "energy", "forces" or "stress".
    error : float
        By how much the label is off, eV/atom, eV/A or eV/A^3: from the usual where it was found
        before the fit, from the potential afterwards.
    factor : float
        The same in units of the median over the set.
    atom : int or None
        Atom within the configuration where a force is off.
    reason : str
        In words.
    """

    configuration: int
    identifier: str
    kind: str
    error: float
    factor: float
    atom: int | None
    reason: str


def suspicious_labels(configurations: Configurations) -> list[Outlier]:
    """Return labels that are absurd beside the others of the set, the worst of each kind first."""
    return [
        *_suspicious_energies(configurations),
        *_huge_forces(configurations),
        *_net_forces(configurations),
    ]


def find_outliers(
    configurations: Configurations,
    deviations: Deviations,
    prediction_errors: dict[str, Array],
    *,
    factor: float = FACTOR,
) -> list[Outlier]:
    """Return the worst label of each kind of each configuration that is far from the potential.

    Parameters
    ----------
    configurations : Configurations
        The set.
    deviations : Deviations
        Of its labels, by which they are judged.
    prediction_errors : dict
        ``energy`` (n,) eV/atom, ``forces`` (n_atoms,) eV/A and ``stress`` (n,) eV/A^3: absolute
        errors, in which they are reported.
    factor : float
        In units of the median of each kind.
    """
    found: list[Outlier] = []
    for kind, measure in (
        ("energy", deviations.energy),
        ("forces", deviations.forces),
        ("stress", deviations.strain),
    ):
        errors = prediction_errors[kind]
        ratio = measure / max(typical(measure), np.finfo(float).tiny)
        is_out = (ratio > factor) & (errors > _ERROR_FLOORS[kind])
        ratio = np.where(is_out, ratio, 0.0)
        rows = _worst_atoms(configurations, ratio) if kind == "forces" else np.flatnonzero(ratio)
        found += [_outlier(configurations, kind, int(row), errors[row], ratio[row]) for row in rows]
    return sorted(found, key=lambda outlier: -outlier.factor)


def _worst_atoms(configurations: Configurations, ratio: Array) -> list[int]:
    """Return the atom of the largest ratio of each configuration that has any above zero."""
    slices = map(configurations.atoms_slice, range(len(configurations)))
    worst = [atoms.start + int(np.argmax(ratio[atoms])) for atoms in slices]
    return [atom for atom in worst if ratio[atom] > 0.0]


def _outlier(
    configurations: Configurations, kind: str, row: int, error: float, ratio: float
) -> Outlier:
    index, atom, name = row, None, kind
    if kind == "forces":
        index = int(np.searchsorted(configurations.offsets, row, side="right")) - 1
        atom = int(row - configurations.offsets[index])
        name = f"force on atom {atom}"
    reason = (
        f"its {name} is {error:.4g} {_UNITS[kind]} from the potential, {ratio:.3g} times the median"
    )
    identifier = str(configurations.identifier[index])
    return Outlier(index, identifier, kind, float(error), float(ratio), atom, reason)


def _suspicious_energies(configurations: Configurations) -> Iterator[Outlier]:
    energies = configurations.energy / configurations.n_atoms
    known = np.flatnonzero(np.isfinite(energies))
    if len(known) < _FEWEST_ENERGIES:
        return
    species = configurations.species
    usual = composition_energies(configurations)
    constants = np.array([usual[symbol] for symbol in species])
    off = np.abs(energies - composition(configurations, species) @ constants)
    middle = float(np.median(off[known]))
    is_out = (off > _ENERGY_FLOOR) & (off > _SPREAD_FACTOR * middle)
    for index in sorted(np.flatnonzero(is_out).tolist(), key=lambda index: -off[index]):
        yield Outlier(
            index,
            str(configurations.identifier[index]),
            "energy",
            float(off[index]),
            float(off[index] / max(middle, np.finfo(float).tiny)),
            None,
            f"its energy, {energies[index]:.6g} eV/atom, is {off[index]:.4g} eV/atom from what "
            "the free atoms of the other configurations give",
        )


def _huge_forces(configurations: Configurations) -> Iterator[Outlier]:
    largest = largest_forces(configurations)
    lengths = np.linalg.norm(configurations.forces, axis=1)
    middle = typical(np.where(configurations.force_mask, lengths, np.nan))
    huge = (largest > _FORCE_FLOOR) & (largest > _SPREAD_FACTOR * middle)
    for index in sorted(np.flatnonzero(huge).tolist(), key=lambda index: -largest[index]):
        atoms = configurations.atoms_slice(index)
        counted = np.where(configurations.force_mask[atoms], lengths[atoms], np.nan)
        atom = int(np.nanargmax(counted))
        yield Outlier(
            index,
            str(configurations.identifier[index]),
            "forces",
            float(largest[index]),
            float(largest[index] / max(middle, np.finfo(float).tiny)),
            atom,
            f"the force on its atom {atom} is {largest[index]:.4g} eV/A",
        )


def _net_forces(configurations: Configurations) -> Iterator[Outlier]:
    """Yield configurations whose forces, all of them labelled, do not add up to zero."""
    starts = configurations.offsets[:-1]
    trusted = configurations.force_mask & np.isfinite(configurations.forces).all(axis=1)
    is_whole = np.logical_and.reduceat(np.append(trusted, True), starts)
    forces = np.where(trusted[:, None], configurations.forces, 0.0)
    net = np.linalg.norm(np.add.reduceat(forces, starts, axis=0), axis=1)
    largest = largest_forces(configurations)
    is_out = is_whole & (net > _NET_FORCE_FLOOR) & (net > _NET_FORCE_SHARE * largest)
    for index in sorted(np.flatnonzero(is_out).tolist(), key=lambda index: -net[index]):
        yield Outlier(
            index,
            str(configurations.identifier[index]),
            "forces",
            float(net[index]),
            float(net[index] / max(largest[index], np.finfo(float).tiny)),
            None,
            f"its forces add up to {net[index]:.4g} eV/A instead of zero",
        )
