# SPDX-License-Identifier: MIT
"""How far the uncertainty of a campaign could be trusted, turn by turn.

Potential, committee and active set of a turn are stored before its labels are; with them the
uncertainty and the force of every atom that the turn labelled, for training or for an audit, are
those that were predicted beforehand. The factor between uncertainty and error is the one that the
turns before would have given: nothing is judged by what it was fitted to.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.reports.processes import turn_processes

if TYPE_CHECKING:
    from aiida_alpot.configurations import Configurations
    from aiida_alpot.grading.grader import Grader
    from aiida_alpot.mtp.potential import MomentTensorPotential

LABELLED = ("increment", "held_out", "audit")
"""Outputs of a turn whose frames its potential had predicted."""


@dataclass(frozen=True)
class TurnReliability:
    """What the labels of a turn said of its uncertainties.

    Parameters
    ----------
    turn : int
        Of the campaign.
    measure : {"committee", "extrapolation"}
        What graded.
    calibration : Calibration
        Deviations, eV/A, or grades of the atoms, against errors of their forces.
    factor : float
        Of the turns before; for a committee 2.58 where they had too few atoms, else NaN.
    """

    turn: int
    measure: str
    calibration: Calibration
    factor: float

    @property
    def coverage(self) -> float:
        """Share of the atoms whose error is below factor times uncertainty."""
        return math.nan if math.isnan(self.factor) else self.calibration.coverage(self.factor)


def read_reliability(node: Any) -> list[TurnReliability]:
    """Return what the labels of each turn of a campaign said, for turns that had a potential."""
    found: list[TurnReliability] = []
    total = Calibration()
    for process in turn_processes(node):
        grader = _grader_of(process)
        if grader is None:
            continue
        measure, one = grader
        calibration = Calibration()
        potential = process.inputs.potential.get_potential()
        for configurations in _labelled_sets(process):
            calibration = calibration + compare(potential, one, configurations)
        if not calibration.n_atoms:
            continue
        factor = total.factor()
        if measure == "extrapolation" and not total.n_atoms:
            factor = math.nan
        found.append(TurnReliability(process.inputs.turn.value, measure, calibration, factor))
        total = total + calibration
    return found


def compare(
    potential: MomentTensorPotential, grader: Grader, configurations: Configurations
) -> Calibration:
    """Return uncertainties of atoms against the errors of the forces that a potential predicts."""
    from aiida_alpot.carving.labels import without_saturation
    from aiida_alpot.fitting.prediction import predict

    configurations = without_saturation(configurations, potential.species)
    per_atom = grader.grade(configurations).per_atom
    if per_atom is None:
        return Calibration()
    difference = predict(potential, configurations).forces - configurations.forces
    errors = np.linalg.norm(difference, axis=1)
    return Calibration.of(per_atom, np.where(configurations.force_mask, errors, np.nan))


def _grader_of(process: Any) -> tuple[str, Grader] | None:
    """Return what graded in a turn, None where nothing did."""
    from aiida_alpot.grading.committee import CommitteeGrader
    from aiida_alpot.grading.grader import ExtrapolationGrader

    inputs = process.inputs
    if "potential" not in inputs:
        return None
    members = dict(inputs["committee"].items()) if "committee" in inputs else {}
    if len(members) > 1:
        potentials = [node.get_potential() for _, node in sorted(members.items())]
        return "committee", CommitteeGrader(potentials)
    if "active_set" not in inputs:
        return None
    active_set = inputs.active_set.get_active_set()
    return "extrapolation", ExtrapolationGrader(inputs.potential.get_potential(), active_set)


def _labelled_sets(process: Any) -> Iterator[Configurations]:
    for name in LABELLED:
        if name in process.outputs:
            configurations = process.outputs[name].get_configurations()
            if len(configurations):
                yield configurations
