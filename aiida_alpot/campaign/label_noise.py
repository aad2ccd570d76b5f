# SPDX-License-Identifier: MIT
"""How much labels of one crystal differ that no potential can tell apart: the floor of all errors.

A potential gives the same for cells that describe the same crystal. The best it can do is the mean
of their labels, and what is left is the error of a perfect potential: the root mean square of the
deviations from that mean. Finer k-points and cutoffs are compared with the labels themselves; what
each atom of a species gains alike is taken off the energies, since it is no error of any energy
difference. The largest of all these figures is the floor: a target below it cannot be meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from aiida_alpot.campaign.equivalent_cells import (
    CELL_SHAPE,
    ORIGIN,
    REFERENCE,
    SUPERCELL,
    split_name,
)
from aiida_alpot.campaign.finer_labels import CUTOFF, K_MESH
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError

Array = np.ndarray
SOURCES = (K_MESH, CUTOFF, CELL_SHAPE, ORIGIN, SUPERCELL)
QUANTITIES = {"energy": "meV_per_atom", "forces": "eV_per_A", "stress": "GPa"}
SMALLEST = {"energy": 1e-3, "forces": 1e-5, "stress": 1e-3}
"""What counts as no difference at all, in these units."""
_GPA = 160.21766208  # GPa in 1 eV/A^3


@dataclass(frozen=True)
class _Label:
    """Energy in meV/atom, forces in eV/A of the atoms of the reference, stress in GPa."""

    energy: float
    forces: Array
    stress: Array


def measure_noise(own: Configurations, finer: Mapping[str, Configurations]) -> dict[str, Any]:
    """Return the noise of labels by its source, the floor, and whether cells of all sizes agree.

    Parameters
    ----------
    own : Configurations
        Labelled cells with the names of :func:`~aiida_alpot.campaign.equivalent_cells.split_name`.
    finer : mapping of str to Configurations
        The references among them with finer labels, by :data:`~aiida_alpot.campaign.finer_labels.
        K_MESH` and ``CUTOFF``; may be empty.

    Returns
    -------
    dict
        ``sources`` {source: {``n``, ``offset_removed``, figures}} with figures such as
        ``forces_rmse_eV_per_A`` and ``forces_largest_eV_per_A``; ``floor`` {figure: largest over
        the sources}; ``cells_agree`` {quantity: whether supercells differ by no more than the other
        sources do}; ``crystals`` names.

    Raises
    ------
    EmptyDataError
        If no reference has a label.
    """
    labels = _labels_of(own)
    crystals = [crystal for crystal, source, _ in labels if source == REFERENCE]
    if not crystals:
        raise EmptyDataError("No crystal was labelled, so that there is no noise to measure.")
    found = {
        source: _figures(_deviations_from_mean(labels, crystals, source))
        for source in (CELL_SHAPE, ORIGIN, SUPERCELL)
    }
    for source, configurations in finer.items():
        found[source] = _compare_finer(own, configurations)
    sources = {name: found[name] for name in SOURCES if found.get(name, {}).get("n")}
    floor = {
        figure: max((one[figure] for one in sources.values() if figure in one), default=0.0)
        for quantity, unit in QUANTITIES.items()
        for figure in (f"{quantity}_rmse_{unit}", f"{quantity}_mae_{unit}")
    }
    return {
        "crystals": crystals,
        "sources": sources,
        "floor": floor,
        "cells_agree": _agreement(sources),
    }


def targets_below_floor(
    targets: Mapping[str, float], floor: Mapping[str, float]
) -> dict[str, tuple[float, float]]:
    """Return the targets that no potential can meet by more than chance, with the floor of each.

    Examples
    --------
    >>> targets_below_floor({"forces_rmse_eV_per_A": 0.01}, {"forces_rmse_eV_per_A": 0.03})
    {'forces_rmse_eV_per_A': (0.01, 0.03)}
    """
    return {
        name: (value, floor[name]) for name, value in targets.items() if value < floor.get(name, 0)
    }


def _labels_of(configurations: Configurations) -> dict[tuple[str, str, str], _Label]:
    """Return the labels by crystal, source and detail."""
    labels = {}
    for index in np.flatnonzero(configurations.labelled).tolist():
        name = split_name(str(configurations.identifier[index]))
        n_atoms = int(configurations.n_atoms[index])
        labels[name] = _Label(
            energy=1e3 * float(configurations.energy[index]) / n_atoms,
            forces=configurations.forces[configurations.atoms_slice(index)],
            stress=_GPA * configurations.stress[index],
        )
    return labels


def _deviations_from_mean(
    labels: Mapping[tuple[str, str, str], _Label], crystals: list[str], source: str
) -> dict[str, list[Array]]:
    """Return the deviations from the mean of each crystal's reference and variants."""
    deviations: dict[str, list[Array]] = {quantity: [] for quantity in QUANTITIES}
    for crystal in crystals:
        group = [
            label
            for (name, kind, _), label in labels.items()
            if name == crystal and kind in (REFERENCE, source)
        ]
        if len(group) < 2:
            continue
        n_atoms = min(len(label.forces) for label in group)
        # atoms of a supercell are copies of those of the crystal, one cell after the other
        copies = [label.forces.reshape(-1, n_atoms, 3) for label in group]
        mean_force = np.mean([one.mean(axis=0) for one in copies], axis=0)
        mean_energy = float(np.mean([label.energy for label in group]))
        mean_stress = np.mean([label.stress for label in group], axis=0)
        for label, forces in zip(group, copies, strict=True):
            deviations["energy"].append(np.array([label.energy - mean_energy]))
            deviations["forces"].append((forces - mean_force).ravel())
            deviations["stress"].append(label.stress - mean_stress)
    return deviations


