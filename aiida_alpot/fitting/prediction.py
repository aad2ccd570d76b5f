# SPDX-License-Identifier: MIT
"""Predictions for sets of any size, part by part, so that neighbour lists never pile up."""

from __future__ import annotations

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import Evaluation, evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential

ATOMS_PER_PART = 20_000


def predict(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    atoms_per_part: int = ATOMS_PER_PART,
    threads: int = 1,
) -> Evaluation:
    """Evaluate a set of any size, with the same numbers as if it were evaluated at once.

    Parameters
    ----------
    potential : MomentTensorPotential
        With species named.
    configurations : Configurations
        Labels are not looked at.
    atoms_per_part : int
        Configurations are evaluated together up to so many atoms; memory is bounded by that, or by
        the largest configuration.
    threads : int
        The result does not depend on it.

    Raises
    ------
    SpeciesError, GeometryError
        As :func:`aiida_alpot.mtp.evaluate.evaluate`.
    """
    parts = [
        evaluate(potential, part, threads=threads) for part in configurations.parts(atoms_per_part)
    ]
    if not parts:
        return evaluate(potential, configurations)
    return Evaluation(
        *(np.concatenate(arrays) for arrays in zip(*map(_arrays, parts), strict=True))
    )


def labelled_with(configurations: Configurations, prediction: Evaluation) -> Configurations:
    """Return the configurations with predictions in the place of labels."""
    return configurations.without_labels().replace(
        energy=prediction.energy, forces=prediction.forces, stress=prediction.stress
    )


def _arrays(evaluation: Evaluation) -> tuple[np.ndarray, ...]:
    return (
        evaluation.energy,
        evaluation.site_energies,
        evaluation.forces,
        evaluation.stress,
    )
