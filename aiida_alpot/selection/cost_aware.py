# SPDX-License-Identifier: MIT
r"""Small cells first where they teach as much: information gained per unit of cost.

The information in a label is the gain of log |det A|, the volume that the active rows span
(D-optimality: for linear regression it is the gain of information about the parameters, Fedorov,
Theory of Optimal Experiments (1972)). A greedy choice by gain over cost is the usual answer to
choosing under a budget, with a bound where gains diminish as more is known (Krause and Guestrin,
CMU-CALD-05-103 (2005)). Those of MAXVOL do so nearly, not strictly: the bound is a motive here and
no proof. So the set that was chosen without costs competes too, what either set can spare is left
out, the most expensive first, and the cheaper one is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import ActiveSet, CandidateRows, extend_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.maxvol import SWAP_THRESHOLD
from aiida_alpot.grading.rows import iterate_rows
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
    rival: Sequence[int],
) -> Chosen:
    """Choose candidates so that none extrapolates any more, by gain over cost.

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
    rival : sequence of int
        Candidates that were chosen for the same end whatever they cost.

    Returns
    -------
    Chosen
        They cost no more than the rival. Next comes whichever gains most for its cost.
    """
    pool = _Pool(start, potential, training, candidates, costs, threshold)
    sets = [pool.spare(chosen) for chosen in (pool.cover(), list(rival))]
    return pool.order(min(sets, key=lambda chosen: costs[chosen].sum()))


def rows_of_each(
    active_set: ActiveSet, potential: MomentTensorPotential, configurations: Configurations
) -> list[Array]:
    """Return the coordinates of the rows of each configuration, one array for each."""
    rows: list[Array] = []
    for block in iterate_rows(potential, configurations, mode=active_set.mode):
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
            more, current = self._take(near, current)
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

    def order(self, chosen: list[int]) -> Chosen:
        """Bring them into the order of gain over cost, each after those before it."""
        rows = rows_of_each(self.start, self.potential, self.candidates.select(chosen))
        current, log_det = self.start, self.start.log_det
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
        return Chosen(indices, gains, self._active_set_with(indices))

    def _new_ones(self) -> Array:
        """Return which candidates are not known, and do not stand before."""
        known, new = set(self.training.hashes()), np.zeros(len(self.candidates), dtype=bool)
        for index, digest in enumerate(self.candidates.hashes()):
            new[index] = digest not in known
            known.add(digest)
        return new

    def _take(self, near: Array, current: ActiveSet) -> tuple[list[int], ActiveSet]:
        """Take from ``near`` by gain over cost, while anything of it extrapolates.

        What is taken brings the others nearer, so their last known gains are treated as upper
        bounds and computed anew only for the front runner.
        """
        rows = rows_of_each(self.start, self.potential, self.candidates.select(near))
        worth = np.array(
            [self._worth(one, current, self.costs[k]) for one, k in zip(rows, near, strict=True)]
        )
        taken: list[int] = []
        while np.isfinite(worth.max(initial=-np.inf)):
            best = int(np.argmax(worth))
            worth[best] = self._worth(rows[best], current, self.costs[near[best]])
            if worth[best] < worth.max() or not np.isfinite(worth[best]):
                continue
            one = self.candidates.select([int(near[best])])
            current = extend_active_set(current, self.potential, one).active_set
            taken.append(int(near[best]))
            worth[best] = -np.inf
        return taken, current

    def _worth(self, rows: Array, active_set: ActiveSet, cost: float) -> float:
        """Return the gain over the cost, minus infinity where nothing extrapolates."""
        coefficients = rows @ active_set.inverse
        if not np.abs(coefficients).max(initial=0.0) > self.threshold:
            return -np.inf
        return volume_gain(coefficients) / cost

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
