# SPDX-License-Identifier: MIT
"""Errors of a potential against labels, in the units that papers quote.

Energies per atom, forces per component, stress over its six components. The mean angle between the
forces (Waters & Rondinelli) counts atoms whose labelled force is large enough to have a direction.
Labels that are absent, and forces that the mask leaves out, do not enter, nor do energies and
stresses of chunks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from ase.units import GPa

from aiida_alpot.carving.labels import keep_central_forces
from aiida_alpot.configurations import Configurations

Array = np.ndarray
SMALLEST_FORCE = 0.02
"""Labelled forces up to this length, in eV/A, have no angle."""


class Predictions(Protocol):
    """What a potential predicts for a set: like the labels of ``Configurations``."""

    @property
    def energy(self) -> Array:
        """(n,) eV."""

    @property
    def forces(self) -> Array:
        """(n_atoms, 3) eV/A."""

    @property
    def stress(self) -> Array:
        """(n, 6) eV/A^3, ASE's sign and order; NaN where the cell has no volume."""


@dataclass(frozen=True)
class Errors:
    """Root mean square and mean absolute errors over a set; NaN where nothing could be compared.

    Parameters
    ----------
    n_configurations, n_atoms : int
        Size of the set.
    energy_rmse, energy_mae : float
        meV/atom.
    forces_rmse, forces_mae : float
        eV/A, per component.
    forces_angle : float
        Mean angle between predicted and labelled forces, degrees.
    stress_rmse, stress_mae : float
        GPa, over the six components.
    """

    n_configurations: int
    n_atoms: int
    energy_rmse: float
    energy_mae: float
    forces_rmse: float
    forces_mae: float
    forces_angle: float
    stress_rmse: float
    stress_mae: float

    def as_dict(self) -> dict[str, Any]:
        """Return the errors as plain JSON; what could not be compared is None."""
        return {
            "n_configurations": self.n_configurations,
            "n_atoms": self.n_atoms,
            "energy": {
                "rmse_meV_per_atom": _or_none(self.energy_rmse),
                "mae_meV_per_atom": _or_none(self.energy_mae),
            },
            "forces": {
                "rmse_eV_per_A": _or_none(self.forces_rmse),
                "mae_eV_per_A": _or_none(self.forces_mae),
                "mean_angle_deg": _or_none(self.forces_angle),
            },
            "stress": {
                "rmse_GPa": _or_none(self.stress_rmse),
                "mae_GPa": _or_none(self.stress_mae),
            },
        }


def errors(reference: Configurations, prediction: Predictions) -> Errors:
    """Compare predictions with the labels of a set.

    Parameters
    ----------
    reference : Configurations
        Labelled, in part or in full.
    prediction : Predictions
        Energies, forces and stresses of the same configurations in the same order, for instance an
        ``Evaluation``.
    """
    total = ErrorSums()
    total.add(reference, prediction)
    return total.errors()


class ErrorSums:
    """Errors over sets that come part by part."""

    def __init__(self) -> None:
        self._n_configurations = 0
        self._n_atoms = 0
        self._energy = _Sums()
        self._forces = _Sums()
        self._stress = _Sums()
        self._angle = _Sums()

    def add(self, reference: Configurations, prediction: Predictions) -> None:
        """Compare a part; arguments as those of :func:`errors`."""
        reference = keep_central_forces(reference)
        trusted = reference.force_mask & np.isfinite(reference.forces).all(axis=1)
        forces, labels = prediction.forces[trusted], reference.forces[trusted]
        n_atoms = np.maximum(reference.n_atoms, 1)
        self._n_configurations += len(reference)
        self._n_atoms += len(reference.numbers)
        self._energy.add((prediction.energy - reference.energy) / n_atoms * 1e3)
        self._forces.add(forces - labels)
        self._stress.add((prediction.stress - reference.stress) / GPa)
        self._angle.add(_angles(forces, labels))

    def errors(self) -> Errors:
        """Return the errors over all parts."""
        return Errors(
            self._n_configurations,
            self._n_atoms,
            *self._energy.rmse_and_mae(),
            *self._forces.rmse_and_mae(),
            self._angle.rmse_and_mae()[1],
            *self._stress.rmse_and_mae(),
        )


class _Sums:
    """Sums of absolute values and squares; what is not finite is left out."""

    def __init__(self) -> None:
        self._count, self._absolute, self._square = 0, 0.0, 0.0

    def add(self, values: Array) -> None:
        known = values[np.isfinite(values)]
        self._count += known.size
        self._absolute += float(np.abs(known).sum())
        self._square += float((known**2).sum())

    def rmse_and_mae(self) -> tuple[float, float]:
        if not self._count:
            return math.nan, math.nan
        return math.sqrt(self._square / self._count), self._absolute / self._count


def _angles(forces: Array, labels: Array) -> Array:
    """Return the angles in degrees; a prediction of exactly zero counts as 90."""
    length = np.linalg.norm(labels, axis=1)
    forces, labels, length = (
        values[length > SMALLEST_FORCE] for values in (forces, labels, length)
    )
    predicted_length = np.linalg.norm(forces, axis=1)
    scale = np.where(predicted_length > 0.0, predicted_length, 1.0) * length
    cosine = np.einsum("ij,ij->i", forces, labels) / scale
    angles: Array = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
    return angles


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
