# SPDX-License-Identifier: MIT
"""Labels that cannot be right, before a fit and after it, each with the name of its configuration.

One absurd label among thousands bends a fit by least squares, and its configuration is hard to find
by hand. Two looks find it. The labels alone are compared with each other before the fit
(:func:`suspicious_labels`): energies per atom with the sum over free atoms that suits most of them,
forces and their sum with what is usual. After the fit each label is compared with the potential
(:func:`find_outliers`); errors many times the usual ones are named. In published sets for Ni, Mo
and Li (Zuo et al., J. Phys. Chem. A 124, 731 (2020)) the largest error of a force is 4.4 times, of
an energy 2.3 times what nine of ten labels stay below, so that :data:`FACTOR` names none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.references import composition, composition_energies
from aiida_alpot.fitting.residuals import Deviations, usual
from aiida_alpot.fitting.weighting import largest_forces
from aiida_alpot.mtp.jacobian import Environment

Array = np.ndarray
FACTOR = 10.0
"""Errors above so many times what is usual are outliers."""
_ENERGY_FLOOR = 10.0
"""Energies nearer to those of the free atoms, in eV/atom, are not suspicious."""
HUGE_FORCE = 100.0
"""eV/A; smaller forces are not suspicious."""
_NET_FORCE_FLOOR, _NET_FORCE_SHARE = 1.0, 0.25
"""eV/A, and share of the largest force."""
_CLOSE = 0.75
"""Distance, in units of the sum of covalent radii, below which forces may be huge."""
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
        The same in units of what is usual in the set.
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


def suspicious_labels(configurations: Configurations, is_close: Array) -> list[Outlier]:
    """Return labels that are absurd beside the others of the set, the worst of each kind first.

    Parameters
    ----------
    configurations : Configurations
        Labelled, in part or in full.
    is_close : (n,) bool
        Configurations with atoms so close that high energies and huge forces are no wonder, see
        :func:`has_close_pairs`.
    """
    return [
        *_suspicious_energies(configurations, is_close),
        *_huge_forces(configurations, is_close),
        *_net_forces(configurations),
    ]


def has_close_pairs(configurations: Configurations, environment: Environment) -> Array:
    """Return (n,) bool: whether two atoms of a configuration are much closer than a bond."""
    neighbors = environment.neighbors
    radii = covalent_radii[configurations.numbers]
    atom = np.repeat(np.arange(neighbors.n_atoms), np.diff(neighbors.first))
    distances = np.linalg.norm(neighbors.vectors, axis=1)
    close = atom[distances < _CLOSE * (radii[atom] + radii[neighbors.neighbor])]
    found = np.zeros(len(configurations), dtype=bool)
    found[np.searchsorted(configurations.offsets, close, side="right") - 1] = True
    return found


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
        In units of what is usual for each kind.
    """
    found: list[Outlier] = []
    for kind, measure, scale in (
        ("energy", deviations.energy, deviations.usual_energy),
        ("forces", deviations.forces, deviations.usual_forces),
        ("stress", deviations.strain, deviations.usual_strain),
    ):
        errors = prediction_errors[kind]
        ratio = measure / max(scale, np.finfo(float).tiny)
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
        f"its {name} is {error:.4g} {_UNITS[kind]} from the potential, {ratio:.3g} times the usual"
    )
    identifier = str(configurations.identifier[index])
    return Outlier(index, identifier, kind, float(error), float(ratio), atom, reason)


def _suspicious_energies(configurations: Configurations, is_close: Array) -> Iterator[Outlier]:
    energies = configurations.energy / configurations.n_atoms
    if np.isfinite(energies).sum() < _FEWEST_ENERGIES:
        return
    species = configurations.species
    free = composition_energies(configurations)
    constants = np.array([free[symbol] for symbol in species])
    off = np.abs(energies - composition(configurations, species) @ constants)
    scale = max(usual(off), np.finfo(float).tiny)
    is_out = ~is_close & (off > _ENERGY_FLOOR) & (off > FACTOR * scale)
    for index in _worst_first(is_out, off):
        reason = (
            f"its energy, {energies[index]:.6g} eV/atom, is {off[index]:.4g} eV/atom from what "
            "the free atoms of the other configurations give"
        )
        name = str(configurations.identifier[index])
        yield Outlier(index, name, "energy", float(off[index]), off[index] / scale, None, reason)


def _huge_forces(configurations: Configurations, is_close: Array) -> Iterator[Outlier]:
    largest = largest_forces(configurations)
    lengths = np.linalg.norm(configurations.forces, axis=1)
    lengths = np.where(configurations.force_mask, lengths, np.nan)
    scale = max(usual(lengths), np.finfo(float).tiny)
    is_out = ~is_close & (largest > HUGE_FORCE) & (largest > FACTOR * scale)
    for index in _worst_first(is_out, largest):
        atom = int(np.nanargmax(lengths[configurations.atoms_slice(index)]))
        reason = f"the force on its atom {atom} is {largest[index]:.4g} eV/A"
        name, size = str(configurations.identifier[index]), float(largest[index])
        yield Outlier(index, name, "forces", size, size / scale, atom, reason)


def _net_forces(configurations: Configurations) -> Iterator[Outlier]:
    """Yield configurations whose forces, all of them labelled, do not add up to zero."""
    starts = configurations.offsets[:-1]
    trusted = configurations.force_mask & np.isfinite(configurations.forces).all(axis=1)
    is_whole = np.logical_and.reduceat(np.append(trusted, True), starts)
    forces = np.where(trusted[:, None], configurations.forces, 0.0)
    net = np.linalg.norm(np.add.reduceat(forces, starts, axis=0), axis=1)
    largest = largest_forces(configurations)
    is_out = is_whole & (net > _NET_FORCE_FLOOR) & (net > _NET_FORCE_SHARE * largest)
    for index in _worst_first(is_out, net):
        reason = f"its forces add up to {net[index]:.4g} eV/A instead of zero"
        name, size = str(configurations.identifier[index]), float(net[index])
        yield Outlier(index, name, "forces", size, size / float(largest[index]), None, reason)


def _worst_first(chosen: Array, measure: Array) -> list[int]:
    return sorted(np.flatnonzero(chosen).tolist(), key=lambda index: -measure[index])
