# SPDX-License-Identifier: MIT
"""The job ``evaluate``: what a potential predicts, and its errors where there are labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.fitting.metrics import ErrorSums
from aiida_alpot.fitting.prediction import labelled_with
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_streams import ConfigurationsWriter, stream_configurations

PREDICTIONS_FILE = "predictions.npz"


@dataclass(frozen=True)
class EvaluateRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    potential, configurations : str
        File of the potential, file of what is to be evaluated.
    species : list of str or null
        Order of the types, for a potential file that names none.
    threads : int
        The result does not depend on it.
    """

    potential: str
    configurations: str
    species: tuple[str, ...] | None = None
    threads: int = 1


REQUEST = EvaluateRequest


def run(request: EvaluateRequest, folder: Path) -> Mapping[str, Any]:
    """Write ``predictions.npz``, the configurations with predictions as labels; return the errors.

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
    total = ErrorSums()
    with ConfigurationsWriter(folder / PREDICTIONS_FILE) as writer:
        for part in stream_configurations(path, species=potential.species or None):
            potential.types_of(part.numbers)
            check_geometry(part)
            prediction = evaluate(potential, part, threads=request.threads)
            writer.write(labelled_with(part, prediction))
            total.add(part, prediction)
    return {"errors": total.errors().as_dict()}
