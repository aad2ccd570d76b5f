# SPDX-License-Identifier: MIT
"""Which candidates a selection takes: by MAXVOL, by a committee, or by another rule.

All answer with a :class:`Choice`, in words that people understand without knowing which it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import TrainedAtomsGrader
from aiida_alpot.grading.row_space import is_trained, with_generic_coefficients
from aiida_alpot.jobs.grade import read_committee
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential
from aiida_alpot.neighbors import smallest_distance
from aiida_alpot.selection.cost_aware import check_costs
from aiida_alpot.selection.maxvol_selection import (
    ENTRY_THRESHOLD,
    SELECT_THRESHOLD,
    fill_by_configuration,
    select,
)
from aiida_alpot.selection.picking import Picked, leave_out_alike
from aiida_alpot.selection.rules import GRADED, RuleSettings, make_selector
from aiida_alpot.selection.uncertainty_selection import select_uncertain

if TYPE_CHECKING:
    from aiida_alpot.jobs.select_request import SelectRequest

Array = np.ndarray
SELECTED, HELD_OUT, OVER_LIMIT, NOT_NEEDED = "selected", "held_out", "over_limit", "not_needed"
ALIKE, GENTLE, FROZEN = "alike", "gentle_test", "frozen_test"
_DETAILS = {
    SELECTED: "enlarges the volume that the training set spans",
    HELD_OUT: "selected, and held out for a test set with its chain",
    OVER_LIMIT: "would enlarge the volume, but others gain more",
    NOT_NEEDED: "lies within what the training set and the selected ones span",
    ALIKE: "is like a configuration that is known or selected",
    GENTLE: "needs no label, and was drawn for a gentle test set",
}
_GAINS_LESS_FOR_ITS_COST = "would enlarge the volume, but others gain more for their cost"
_DETAILS_OF_COMMITTEES = {
    SELECTED: "is among those that the committee disagrees about most",
    HELD_OUT: _DETAILS[HELD_OUT],
    OVER_LIMIT: "the committee disagrees more about others",
    NOT_NEEDED: "the committee agrees about it well enough",
    ALIKE: "is like a candidate that the committee disagrees about more",
    GENTLE: _DETAILS[GENTLE],
}
_REASONS = {
    "tail": "its grade is in the tail of all grades",
    "uncertainty": "its grade is among the largest",
    "farthest_points": "is farthest from the training set and those selected before",
    "cur": "has the largest leverage",
    "random": "was drawn at random",
}


@dataclass(frozen=True)
class Choice:
    """What either way of selecting says of the candidates that passed the gate.

    Parameters
    ----------
    indices : (k,) int64
        Those selected, the best first.
    others : mapping of str to (m,) int64
        Those that a rule left out.
    grades : (n,) float64 or None
        Of all; None where nothing is known that could grade.
    details : mapping of str to str
        What each rule means, in words.
    """

    indices: Array
    others: Mapping[str, Array]
    grades: Array | None
    details: Mapping[str, str]


def choose(
    request: SelectRequest,
    folder: Path,
    potential: MomentTensorPotential | None,
    candidates: Configurations,
    training: Configurations,
    *,
    costs: Array | None = None,
) -> Choice:
    """Return which candidates to label.

    Parameters
    ----------
    request : SelectRequest
        Says how.
    folder : Path
        Where its files lie.
    potential : MomentTensorPotential or None
        That of the request, None if it is not trained yet.
    candidates, training : Configurations
        What passed the gate, and what is known already.
    costs : (n_candidates,) float64, optional
        What the label of each candidate costs.

    Raises
    ------
    SettingError
        If a key is out of range, or neither a potential nor its form is given.
    SpeciesError
        If the potential or its committee lacks a species of the candidates.
    """
    if request.rule not in (None, "maxvol"):
        return _choose_by_rule(request, folder, potential, candidates, training)
    if request.committee:
        _require_no_maxvol(request)
        return _choose_uncertain(request, folder, potential, candidates)
    potential = potential or _untrained_potential(request, training, candidates)
    picked = _select(request, potential, candidates, training, costs)
    is_known = is_trained(potential) and len(training) > 0
    return Choice(
        indices=picked.indices,
        others={OVER_LIMIT: picked.over_limit, ALIKE: picked.alike},
        grades=picked.grades if is_known else None,
        details=_DETAILS if costs is None else {**_DETAILS, OVER_LIMIT: _GAINS_LESS_FOR_ITS_COST},
    )


def costs_of(request: SelectRequest, candidates: Configurations) -> Array | None:
    """Return what the label of each candidate costs, None where that does not count.

    Raises
    ------
    SettingError
        If costs are given twice or with a committee, or are not usable.
    """
    if request.costs is None and request.cost_exponent is None:
        return None
    if request.costs is not None and request.cost_exponent is not None and not request.carve:
        raise SettingError("Give 'costs' or 'cost_exponent', not both.")
    if request.rule not in (None, "maxvol"):
        raise SettingError(
            f"The rule '{request.rule}' tells no gain that could be divided by a cost; leave out "
            "'costs' and 'cost_exponent', or select by 'maxvol'."
        )
    if request.committee:
        raise SettingError(
            "A committee tells no gain of information that could be divided by a cost; leave out "
            "'costs' and 'cost_exponent', or the committee."
        )
    if request.costs is not None:
        return check_costs(np.array(request.costs), len(candidates))
    power = request.cost_exponent or 0.0
    if not power > 0.0:
        raise SettingError(f"'cost_exponent' is {power:g}; it must be above zero.")
    return check_costs(candidates.n_atoms.astype(np.float64) ** power, len(candidates))


def _require_no_maxvol(request: SelectRequest) -> None:
    if request.rule == "maxvol":
        raise SettingError(
            "The rule 'maxvol' compares rows and asks no committee; leave out one of the two, or "
            "give the rule 'uncertainty' or 'tail'."
        )


def _choose_by_rule(
    request: SelectRequest,
    folder: Path,
    potential: MomentTensorPotential | None,
    candidates: Configurations,
    training: Configurations,
) -> Choice:
    """Select by any rule but MAXVOL; ``request.rule`` is not None."""
    rule = str(request.rule)
    grader = None
    if request.committee:
        if rule not in GRADED:
            raise SettingError(
                f"The rule '{rule}' asks no committee; leave it out, or give one of the rules "
                f"{' and '.join(GRADED)}."
            )
        species = request.species if potential is None else potential.species
        members = read_committee(folder, request.committee, species)
        grader = TrainedAtomsGrader(CommitteeGrader(members))
    elif rule in GRADED and (potential is None or not is_trained(potential) or not len(training)):
        raise SettingError(
            f"The rule '{rule}' goes by grades: give a trained potential and its training set, or "
            "a committee. Before the first fit 'maxvol', 'farthest_points', 'cur' and 'random' "
            "select by the form of a potential."
        )
    elif rule != "random":
        potential = potential or _untrained_potential(request, training, candidates)
    settings = RuleSettings(
        mode=request.mode,
        method=request.method,
        threshold=request.threshold,
        entry=request.entry,
        tail_k=request.tail_k,
        tail_kind=request.tail_kind,
        alike_within=request.alike_within,
    )
    picked = make_selector(
        rule, training=training, potential=potential, grader=grader, settings=settings
    ).select(candidates, limit=request.limit, rng=np.random.default_rng(request.seed))
    return Choice(
        indices=picked.indices,
        others={ALIKE: picked.alike, OVER_LIMIT: picked.over_limit},
        grades=picked.grades,
        details={
            SELECTED: _REASONS[rule],
            HELD_OUT: _DETAILS[HELD_OUT],
            OVER_LIMIT: "comes after those that the limit allows",
            NOT_NEEDED: "is not among those that the rule selects",
            ALIKE: _DETAILS[ALIKE],
            GENTLE: _DETAILS[GENTLE],
        },
    )


def _choose_uncertain(
    request: SelectRequest,
    folder: Path,
    potential: MomentTensorPotential | None,
    candidates: Configurations,
) -> Choice:
    if request.threshold is None or request.entry is None:
        raise SettingError(
            "With a committee 'threshold' and 'entry' are deviations of forces in eV/A, which "
            "depend on what the potential is for; give both, such as 0.1 and 0.05."
        )
    species = request.species if potential is None else potential.species
    members = read_committee(folder, request.committee, species)
    selection = select_uncertain(
        TrainedAtomsGrader(CommitteeGrader(members)),
        candidates,
        threshold=request.threshold,
        entry=request.entry,
        limit=request.limit,
        alike_within=request.alike_within,
    )
    return Choice(
        indices=selection.indices,
        others={ALIKE: selection.alike, OVER_LIMIT: selection.over_limit},
        grades=selection.grades,
        details=_DETAILS_OF_COMMITTEES,
    )


def _select(
    request: SelectRequest,
    potential: MomentTensorPotential,
    candidates: Configurations,
    training: Configurations,
    costs: Array | None,
) -> Picked:
    """Select for the potential; for one that is not trained yet, as many as the limit allows."""
    generic = with_generic_coefficients(potential)
    selection = select(
        generic,
        candidates,
        training=training,
        mode=request.mode,
        method=request.method,
        threshold=SELECT_THRESHOLD if request.threshold is None else request.threshold,
        entry=ENTRY_THRESHOLD if request.entry is None else request.entry,
        limit=request.limit,
        costs=costs,
    )
    if not (is_trained(potential) or request.limit is None or request.mode == "configuration"):
        selection = fill_by_configuration(
            selection, generic, candidates, training=training, limit=request.limit, costs=costs
        )
    if request.method == "parity":
        nothing = np.zeros(0, dtype=np.int64)
        return Picked(selection.indices, selection.over_limit, nothing, selection.grades)
    return leave_out_alike(
        np.concatenate([selection.indices, selection.over_limit]),
        candidates,
        limit=request.limit,
        alike_within=request.alike_within,
        grades=selection.grades,
    )


def _untrained_potential(
    request: SelectRequest, training: Configurations, candidates: Configurations
) -> MomentTensorPotential:
    if request.species is None or request.level is None or request.cutoff is None:
        raise SettingError(
            "Selection needs a potential, or 'species', 'level' and 'cutoff' of one that is not "
            "trained yet."
        )
    nearest = [smallest_distance(one, request.cutoff) for one in (training, candidates)]
    return initial_potential(
        request.level,
        request.cutoff,
        species=request.species,
        min_distance=request.min_distance or min(0.99 * min(nearest), 0.5 * request.cutoff),
        rng=np.random.default_rng(request.seed),
    )
