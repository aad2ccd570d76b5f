# SPDX-License-Identifier: MIT
"""Active sets: the training environments that span the largest volume.

Two methods differ in the coordinates in which volumes are measured:

``projected``
    Rows are projected on the space that they can span at all
    (:mod:`aiida_alpot.grading.row_space`).
``parity``
    Raw rows, one batch, so that grades are those that MLIP-2 prints.

Both start from short fictitious rows, which stay along the directions the training set lacks.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import EmptyDataError, SettingError
from aiida_alpot.grading.active_rows import ActiveSet, RowOrigin, potential_hash
from aiida_alpot.grading.candidate_rows import CandidateRows
from aiida_alpot.grading.maxvol import (
    START_SCALE,
    SWAP_THRESHOLD,
    UNFILLED,
    MaxvolResult,
    maxvol_in_blocks,
    scaled_identity,
)
from aiida_alpot.grading.row_space import structural_projection
from aiida_alpot.grading.rows import WHOLE_CONFIGURATION, check_mode
from aiida_alpot.grading.short_list import ShortList
from aiida_alpot.mtp.potential import MomentTensorPotential

__all__ = [
    "METHODS",
    "ActiveSet",
    "CandidateRows",
    "Extension",
    "RowOrigin",
    "build_active_set",
    "check_threshold",
    "empty_active_set",
    "extend_active_set",
    "potential_hash",
]

Array = np.ndarray
Method = Literal["projected", "parity"]
METHODS: tuple[str, ...] = get_args(Method)


def empty_active_set(
    potential: MomentTensorPotential,
    *,
    mode: Literal["neighborhood", "configuration"] | str = "neighborhood",
    method: Method | str = "projected",
    scale: float = START_SCALE,
) -> ActiveSet:
    """Return the regularised start: only fictitious rows, along which everything extrapolates.

    Raises
    ------
    SettingError
        If there is no such mode or method.
    """
    check_mode(mode)
    if method not in METHODS:
        raise SettingError(f"Unknown grading method {method!r}; allowed are {', '.join(METHODS)}.")
    if method == "projected":
        projection = structural_projection(potential)
    else:
        projection = np.eye(potential.n_parameters)
    rank = projection.shape[1]
    rows, inverse = scaled_identity(rank, scale)
    return ActiveSet(
        rows=rows,
        inverse=inverse,
        projection=projection,
        identifier=np.zeros(rank, dtype="<U1"),
        hash=np.zeros(rank, dtype="<U1"),
        atom=np.full(rank, WHOLE_CONFIGURATION),
        mode=mode,
        method=method,
        potential_hash=potential_hash(potential),
    )


def build_active_set(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    mode: str = "neighborhood",
    method: str = "projected",
    scale: float = START_SCALE,
    threshold: float = SWAP_THRESHOLD,
) -> ActiveSet:
    """Select the active rows of a training set by MAXVOL.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where energies are linearised.
    configurations : Configurations
        Training set; labels are not looked at.
    mode : {"neighborhood", "configuration"}
        One row for each atom, or for each configuration.
    method : {"projected", "parity"}
        See the module; ``parity`` keeps all rows in memory.
    scale : float
        Length of the fictitious rows of the start.
    threshold : float
        Smallest gain of volume for which rows are exchanged, >= 1.

    Raises
    ------
    EmptyDataError
        If there is no configuration.
    SettingError
        If there is no such mode or method.
    SpeciesError
        If the potential lacks a species that occurs.
    """
    if len(configurations) == 0:
        raise EmptyDataError(
            "The training set of an active set holds no configuration; give at least one."
        )
    start = empty_active_set(potential, mode=mode, method=method, scale=scale)
    return extend_active_set(start, potential, configurations, threshold=threshold).active_set


@dataclass(frozen=True)
class Extension:
    """An active set after candidates competed for its places.

    Parameters
    ----------
    active_set : ActiveSet
        With the candidates that gained volume.
    configurations : (k,) int64
        Candidates with at least one row in it, increasing.
    maxvol : MaxvolResult
        What MAXVOL did; its indices count rows of the candidates.
    """

    active_set: ActiveSet
    configurations: Array
    maxvol: MaxvolResult


def extend_active_set(
    active_set: ActiveSet,
    potential: MomentTensorPotential,
    candidates: Configurations | CandidateRows | ShortList,
    *,
    threshold: float = SWAP_THRESHOLD,
) -> Extension:
    """Let the rows of ``candidates`` replace active rows where that gains volume.

    Rows are read and filtered block by block; with the method ``parity`` all are kept and each
    exchange is the best of all.

    Parameters
    ----------
    active_set : ActiveSet
        To start from; must belong to ``potential``.
    potential : MomentTensorPotential
        Where energies are linearised.
    candidates : Configurations, CandidateRows or ShortList
        Labels are not looked at. Rows made before are not computed again.
    threshold : float
        Smallest factor on the volume for which a row enters, >= 1.

    Raises
    ------
    ActiveSetError
        If the active set belongs to another potential.
    """
    active_set.check_potential(potential)
    check_threshold(threshold)
    rows = candidates
    if isinstance(rows, Configurations):
        rows = CandidateRows(active_set, potential, rows)
    one_batch = active_set.method == "parity"
    result = maxvol_in_blocks(
        rows.one_block if one_batch else rows.blocks,
        start=(active_set.rows, active_set.inverse),
        threshold=max(threshold, SWAP_THRESHOLD),
        keep_all=one_batch,
    )
    return _with_entered_rows(active_set, rows, result)


def check_threshold(threshold: float) -> None:
    """Raise SettingError unless ``threshold`` is at least one."""
    if not threshold >= 1.0:
        raise SettingError(
            f"The threshold of a grade is {threshold:g}; it must be at least 1, where "
            "interpolation ends."
        )


def _with_entered_rows(
    active_set: ActiveSet, rows: CandidateRows | ShortList, result: MaxvolResult
) -> Extension:
    """Record which candidate fills each place now."""
    filled = np.flatnonzero(result.places != UNFILLED)
    configuration, atom = (owner[result.places[filled]] for owner in rows.owners())
    entered, position = np.unique(configuration, return_inverse=True)
    hashes = rows.configurations.select(entered).hashes()
    # lists, because the width of an array of text must depend on its content alone
    identifiers, contents = active_set.identifier.tolist(), active_set.hash.tolist()
    for place, k in zip(filled, position, strict=True):
        identifiers[place] = str(rows.configurations.identifier[entered[k]])
        contents[place] = hashes[k]
    atoms = active_set.atom.copy()
    atoms[filled] = atom
    extended = replace(
        active_set,
        rows=result.matrix,
        inverse=result.inverse,
        identifier=np.array(identifiers, dtype=np.str_),
        hash=np.array(contents, dtype=np.str_),
        atom=atoms,
    )
    return Extension(extended, entered, result)
