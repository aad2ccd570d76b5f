# SPDX-License-Identifier: MIT
"""The job ``evaluate``: what a potential predicts, and its errors where there are labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.carving.labels import without_saturation
from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.fitting.metrics import ErrorSums
from aiida_alpot.fitting.prediction import labelled_with
from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.grading.committee import CommitteeGrader, check_members
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_streams import ConfigurationsWriter, stream_configurations

PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True)
class EvaluateRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    potential, configurations : str
        File of the potential, file of what is to be evaluated.
    committee : list of str
        Files of potentials whose disagreement is compared with the errors of forces.
    species : list of str or null
        Order of the types, for a potential file that names none.
    threads : int
        The result does not depend on it.
    """

    potential: str
    configurations: str
    committee: tuple[str, ...] = ()
    species: tuple[str, ...] | None = None
    threads: int = 1


REQUEST = EvaluateRequest


def run(request: EvaluateRequest, folder: Path) -> Mapping[str, Any]:
    """Write ``predictions.npz``, the configurations with predictions as labels; return the errors.

    Chunks lack atoms that saturate bonds, where the potential does not know their element.

    With a committee ``calibration`` has the rows of a
    :class:`~aiida_alpot.grading.calibration.Calibration` of its deviations.

    The configurations are read, evaluated and written some at a time, so that memory does not grow
    with the file.

    Raises
    ------
    InputFileError, EmptyDataError
        If a file is missing or not readable, or there is nothing to evaluate.
    GeometryError
        If a structure is not usable.
    SpeciesError
        If the potential lacks a species or names none.
    """
    potential = read_potential(file_in(folder, request.potential), request.species or None)
    path = file_in(folder, request.configurations)
    total, calibration = ErrorSums(), Calibration()
    grader = _committee(request, folder, potential)
    with ConfigurationsWriter(folder / PREDICTIONS_FILE) as writer:
        for read in stream_configurations(path, species=potential.species or None):
            part = without_saturation(read, potential.species or None)
            potential.types_of(part.numbers)
            check_geometry(part)
            prediction = evaluate(potential, part, threads=request.threads)
            writer.write(labelled_with(part, prediction))
            total.add(part, prediction)
            if grader is not None:
                errors = np.linalg.norm(prediction.forces - part.forces, axis=1)
                labelled = np.where(part.force_mask, errors, np.nan)
                calibration = calibration + Calibration.of(grader.force_deviations(part), labelled)
    result: dict[str, Any] = {"errors": total.errors().as_dict()}
    if grader is not None:
        result["calibration"] = calibration.as_rows()
    return result


def _committee(
    request: EvaluateRequest, folder: Path, potential: MomentTensorPotential
) -> CommitteeGrader | None:
    if not request.committee:
        return None
    species = request.species or None
    members = [read_potential(file_in(folder, name), species) for name in request.committee]
    check_members([potential, *members])
    return CommitteeGrader(members)
