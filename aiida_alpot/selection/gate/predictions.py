# SPDX-License-Identifier: MIT
"""Rules about what the sampling potential says of a candidate: forces, energies and grades.

Frames of a sampler carry no predictions, which must not pass for labels, so the potential is asked
for them here, once nothing else speaks against a candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from aiida_alpot.carving.labels import is_carved, keep_central_forces
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import GeometryError
from aiida_alpot.fitting.hull import energies_above_hull

if TYPE_CHECKING:
    from aiida_alpot.mtp.evaluate import Evaluation
    from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
Refused = dict[int, str]
CONFIGURATIONS_PER_PART = 1000


def find_large_forces(candidates: Configurations, places: Array, largest: float | None) -> Refused:
    """Refuse candidates with a predicted force above ``largest``, eV/A, where there are forces.

    Of a chunk the force that it teaches counts.
    """
    if largest is None:
        return {}
    forces = keep_central_forces(candidates).forces
    sizes = np.nan_to_num(np.linalg.norm(forces, axis=1), nan=0.0)
    refused: Refused = {}
    for place in places.tolist():
        found = float(sizes[candidates.atoms_slice(place)].max(initial=0.0))
        if found > largest:
            refused[place] = f"predicted force of {found:.1f} eV/A, more than {largest:g} eV/A"
    return refused


def predict_missing(
    candidates: Configurations, places: Array, potential: MomentTensorPotential | None
) -> Configurations:
    """Return the candidates with predicted energies and forces at ``places`` that have none.

    Those that cannot be evaluated, as where atoms coincide, stay without.
    """
    bare = np.array([np.isnan(candidates.energy[place]) for place in places], dtype=bool)
    if potential is None or not bare.any():
        return candidates
    energy, forces = candidates.energy.copy(), candidates.forces.copy()
    for start in range(0, int(bare.sum()), CONFIGURATIONS_PER_PART):
        part = places[bare][start : start + CONFIGURATIONS_PER_PART]
        for group in _those_that_can_be_evaluated(candidates, part, potential):
            found = group.prediction
            energy[group.places] = found.energy
            for place, first, last in zip(
                group.places, group.offsets[:-1], group.offsets[1:], strict=True
            ):
                forces[candidates.atoms_slice(int(place))] = found.forces[first:last]
    return candidates.replace(energy=energy, forces=forces)


class _Predicted(NamedTuple):
    """Predictions for some candidates."""

    places: Array
    offsets: Array
    prediction: Evaluation


def _those_that_can_be_evaluated(
    candidates: Configurations, places: Array, potential: MomentTensorPotential
) -> Iterator[_Predicted]:
    """Evaluate candidates together, and one by one where one of them cannot be."""
    from aiida_alpot.mtp.evaluate import evaluate

    chosen = candidates.select(places)
    try:
        yield _Predicted(places, chosen.offsets, evaluate(potential, chosen))
    except GeometryError:
        if len(places) > 1:
            for place in places:
                yield from _those_that_can_be_evaluated(candidates, np.array([place]), potential)


def find_high_energies(
    candidates: Configurations, places: Array, known: Configurations, largest: float | None
) -> Refused:
    """Refuse candidates whose energy lies too far above the known ones, where there are energies.

    Parameters
    ----------
    largest : float or None
        Energy above the convex hull of the known configurations, eV/atom; for one composition,
        above the lowest of them. Where known compositions do not span a candidate, it passes, and
        so does a chunk, whose energy nobody asks for.
    """
    places, known = places[~is_carved(candidates)[places]], keep_central_forces(known)
    if largest is None or not len(places) or not np.isfinite(known.energy).any():
        return {}
    here = candidates.select(places).replace(level_of_theory="")
    joined = concatenate([known.replace(level_of_theory=""), here])
    above = energies_above_hull(joined, np.arange(len(joined)) < len(known))[len(known) :]
    return {
        int(place): f"predicted energy {value:.3g} eV/atom above known ones, more than {largest:g}"
        for place, value in zip(places, above, strict=True)
        if value > largest
    }


def find_large_grades(candidates: Configurations, places: Array, largest: float | None) -> Refused:
    """Refuse candidates with a grade above ``largest``, where there are grades."""
    if largest is None:
        return {}
    return {
        place: f"grade {candidates.grade[place]:.4g}, more than {largest:g}"
        for place in places[candidates.grade[places] > largest].tolist()
    }
