# SPDX-License-Identifier: MIT
r"""Which candidates to label: those that enlarge the volume spanned by the training set.

The training set fills the active set first. Then candidates compete with it for the places (MAXVOL
over training and candidates), and configurations that own a row are selected. Two methods:

``projected``
    Unless the largest grade of all exceeds ``threshold`` nothing is selected. Else a candidate
    enters where it enlarges the volume by more than ``entry``, and in the end no candidate has a
    grade above that. It is below ``threshold``, since frames of the next turn scatter about those
    of this one: if candidates were left just below the threshold, new ones would soon exceed it,
    one by one, and a campaign would hardly converge. Training rows may come back for any gain,
    which saves labels. A label pays for all rows of a configuration, so each one selected enters
    as a whole, and those that this makes superfluous are not selected.
``parity``
    The algorithm of MLIP-2: as above, but any gain of volume counts, and all owners of a row are
    selected.

With ``costs`` next comes whichever gains most volume for its cost, and what is selected costs no
more than what is selected without (:mod:`aiida_alpot.selection.cost_aware`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import (
    ActiveSet,
    CandidateRows,
    build_active_set,
    check_threshold,
    empty_active_set,
    extend_active_set,
)
from aiida_alpot.grading.maxvol import SWAP_THRESHOLD
from aiida_alpot.grading.short_list import ShortList
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.cost_aware import Chosen, check_costs, choose_by_cost, rows_of_each

Array = np.ndarray
SELECT_THRESHOLD = 2.0
ENTRY_THRESHOLD = 1.1
MAX_ROUNDS = 50
MANY_ROWS = 50_000
"""Of more rows than these those that may enter are listed first."""


@dataclass(frozen=True)
class Selection:
    """Candidates worth a label.

    Parameters
    ----------
    indices : (k,) int64
        Selected candidates, the one that extrapolates most first; each next one is farthest from
        the training set and those before it together. With costs the one that gains most for its
        cost is the first.
    gains : (k,) float64
        Logarithm of the factor by which each enlarges the volume in that order.
    over_limit : (l,) int64
        Candidates that were selected too, but left out because of the limit.
    grades : (n,) float64
        Grade of every candidate with respect to the training set alone.
    active_set : ActiveSet
        Rows of the training set and of all selected candidates, those beyond the limit included.
    """

    indices: Array
    gains: Array
    over_limit: Array
    grades: Array
    active_set: ActiveSet

    @property
    def largest_grade(self) -> float:
        """Largest grade of a candidate, zero if there is none."""
        return float(self.grades.max(initial=0.0))


def select(
    potential: MomentTensorPotential,
    candidates: Configurations,
    *,
    training: Configurations | None = None,
    mode: str = "neighborhood",
    method: str = "projected",
    threshold: float = SELECT_THRESHOLD,
    entry: float = ENTRY_THRESHOLD,
    limit: int | None = None,
    costs: Array | None = None,
) -> Selection:
    """Select the candidates whose labels teach the potential most.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where energies are linearised. An untrained one has to be given generic coefficients first,
        see :func:`aiida_alpot.grading.row_space.with_generic_coefficients`.
    candidates : Configurations
        Labels are not looked at.
    training : Configurations, optional
        What is known already; without it everything extrapolates and candidates compete with each
        other.
    mode : {"neighborhood", "configuration"}
        What a row stands for.
    method : {"projected", "parity"}
        See the module.
    threshold : float
        Grade that some candidate must exceed for anything to be selected, >= 1.
    entry : float
        Grade above which a candidate gets a label then, >= 1; not looked at by ``parity``. The
        threshold itself if that is smaller.
    limit : int, optional
        Select at most so many; those that gain most are kept.
    costs : (n_candidates,) float64, optional
        What the label of each candidate costs, in any unit, for the choice by gain over cost. Only
        with the method ``projected``.

    Raises
    ------
    SettingError
        If the threshold, the limit, the mode, the method or a cost is out of range.
    SpeciesError
        If the potential lacks a species that occurs.
    """
    check_threshold(threshold)
    check_threshold(entry)
    if limit is not None and limit < 1:
        raise SettingError(f"At most {limit} configurations are to be selected; allow one or more.")
    if costs is not None:
        if method == "parity":
            raise SettingError("The method 'parity' knows no costs; use 'projected' with costs.")
        costs = check_costs(costs, len(candidates))
    training = Configurations.empty() if training is None else training
    if len(training):
        start = build_active_set(potential, training, mode=mode, method=method)
    else:
        start = empty_active_set(potential, mode=mode, method=method)
    rows = CandidateRows(start, potential, candidates)
    short_list = None
    if method == "projected" and rows.count > MANY_ROWS:
        short_list = ShortList(rows)
        short_list.fill(start, threshold=max(1.0, min(entry, threshold)))
    grades = rows.grades()
    if not grades.max(initial=0.0) > threshold:
        nothing = np.zeros(0, dtype=np.int64)
        return Selection(nothing, np.zeros(0), nothing, grades, start)
    if method == "parity":
        final = extend_active_set(start, potential, rows).active_set
        owners = _owners(final, candidates.hashes(), excluded=training.hashes())
        chosen = _absorb(start, potential, candidates, owners, threshold=0.0)
    else:
        lowest = min(entry, threshold)
        chosen = _choose(start, potential, training, short_list or rows, lowest)
        if costs is not None:
            chosen = choose_by_cost(
                start,
                potential,
                training,
                candidates,
                costs=costs,
                threshold=threshold,
                entry=lowest,
                rival=chosen.indices,
            )
        final = chosen.active_set
    kept = len(chosen.indices) if limit is None else min(limit, len(chosen.indices))
    indices = np.array(chosen.indices, dtype=np.int64)
    return Selection(indices[:kept], np.array(chosen.gains[:kept]), indices[kept:], grades, final)


def fill_by_configuration(
    selection: Selection,
    potential: MomentTensorPotential,
    candidates: Configurations,
    *,
    training: Configurations,
    limit: int,
    costs: Array | None = None,
) -> Selection:
    """Select more, up to a limit, by the rows of whole configurations.

    By neighbourhood one frame of a hundred atoms may already span all that a small basis can tell
    apart. That is too little for the first fit of a potential: more frames are taken that differ
    most as a whole, as many as were asked for or as there are independent ones.

    Parameters
    ----------
    selection : Selection
        Of ``candidates``, made with the method ``projected``.
    potential, candidates, training
        As given to :func:`select`.
    limit : int
        Number of configurations wanted.
    costs : (n_candidates,) float64, optional
        As given to :func:`select`.
    """
    missing = limit - len(selection.indices)
    rest = np.setdiff1d(np.arange(len(candidates)), selection.indices)
    if missing < 1 or len(rest) == 0:
        return selection
    chosen = candidates.select(selection.indices)
    known = concatenate([training.without_labels(), chosen.without_labels()])
    more = select(
        potential,
        candidates.select(rest),
        training=known,
        mode="configuration",
        threshold=1.0,
        limit=missing,
        costs=None if costs is None else np.asarray(costs)[rest],
    )
    return replace(
        selection,
        indices=np.concatenate([selection.indices, rest[more.indices]]),
        gains=np.concatenate([selection.gains, more.gains]),
        over_limit=rest[more.over_limit],
    )


def _choose(
    start: ActiveSet,
    potential: MomentTensorPotential,
    training: Configurations,
    candidates: CandidateRows | ShortList,
    threshold: float,
) -> Chosen:
    """Alternate between MAXVOL over all candidates and taking whole configurations, to the end.

    MAXVOL counts rows, labels are paid by configuration: once all rows of those that gain most have
    entered, others that own a row need no label any more.
    """
    chosen = Chosen([], [], start)
    excluded = set(training.hashes())
    frames = candidates.configurations
    digests = frames.hashes()
    training_rows = CandidateRows(start, potential, training)
    for _ in range(MAX_ROUNDS):
        competed = _compete(
            chosen.active_set, potential, candidates, training_rows, threshold=threshold
        )
        owners = _owners(competed, digests, excluded=excluded)
        more = _absorb(chosen.active_set, potential, frames, owners, threshold=threshold)
        if not more.indices:
            if isinstance(candidates, ShortList) and candidates.add_above(
                chosen.active_set, max(threshold, SWAP_THRESHOLD)
            ):
                continue
            break
        chosen = Chosen(chosen.indices + more.indices, chosen.gains + more.gains, more.active_set)
        excluded.update(digests[index] for index in more.indices)
    return chosen


def _compete(
    start: ActiveSet,
    potential: MomentTensorPotential,
    candidates: CandidateRows | ShortList,
    training: CandidateRows,
    *,
    threshold: float,
) -> ActiveSet:
    """Return the active set in which neither candidates nor training rows gain any more."""
    current = start
    for _ in range(MAX_ROUNDS):
        extension = extend_active_set(current, potential, candidates, threshold=threshold)
        current = extension.active_set
        if extension.maxvol.n_swaps == 0:
            break
        extension = extend_active_set(current, potential, training)
        current = extension.active_set
        if extension.maxvol.n_swaps == 0:
            break
    return current


def _owners(active_set: ActiveSet, digests: Sequence[str], *, excluded: Iterable[str]) -> Array:
    """Return the candidates that own a row, the first of equal ones, none of the ``excluded``."""
    active = set(active_set.hash.tolist()) - set(excluded)
    owners = []
    for index, digest in enumerate(digests):
        if digest in active:
            owners.append(index)
            active.discard(digest)
    return np.array(owners, dtype=np.int64)


def _absorb(
    start: ActiveSet,
    potential: MomentTensorPotential,
    candidates: Configurations,
    owners: Array,
    *,
    threshold: float,
) -> Chosen:
    """Take owners greedily: next comes the one farthest from training and those taken before it.

    All rows of a configuration enter with it, until no owner is left above the threshold. What is
    taken brings the others nearer, so their last known grades are treated as upper bounds and
    computed anew only for the front runner.
    """
    rows = rows_of_each(start, potential, candidates.select(owners))
    current, log_det = start, start.log_det
    reach = np.array([np.abs(one @ current.inverse).max() for one in rows])
    taken, gains = [], []
    while reach.max(initial=0.0) > threshold:
        best = int(np.argmax(reach))
        reach[best] = np.abs(rows[best] @ current.inverse).max()
        if reach[best] < reach.max():
            continue
        if reach[best] <= threshold:
            break
        one = candidates.select([int(owners[best])])
        extension = extend_active_set(current, potential, one)
        taken.append(int(owners[best]))
        gains.append(extension.maxvol.log_det - log_det)
        current, log_det = extension.active_set, extension.maxvol.log_det
        reach[best] = -1.0
    return Chosen(taken, gains, current)
