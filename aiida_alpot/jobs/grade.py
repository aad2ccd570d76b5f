# SPDX-License-Identifier: MIT
"""The job ``grade``: how far configurations lie outside what a potential was trained on.

An active set says it without a unit, a committee of potentials in eV/A.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from aiida_alpot.carving.labels import without_saturation
from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import EmptyDataError, SettingError
from aiida_alpot.grading.active_set import ActiveSet, build_active_set
from aiida_alpot.grading.committee import CommitteeGrader, check_members
from aiida_alpot.grading.grader import ExtrapolationGrader, Grades
from aiida_alpot.grading.mlip_state import active_set_in, load_active_set
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_files import read_configurations
from aiida_alpot.whole_files import read_content


@dataclass(frozen=True)
class GradeRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    potential, configurations : str
        File of the potential, file of what is to be graded.
    active_set : str or null
        File of an active set that belongs to the potential; its mode decides then.
    training : list of str
        Files of the training set, from which the active set is built if none is given. With neither
        of the two, the active set in the file of the potential grades.
    committee : list of str
        Files of at least two potentials, whose disagreement grades in place of an active set.
    species : list of str or null
        Order of the types, for a potential file that names none.
    mode, method : str
        See :func:`aiida_alpot.grading.build_active_set`. The default is what MLIP-2 prints.
    threads : int
        Number of threads of the linear algebra.
    """

    potential: str
    configurations: str
    active_set: str | None = None
    training: tuple[str, ...] = ()
    committee: tuple[str, ...] = ()
    species: tuple[str, ...] | None = None
    mode: str = "configuration"
    method: str = "parity"
    threads: int = 1


REQUEST = GradeRequest


def run(request: GradeRequest, folder: Path) -> Mapping[str, Any]:
    """Grade the configurations of a request.

    Returns
    -------
    mapping
        ``grader``, "extrapolation" or "committee"; ``grades``, one for each configuration;
        ``per_atom`` lists of them in neighbourhood mode and of a committee, whose grades are
        standard deviations of forces, eV/A.

    Raises
    ------
    SettingError
        If two of 'active_set', 'training' and 'committee' are given, or none and the file of the
        potential holds no active set, or the mode is unknown, or the committee has one member.
    ActiveSetError
        If the active set belongs to another potential.
    EmptyDataError
        If there is nothing to grade or to train on.
    GeometryError
        If a configuration has overlapping atoms, a position that is not finite or no volume.
    """
    potential = read_potential(file_in(folder, request.potential), request.species)
    configurations = read_sets(folder, [request.configurations], potential.species)
    if len(configurations) == 0:
        raise EmptyDataError(f"{request.configurations} holds no configuration to grade.")
    check_geometry(configurations)
    if request.committee:
        members = _committee(request, folder, potential)
        return committee_grades_of(potential, members, configurations)
    return grades_of(potential, _active_set(request, folder, potential), configurations)


def _committee(
    request: GradeRequest, folder: Path, potential: MomentTensorPotential
) -> list[MomentTensorPotential]:
    if request.active_set is not None or request.training:
        raise SettingError(
            "Either a committee grades or an active set: give 'committee', or one of 'active_set' "
            "and 'training'."
        )
    return read_committee(folder, request.committee, potential.species)


def _active_set(request: GradeRequest, folder: Path, potential: MomentTensorPotential) -> ActiveSet:
    """Return the active set that is given, built from the training set, or in the potential."""
    if request.active_set is not None and not request.training:
        return load_active_set(file_in(folder, request.active_set), potential.species)
    if request.training and request.active_set is None:
        training = read_sets(folder, request.training, potential.species)
        return build_active_set(potential, training, mode=request.mode, method=request.method)
    path = file_in(folder, request.potential)
    inside = None
    if request.active_set is None:
        inside = active_set_in(read_content(path), source=str(path), species=potential.species)
    if inside is None:
        raise SettingError(
            "Grades need either an active set or the training set to build one from: give exactly "
            "one of 'active_set' and 'training', or a potential file with an active set inside "
            "(.almtp)."
        )
    return inside


def grades_of(
    potential: MomentTensorPotential, active_set: ActiveSet, configurations: Configurations
) -> dict[str, Any]:
    """Return the grades as the plain mapping that ``alpot grade`` writes."""
    grades = ExtrapolationGrader(potential, active_set).grade(configurations)
    return {
        "grader": "extrapolation",
        **_listed(grades, configurations),
        "mode": active_set.mode,
        "method": active_set.method,
        "rank": active_set.rank,
        "n_initialized": active_set.n_initialized,
    }


def committee_grades_of(
    potential: MomentTensorPotential,
    members: Sequence[MomentTensorPotential],
    configurations: Configurations,
) -> dict[str, Any]:
    """Return the disagreement of a committee that belongs to a potential in the same form."""
    check_members([potential, *members])
    grades = CommitteeGrader(members).grade(configurations)
    return {
        "grader": "committee",
        **_listed(grades, configurations),
        "n_members": len(members),
    }


def _listed(grades: Grades, configurations: Configurations) -> dict[str, Any]:
    listed: dict[str, Any] = {"grades": grades.per_configuration.tolist()}
    if grades.per_atom is not None:
        parts = np.split(grades.per_atom, configurations.offsets[1:-1])
        listed["per_atom"] = [part.tolist() for part in parts]
    return listed


def read_committee(
    folder: Path, names: Sequence[str], species: Sequence[str] | None = None
) -> list[MomentTensorPotential]:
    """Return the potentials of several files of a request."""
    return [read_potential(file_in(folder, name), species or None) for name in names]


def read_sets(
    folder: Path, names: Sequence[str], species: Sequence[str] | None = None
) -> Configurations:
    """Return the configurations of several files of a request as one set, which may be empty.

    Chunks come without atoms that saturate bonds, where ``species`` does not name their element.
    """
    sets = [
        read_configurations(file_in(folder, name), species=species or None, allow_empty=True)
        for name in names
    ]
    return without_saturation(concatenate(sets), species or None)
