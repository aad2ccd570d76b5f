# SPDX-License-Identifier: MIT
"""Which candidates to label by an uncertainty: the largest first, none like those before it.

An uncertainty says of each candidate alone how little the potential knows about it, and nothing
of what two candidates have in common. Frames of one excursion, or of the end of a relaxation, are
uncertain for one reason and teach the same; so a candidate that is like one that is more uncertain
is left for a later turn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.grader import Grader
from aiida_alpot.selection.duplicates import find_alike
from aiida_alpot.selection.fingerprints import fingerprints
from aiida_alpot.selection.picking import ALIKE_WITHIN, check_alike_within, check_limit

__all__ = ["ALIKE_WITHIN", "UncertainSelection", "select_uncertain"]

Array = np.ndarray


@dataclass(frozen=True)
class UncertainSelection:
    """Candidates worth a label.

    Parameters
    ----------
    indices : (k,) int64
        Selected candidates, the most uncertain one first.
    over_limit : (l,) int64
        Those that would follow, left out because of the limit.
    alike : (m,) int64
        Those that are like one that is more uncertain.
    grades : (n,) float64
        Uncertainty of every candidate.
    """

    indices: Array
    over_limit: Array
    alike: Array
    grades: Array


def select_uncertain(
    grader: Grader,
    candidates: Configurations,
    *,
    threshold: float,
    entry: float,
    limit: int | None = None,
    alike_within: float = ALIKE_WITHIN,
) -> UncertainSelection:
    """Select the most uncertain candidates.

    Parameters
    ----------
    grader : Grader
        Of whole configurations, such as a
        :class:`~aiida_alpot.grading.committee.CommitteeGrader`.
    candidates : Configurations
        Labels are not looked at.
    threshold : float
        Grade that some candidate must exceed for anything to be selected, in the unit of the
        grader; positive.
    entry : float
        Grade above which a candidate is worth a label then; positive. The threshold itself if that
        is smaller.
    limit : int, optional
        Select at most so many.
    alike_within : float
        Largest difference of the fingerprints of two candidates that count as alike, A; see
        :mod:`aiida_alpot.selection.duplicates`. Zero lets all but equal ones pass.

    Raises
    ------
    SettingError
        If the thresholds, the limit or the distance are out of range.
    SpeciesError
        If the grader lacks a species that occurs.
    """
    _check(threshold=threshold, entry=entry, limit=limit, alike_within=alike_within)
    grades = grader.grade(candidates).per_configuration
    taken: list[int] = []
    alike: list[int] = []
    if grades.max(initial=0.0) > threshold:
        order = _by_grade(grades, above=min(entry, threshold))
        like = find_alike(fingerprints(candidates.select(order)), alike_within)
        taken = [place for place, other in zip(order, like, strict=True) if other is None]
        alike = [place for place, other in zip(order, like, strict=True) if other is not None]
    cut = len(taken) if limit is None else limit
    return UncertainSelection(
        indices=np.array(taken[:cut], dtype=np.int64),
        over_limit=np.array(taken[cut:], dtype=np.int64),
        alike=np.array(alike, dtype=np.int64),
        grades=grades,
    )


def _by_grade(grades: Array, *, above: float) -> list[int]:
    """Return the places of the grades above a value, the largest first, equal ones in order."""
    order = np.argsort(-grades, kind="stable")
    places: list[int] = order[grades[order] > above].tolist()
    return places


def _check(*, threshold: float, entry: float, limit: int | None, alike_within: float) -> None:
    for name, value in (("threshold", threshold), ("entry", entry)):
        if not 0.0 < value < np.inf:
            raise SettingError(
                f"The {name} of the uncertainty is {value:g}; give a positive number, in eV/A for "
                "deviations of forces."
            )
    check_limit(limit)
    check_alike_within(alike_within)
