# SPDX-License-Identifier: MIT
"""Rules about what the sampling potential said of a candidate: forces and grades."""

from __future__ import annotations

import numpy as np

from aiida_alpot.configurations import Configurations

Array = np.ndarray
Refused = dict[int, str]


def find_large_forces(candidates: Configurations, places: Array, largest: float | None) -> Refused:
    """Refuse candidates with a predicted force above ``largest``, eV/A, where there are forces."""
    if largest is None:
        return {}
    sizes = np.nan_to_num(np.linalg.norm(candidates.forces, axis=1), nan=0.0)
    refused: Refused = {}
    for place in places.tolist():
        found = float(sizes[candidates.atoms_slice(place)].max(initial=0.0))
        if found > largest:
            refused[place] = f"predicted force of {found:.1f} eV/A, more than {largest:g} eV/A"
    return refused


def find_large_grades(candidates: Configurations, places: Array, largest: float | None) -> Refused:
    """Refuse candidates with a grade above ``largest``, where there are grades."""
    if largest is None:
        return {}
    return {
        place: f"grade {candidates.grade[place]:.4g}, more than {largest:g}"
        for place in places[candidates.grade[places] > largest].tolist()
    }
