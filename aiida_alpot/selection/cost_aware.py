# SPDX-License-Identifier: MIT
r"""Small cells first where they teach as much: information gained per unit of cost.

The information in a label is the gain of log |det A|, the volume that the active rows span
(D-optimality: for linear regression it is the gain of information about the parameters, Fedorov,
Theory of Optimal Experiments (1972)). A greedy choice by gain over cost is the usual answer to
choosing under a budget, with a bound where gains diminish as more is known (Krause and Guestrin,
CMU-CALD-05-103 (2005)). Those of MAXVOL do so nearly, not strictly: the bound is a motive here and
no proof.

Three steps: (1) A set after which nothing extrapolates is taken greedily; the one that was chosen
without costs competes. What either can spare is left out, the most expensive first, and the cheaper
set must be bought. (2) Further candidates that lie outside what is known follow while they gain as
much for their cost as the least worthy of what must be bought, and while all together costs no more
than what was chosen without costs. (3) Each part is ordered by gain over cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import ActiveSet, CandidateRows, extend_active_set
from aiida_alpot.grading.force_rows import iterate_label_rows
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.maxvol import SWAP_THRESHOLD
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
MAX_ROUNDS = 50
MOST_SPARED = 64
"""How many of the most expensive ones are tried to be left out."""


@dataclass(frozen=True)
class Chosen:
    """Candidates in the order in which they were chosen, and the active set that holds them."""

    indices: list[int]
    gains: list[float]
    active_set: ActiveSet


def check_costs(costs: Array, n_candidates: int) -> Array:
    """Return the costs of the candidates as floats.

    Raises
    ------
    SettingError
        Unless there is one for each candidate, finite and above zero.
    """
    costs = np.asarray(costs, dtype=np.float64)
    if costs.shape != (n_candidates,):
        raise SettingError(
            f"{costs.size} costs were given for {n_candidates} candidates; give one for each."
        )
    if not (np.isfinite(costs) & (costs > 0.0)).all():
        raise SettingError("The cost of a candidate must be a finite number above zero.")
    return costs


def volume_gain(coefficients: Array) -> float:
    r"""Return the gain of log |det A| when all rows of a configuration compete for its places.

    The exchanges of MAXVOL carried out on C = B A^-1 alone, without the matrix:
    each multiplies \|det A\| by its largest \|C_ij\|.

    Parameters
    ----------
    coefficients : (m, rank) float64
        C, the coordinates of the rows times the inverse; not changed.

    Examples
    --------
    Rows that are twice and three times as long as the active ones:

    >>> round(float(np.exp(volume_gain(np.diag([2.0, 3.0])))), 12)
    6.0
    """
    pool = np.array(coefficients, dtype=np.float64)
    gain = 0.0
    # the volume grows each time; the bound is for coefficients that rounding has spoilt
    for _ in range(4 * pool.size):
        i, place = np.unravel_index(int(np.abs(pool).argmax()), pool.shape)
        pivot = pool[i, place]
        if not abs(pivot) > SWAP_THRESHOLD:
            break
        gain += float(np.log(abs(pivot)))
        column, row = pool[:, place].copy(), pool[i].copy()
        column[i] += 1.0
        row[place] -= 1.0
        pool -= np.outer(column, row / pivot)
    return gain


def choose_by_cost(
    start: ActiveSet,
    potential: MomentTensorPotential,
    training: Configurations,
    candidates: Configurations,
    *,
    costs: Array,
    threshold: float,
    entry: float,
    rival: Sequence[int],
) -> Chosen:
    """Choose candidates by gain over cost, so that none extrapolates any more; see the module.

    Parameters
    ----------
    start : ActiveSet
        Of the training set.
    potential : MomentTensorPotential
        Where energies are linearised.
    training, candidates : Configurations
        Labels are not looked at.
    costs : (n_candidates,) float64
        In any unit.
    threshold : float
        Grade above which a candidate extrapolates, >= 1.
    entry : float
        Grade above which a label may be worth its cost in a turn that extrapolates.
    rival : sequence of int
        Candidates that were chosen for the same end whatever they cost.

    Returns
    -------
    Chosen
        They cost no more than the rival. What must be bought comes first.
    """
    pool = _Pool(start, potential, training, candidates, costs, threshold)
    sets = [pool.spare(chosen) for chosen in (pool.cover(), list(rival))]
    needed = pool.order(min(sets, key=lambda chosen: costs[chosen].sum()), start)
    return pool.add_worthy(needed, entry=entry, most=float(costs[list(rival)].sum()))


def rows_of_each(
    active_set: ActiveSet, potential: MomentTensorPotential, configurations: Configurations
) -> list[Array]:
    """Return the coordinates of the rows of each configuration, one array for each."""
    rows: list[Array] = []
    for block in iterate_label_rows(potential, configurations, mode=active_set.mode):
        coordinates = active_set.coordinates(block.rows)
        first = np.flatnonzero(np.diff(block.configuration, prepend=-1))
        rows.extend(np.split(coordinates, first[1:]))
    return rows


@dataclass(frozen=True)
class _Pool:
    """Candidates with what decides about them."""

    start: ActiveSet
    potential: MomentTensorPotential
    training: Configurations
    candidates: Configurations
    costs: Array
    threshold: float

    @cached_property
    def rows(self) -> CandidateRows:
        return CandidateRows(self.start, self.potential, self.candidates)

    @cached_property
    def training_rows(self) -> CandidateRows:
        return CandidateRows(self.start, self.potential, self.training)

    def cover(self) -> list[int]:
        """Take candidates by gain over cost, of equal ones the first, until none extrapolates.

        What was taken may push a training row out or let another candidate stand out, so that
        training rows compete for their places again, and grades are taken again.
        """
        taken: list[int] = []
        current = self.start
        eligible = self._new_ones()
        for _ in range(MAX_ROUNDS):
            grader = ExtrapolationGrader(self.potential, current)
            grades = grader.grade(self.candidates).per_configuration
            near = np.flatnonzero(eligible & (grades > self.threshold))
            more, current = self._take(near, current, self.threshold)
            if not more:
                break
            eligible[more] = False
            taken += more
            current = extend_active_set(current, self.potential, self.training_rows).active_set
        return taken

    def spare(self, chosen: list[int]) -> list[int]:
        """Leave out, the most expensive ones first, what the others make superfluous."""
        kept = list(chosen)
        if not self._is_covered_by(kept):
            return kept
        # of equal cost those that were taken last, which gained least
        latest_first = np.array(chosen[::-1], dtype=np.int64)
        order = latest_first[np.argsort(-self.costs[latest_first], kind="stable")]
        for index in order[:MOST_SPARED].tolist():
            others = [one for one in kept if one != index]
            if self._is_covered_by(others):
                kept = others
        return kept

    def add_worthy(self, needed: Chosen, *, entry: float, most: float) -> Chosen:
        """Add what lies above ``entry`` and is as worthy as what is needed, up to a total cost."""
        pairs = zip(needed.indices, needed.gains, strict=True)
        least = min((gain / self.costs[index] for index, gain in pairs), default=np.inf)
        grader = ExtrapolationGrader(self.potential, needed.active_set)
        grades = grader.grade(self.candidates).per_configuration
        eligible = self._new_ones()
        eligible[needed.indices] = False
        near = np.flatnonzero(eligible & (grades > entry))
        room = most - float(self.costs[needed.indices].sum())
        more, _ = self._take(near, needed.active_set, entry, least=least, room=room)
        added = self.order(more, needed.active_set)
        final = self._active_set_with(needed.indices + added.indices)
        return Chosen(needed.indices + added.indices, needed.gains + added.gains, final)

    def order(self, chosen: list[int], start: ActiveSet) -> Chosen:
        """Bring them into the order of gain over cost, each after ``start`` and those before it."""
        rows = rows_of_each(self.start, self.potential, self.candidates.select(chosen))
        current, log_det = start, start.log_det
        indices: list[int] = []
        gains: list[float] = []
        left = list(range(len(chosen)))
        while left:
            worth = [volume_gain(rows[k] @ current.inverse) / self.costs[chosen[k]] for k in left]
            index = chosen[left.pop(int(np.argmax(worth)))]
            one = self.candidates.select([index])
            extension = extend_active_set(current, self.potential, one)
            indices.append(index)
            gains.append(extension.maxvol.log_det - log_det)
            current, log_det = extension.active_set, extension.maxvol.log_det
        return Chosen(indices, gains, current)

    def _new_ones(self) -> Array:
        """Return which candidates are not known, and do not stand before."""
        known, new = set(self.training.hashes()), np.zeros(len(self.candidates), dtype=bool)
        for index, digest in enumerate(self.candidates.hashes()):
            new[index] = digest not in known
            known.add(digest)
        return new

    def _take(
        self,
        near: Array,
        current: ActiveSet,
        threshold: float,
        *,
        least: float = 0.0,
        room: float = np.inf,
    ) -> tuple[list[int], ActiveSet]:
        """Take from ``near`` by gain over cost, while anything of it is above the threshold.

        Nothing is taken that gains less than ``least`` for its cost or costs more than the room
        that is left. What is taken brings the others nearer, so their last known gains are treated
        as upper bounds and computed anew only for the front runner.
        """
        rows = rows_of_each(self.start, self.potential, self.candidates.select(near))
        costs = self.costs[near]
        pairs = zip(rows, costs, strict=True)
        worth = np.array([_worth(one, current, cost, threshold) for one, cost in pairs])
        taken: list[int] = []
        while worth.max(initial=-np.inf) >= least:
            best = int(np.argmax(worth))
            worth[best] = _worth(rows[best], current, costs[best], threshold)
            if costs[best] > room:
                worth[best] = -np.inf
            if worth[best] < max(worth.max(), least):
                continue
            one = self.candidates.select([int(near[best])])
            current = extend_active_set(current, self.potential, one).active_set
            taken.append(int(near[best]))
            room -= costs[best]
            worth[best] = -np.inf
        return taken, current

    def _active_set_with(self, chosen: list[int]) -> ActiveSet:
        """Return the active set of the training set and these candidates."""
        current = self.start
        entrants = CandidateRows(self.start, self.potential, self.candidates.select(chosen))
        for _ in range(MAX_ROUNDS):
            extensions = extend_active_set(current, self.potential, entrants)
            current = extensions.active_set
            back = extend_active_set(current, self.potential, self.training_rows)
            current = back.active_set
            if extensions.maxvol.n_swaps == 0 or back.maxvol.n_swaps == 0:
                break
        return current

    def _is_covered_by(self, chosen: list[int]) -> bool:
        """Return whether no candidate extrapolates once these are known."""
        inverse = self._active_set_with(chosen).inverse
        limit = self.threshold * (1.0 + 1e-9)
        return all(
            np.abs(block @ inverse).max(initial=0.0) <= limit for block in self.rows.blocks()
        )


def _worth(rows: Array, active_set: ActiveSet, cost: float, threshold: float) -> float:
    """Return the gain over the cost, minus infinity where no row is above the threshold."""
    coefficients = rows @ active_set.inverse
    if not np.abs(coefficients).max(initial=0.0) > threshold:
        return -np.inf
    return volume_gain(coefficients) / cost
