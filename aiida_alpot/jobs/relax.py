# SPDX-License-Identifier: MIT
"""The job ``relax``: thousands of structures to the nearest minima of a potential."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.grading.mlip_state import load_active_set
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_streams import ConfigurationsWriter, stream_configurations
from aiida_alpot.sampling.batched.relaxation import BatchedRelaxationSettings, relax_together
from aiida_alpot.sampling.settings import make_settings

RELAXED_FILE = "relaxed.npz"


@dataclass(frozen=True)
class RelaxRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    potential, configurations : str
        File of the potential, file of the starts.
    species : list of str or null
        Order of the types, for a potential file that names none.
    active_set : str or null
        File of an active set of the potential, which grades the structures on the way.
    settings : dict
        Of :class:`~aiida_alpot.sampling.batched.relaxation.BatchedRelaxationSettings`.
    threads : int
        The result does not depend on it.
    """

    potential: str
    configurations: str
    species: tuple[str, ...] | None = None
    active_set: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    threads: int = 1


REQUEST = RelaxRequest


def run(request: RelaxRequest, folder: Path) -> Mapping[str, Any]:
    """Write ``relaxed.npz``, the structures where they stopped, with predictions as labels.

    They are read, relaxed and written some at a time. The result says of each structure how it
    ended (``outcome``), after how many evaluations (``n_steps``), and its ``largest_force``.

    Raises
    ------
    InputFileError, EmptyDataError
        If a file is missing or not readable, or there is nothing to relax.
    GeometryError
        If a structure is not usable, or its cell shall change and is not periodic.
    SettingError
        If a setting is unknown or out of range.
    SpeciesError, ActiveSetError
        If the potential lacks a species, or the active set belongs to another potential.
    """
    settings = make_settings(BatchedRelaxationSettings, request.settings, owner="the settings")
    potential = read_potential(file_in(folder, request.potential), request.species or None)
    active_set = None
    if request.active_set is not None:
        active_set = load_active_set(file_in(folder, request.active_set), potential.species)
    result: dict[str, list[Any]] = {"outcome": [], "n_steps": [], "largest_force": []}
    path = file_in(folder, request.configurations)
    with ConfigurationsWriter(folder / RELAXED_FILE) as writer:
        for part in stream_configurations(path, species=potential.species or None):
            check_geometry(part)
            relaxed = relax_together(
                potential, part, settings, active_set=active_set, threads=request.threads
            )
            writer.write(relaxed.configurations)
            for name in result:
                result[name] += getattr(relaxed, name).tolist()
    return result