def _compare_finer(own: Configurations, finer: Configurations) -> dict[str, Any]:
    """Return the figures of labels against finer ones of the same cells."""
    references, better = _labels_of(own), _labels_of(finer)
    names = [name for name in references if name in better and name[1] == REFERENCE]
    energies = np.array([references[name].energy - better[name].energy for name in names])
    places = {split_name(str(one)): index for index, one in enumerate(own.identifier)}
    shares = _shares(own, [places[name] for name in names])
    removed = len(names) > np.linalg.matrix_rank(shares) if names else False
    if removed:
        energies = energies - shares @ np.linalg.lstsq(shares, energies, rcond=None)[0]
    deviations = {
        "energy": [energies],
        "forces": [(references[name].forces - better[name].forces).ravel() for name in names],
        "stress": [references[name].stress - better[name].stress for name in names],
    }
    return {**_figures(deviations), "n": len(names), "offset_removed": bool(removed)}


def _shares(configurations: Configurations, places: list[int]) -> Array:
    """(m, n_species): which share of the atoms of each configuration belongs to each species."""
    numbers = np.unique(configurations.numbers)
    rows = [configurations.numbers[configurations.atoms_slice(place)] for place in places]
    shares = [[(one == number).mean() for number in numbers] for one in rows]
    return np.array(shares, dtype=float).reshape(len(places), len(numbers))


def _figures(deviations: Mapping[str, list[Array]]) -> dict[str, Any]:
    """Return root mean square, mean and largest absolute value of each quantity that is there."""
    figures: dict[str, Any] = {"n": len(deviations["energy"]), "offset_removed": False}
    for quantity, unit in QUANTITIES.items():
        parts = deviations[quantity]
        values = np.concatenate(parts) if parts else np.zeros(0)
        values = np.abs(values[np.isfinite(values)])
        if len(values):
            figures[f"{quantity}_rmse_{unit}"] = float(np.sqrt(np.mean(values**2)))
            figures[f"{quantity}_mae_{unit}"] = float(values.mean())
            figures[f"{quantity}_largest_{unit}"] = float(values.max())
    return figures


def _agreement(sources: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    """Return for each quantity whether small and large cells agree within the other sources."""
    agreement = {}
    for quantity, unit in QUANTITIES.items():
        figure = f"{quantity}_rmse_{unit}"
        if figure not in sources.get(SUPERCELL, {}):
            continue
        others = [
            one[figure] for name, one in sources.items() if name != SUPERCELL and figure in one
        ]
        within = max([SMALLEST[quantity], *others])
        agreement[quantity] = bool(sources[SUPERCELL][figure] <= within)
    return agreement
