# SPDX-License-Identifier: MIT
"""Every rule of selection under its one name, for campaign files, jobs and the command line.

==================  ============================================================================
``maxvol``          enlarges the volume that the training set spans (D-optimality)
``tail``            tail of the logarithm of the grades
``uncertainty``     largest grades first
``farthest_points`` farthest from training set and those selected before, by rows
``cur``             largest leverage scores of the rows
``random``          at random
==================  ============================================================================

All answer with :class:`~aiida_alpot.selection.picking.Picked`, keep a limit and take nothing twice;
:class:`aiida_alpot.testing.selectors.SelectorContract` says what they promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set, empty_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader, Grader, TrainedAtomsGrader
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.diversity import FarthestPointSelector, LeverageSelector
from aiida_alpot.selection.graded import TAIL_K, TailSelector, UncertaintySelector, check_tail
from aiida_alpot.selection.maxvol_selection import ENTRY_THRESHOLD, SELECT_THRESHOLD, select
from aiida_alpot.selection.picking import (
    ALIKE_WITHIN,
    Picked,
    Selector,
    check_alike_within,
    check_limit,
    leave_out_alike,
    pick_in_order,
)

Rule = Literal["maxvol", "tail", "uncertainty", "farthest_points", "cur", "random"]
RULES: tuple[str, ...] = get_args(Rule)
GRADED = ("tail", "uncertainty")
"""Rules that need a grade of every candidate."""


@dataclass(frozen=True)
class RuleSettings:
    """How a rule selects; keys that a rule does not know are not looked at.

    Parameters
    ----------
    mode : {"neighborhood", "configuration"}
        What a row stands for (``maxvol``, ``farthest_points`` and grades of an active set).
    method : {"projected", "parity"}
        How active sets are chosen.
    threshold, entry : float or None
        Grades as for :func:`aiida_alpot.selection.select`, in the unit of the grader. If None, 2
        and 1.1 for ``maxvol`` and zero for the rules that go by grades.
    tail_k : float
        Where the tail begins, see :mod:`aiida_alpot.selection.graded`.
    tail_kind : {"rms", "variance"}
        What it is measured in.
    alike_within : float
        Largest difference of fingerprints of configurations that teach the same, A; to ``maxvol``
        only those within 0.005 A are, and to its method ``parity``, that of MLIP-2, none.

    Raises
    ------
    SettingError
        If a value is out of range.
    """

    mode: str = "neighborhood"
    method: str = "projected"
    threshold: float | None = None
    entry: float | None = None
    tail_k: float = TAIL_K
    tail_kind: str = "rms"
    alike_within: float = ALIKE_WITHIN

    def __post_init__(self) -> None:
        check_tail(self.tail_k, self.tail_kind)
        check_alike_within(self.alike_within)


@dataclass(frozen=True)
class MaxvolSelector:
    """Selects what enlarges the volume most; see :mod:`aiida_alpot.selection.maxvol_selection`."""

    potential: MomentTensorPotential
    training: Configurations
    settings: RuleSettings

    def select(
        self, candidates: Configurations, *, limit: int | None = None, rng: np.random.Generator
    ) -> Picked:
        """Select; see :class:`~aiida_alpot.selection.picking.Selector`."""
        threshold, entry = self.settings.threshold, self.settings.entry
        found = select(
            with_generic_coefficients(self.potential),
            candidates,
            training=self.training,
            mode=self.settings.mode,
            method=self.settings.method,
            threshold=SELECT_THRESHOLD if threshold is None else threshold,
            entry=ENTRY_THRESHOLD if entry is None else entry,
            limit=limit,
        )
        if self.settings.method == "parity":
            nothing = np.zeros(0, dtype=np.int64)
            return Picked(found.indices, found.over_limit, nothing, found.grades)
        return leave_out_alike(
            np.concatenate([found.indices, found.over_limit]),
            candidates,
            limit=limit,
            alike_within=self.settings.alike_within,
            grades=found.grades,
        )


@dataclass(frozen=True)
class RandomSelector:
    """Selects at random; the rule that every other one has to beat."""

    training: Configurations
    alike_within: float = ALIKE_WITHIN

    def select(
        self, candidates: Configurations, *, limit: int | None, rng: np.random.Generator
    ) -> Picked:
        """Select; see :class:`~aiida_alpot.selection.picking.Selector`."""
        check_limit(limit, needed_by="random")
        return pick_in_order(
            rng.permutation(len(candidates)).tolist(),
            candidates,
            known=self.training,
            limit=limit,
            alike_within=self.alike_within,
        )


def make_selector(
    rule: str,
    *,
    training: Configurations,
    potential: MomentTensorPotential | None = None,
    grader: Grader | None = None,
    settings: RuleSettings | None = None,
) -> Selector:
    """Return the rule of a name.

    Parameters
    ----------
    rule : str
        One of :data:`RULES`.
    training : Configurations
        What is known already, which may be nothing.
    potential : MomentTensorPotential, optional
        Whose rows are compared, trained or not; only ``random``, and the graded rules with a
        grader, do without one.
    grader : Grader, optional
        For ``tail`` and ``uncertainty``; that of the active set of potential and training set by
        default.
    settings : RuleSettings, optional
        How.

    Raises
    ------
    SettingError
        If there is no such rule, or it lacks a potential.
    """
    settings = settings or RuleSettings()
    if rule not in RULES:
        raise SettingError(f"Unknown rule of selection {rule!r}; allowed are {', '.join(RULES)}.")
    if rule == "random":
        return RandomSelector(training, settings.alike_within)
    if rule in GRADED and grader is not None:
        return _make_graded(rule, grader, training, settings)
    if potential is None:
        raise SettingError(f"The rule '{rule}' compares rows of a potential; give one.")
    if rule == "maxvol":
        return MaxvolSelector(potential, training, settings)
    if rule == "farthest_points":
        return FarthestPointSelector(potential, training, settings.mode, settings.alike_within)
    if rule == "cur":
        return LeverageSelector(potential, training, settings.alike_within)
    return _make_graded(rule, _grader_of(potential, training, settings), training, settings)


def _make_graded(
    rule: str, grader: Grader, training: Configurations, settings: RuleSettings
) -> Selector:
    threshold, alike_within = settings.threshold or 0.0, settings.alike_within
    if rule == "tail":
        k, kind = settings.tail_k, settings.tail_kind
        return TailSelector(grader, training, k, kind, threshold, alike_within)
    entry = threshold if settings.entry is None else settings.entry
    return UncertaintySelector(grader, training, threshold, entry, alike_within)


def _grader_of(
    potential: MomentTensorPotential, training: Configurations, settings: RuleSettings
) -> Grader:
    generic = with_generic_coefficients(potential)
    mode, method = settings.mode, settings.method
    if len(training):
        active_set = build_active_set(generic, training, mode=mode, method=method)
    else:
        active_set = empty_active_set(generic, mode=mode, method=method)
    return TrainedAtomsGrader(ExtrapolationGrader(generic, active_set))
