# SPDX-License-Identifier: MIT
"""What an uncertainty is worth: predicted deviations against the errors that labels then showed.

A deviation sigma_i was recorded for every atom of a frame before the frame was labelled; the label
tells the error e_i = |F_i(predicted) - F_i(label)|. If errors are in proportion, e_i < k sigma_i
for most atoms with one factor k, and a target error t becomes a threshold t / k of sigma.

The factor is the quantile of e/sigma at a confidence (split conformal prediction; Lei, G'Sell,
Rinaldo, Tibshirani and Wasserman, J. Am. Stat. Assoc. 113, 1094 (2018)), which supposes no
distribution. Only the more uncertain half of the atoms counts: where sigma is small, what remains
is the error that all members of a committee share, which says nothing of larger ones. The same can
be done with extrapolation grades, whose factor has a unit then; whether errors grow with a measure
at all is told by the rank correlation.

What is kept is a histogram over (log sigma, log e/sigma): plain numbers, which add up over turns.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import NORMAL_99

Array = np.ndarray
CONFIDENCE = 0.99
FEWEST = 30
"""With fewer atoms of the more uncertain half the factor stays what it is for normal errors."""
DEVIATION_BINS = 10
RATIO_BINS = 50
"""Bins to a decade: deviations are told within 12 %, ratios within 2.3 %."""
_SMALLEST, _LARGEST = 1e-9, 1e9


class ReliabilityPoint(NamedTuple):
    """Atoms of about the same deviation."""

    deviation: float
    """Root mean square, as the deviation was recorded."""
    error: float
    """Root mean square of the errors that were found, eV/A."""
    n_atoms: int


@dataclass(frozen=True)
class Calibration:
    """How errors went with deviations.

    Parameters
    ----------
    counts : mapping of (int, int) to int
        Atoms by bin of the deviation and of the ratio of error and deviation.
    """

    counts: Mapping[tuple[int, int], int] = field(default_factory=dict)

    @classmethod
    def of(cls, deviations: Array, errors: Array) -> Calibration:
        """Count atoms.

        Parameters
        ----------
        deviations : (n_atoms,) float64
            Recorded before the labels were known; atoms with none at all are left out.
        errors : (n_atoms,) float64
            Length of the difference of forces, eV/A; NaN where there is no label.

        Raises
        ------
        SettingError
            If there are not as many of one as of the other.
        """
        if deviations.shape != errors.shape:
            raise SettingError(
                f"{len(deviations)} deviations do not go with {len(errors)} errors; give both for "
                "the same atoms."
            )
        known = (deviations > 0.0) & np.isfinite(deviations) & np.isfinite(errors)
        sigma = np.clip(deviations[known], _SMALLEST, _LARGEST)
        ratio = np.clip(errors[known] / sigma, _SMALLEST, _LARGEST)
        places = zip(
            np.floor(np.log10(sigma) * DEVIATION_BINS).astype(int).tolist(),
            np.floor(np.log10(ratio) * RATIO_BINS).astype(int).tolist(),
            strict=True,
        )
        return cls(Counter(places))

    @classmethod
    def from_rows(cls, rows: Iterable[Sequence[int]]) -> Calibration:
        """Return what :meth:`as_rows` told."""
        return cls({(int(row[0]), int(row[1])): int(row[2]) for row in rows})

    def as_rows(self) -> list[list[int]]:
        """Return bins and counts as plain numbers, in order."""
        return [[*place, count] for place, count in sorted(self.counts.items())]

    def __add__(self, other: Calibration) -> Calibration:
        """Return the atoms of both."""
        return Calibration(Counter(self.counts) + Counter(other.counts))

    @property
    def n_atoms(self) -> int:
        """Number of atoms."""
        return sum(self.counts.values())

    def factor(self, confidence: float = CONFIDENCE) -> float:
        """Return k, so that e < k sigma for a share ``confidence`` of the uncertain half of atoms.

        2.58 as long as there are fewer than 30 of them.

        Raises
        ------
        SettingError
            If the confidence is not between 0 and 1.
        """
        if not 0.0 < confidence < 1.0:
            raise SettingError(f"The confidence is {confidence!r}; it must be between 0 and 1.")
        half = self._uncertain_half()
        n = int(half[:, 1].sum())
        if n < FEWEST:
            return NORMAL_99
        half = half[np.argsort(half[:, 0], kind="stable")]
        # the quantile of n + 1 numbers, so that the next one is covered with the confidence
        needed = min(math.ceil(confidence * (n + 1)), n)
        place = int(np.searchsorted(np.cumsum(half[:, 1]), needed))
        return float(10.0 ** ((half[place, 0] + 1) / RATIO_BINS))

    def threshold(self, target_error: float, confidence: float = CONFIDENCE) -> float:
        """Return the deviation below which errors are below a target, in units of deviations."""
        return target_error / self.factor(confidence)

    def coverage(self, factor: float) -> float:
        """Return the share of atoms with e < factor sigma; NaN where there are none."""
        if not self.n_atoms:
            return math.nan
        limit = math.log10(factor) * RATIO_BINS
        # a bin that the limit lies in counts by the part below it
        within = sum(
            count * min(max(limit - ratio, 0.0), 1.0) for (_, ratio), count in self.counts.items()
        )
        return within / self.n_atoms

    def curve(self) -> list[ReliabilityPoint]:
        """Return the errors that were found by deviation, smallest deviation first."""
        points = []
        for one in sorted({deviation for deviation, _ in self.counts}):
            rows = [(ratio, n) for (deviation, ratio), n in self.counts.items() if deviation == one]
            n = sum(count for _, count in rows)
            sigma = 10.0 ** ((one + 0.5) / DEVIATION_BINS)
            squares = sum(10.0 ** (2.0 * (ratio + 0.5) / RATIO_BINS) * n for ratio, n in rows)
            points.append(ReliabilityPoint(sigma, sigma * math.sqrt(squares / n), n))
        return points

    def rank_correlation(self) -> float:
        """Return Spearman's correlation of deviations and errors; NaN with fewer than three atoms.

        Atoms of one bin have one rank.
        """
        if self.n_atoms < 3:
            return math.nan
        places = np.array(list(self.counts), dtype=float)
        weights = np.array(list(self.counts.values()), dtype=float)
        error = places[:, 0] / DEVIATION_BINS + places[:, 1] / RATIO_BINS
        one, other = _ranks(places[:, 0], weights), _ranks(error, weights)
        spread = _covariance(one, one, weights) * _covariance(other, other, weights)
        if spread <= 0.0:
            return math.nan
        return float(_covariance(one, other, weights) / math.sqrt(spread))

    def _uncertain_half(self) -> Array:
        """Return (n, 2): ratio and count of the bins of the more uncertain half of the atoms."""
        rows = np.array(self.as_rows(), dtype=np.int64).reshape(-1, 3)[::-1]
        if not len(rows):
            return rows[:, 1:]
        above = np.cumsum(rows[:, 2])
        median = rows[np.searchsorted(above, (above[-1] + 1) // 2), 0]
        return rows[rows[:, 0] >= median, 1:]


def _ranks(values: Array, weights: Array) -> Array:
    """Return the mean rank of each value among all, each counted by its weight."""
    distinct, inverse = np.unique(values, return_inverse=True)
    counts = np.bincount(inverse, weights=weights, minlength=len(distinct))
    ranks: Array = (np.cumsum(counts) - counts / 2.0)[inverse]
    return ranks


def _covariance(one: Array, other: Array, weights: Array) -> float:
    share = weights / weights.sum()
    return float((share * (one - share @ one) * (other - share @ other)).sum())


class Thresholds(NamedTuple):
    """Deviations of forces at which a campaign acts, eV/A."""

    entry: float
    """Frames above it are candidates in a turn that extrapolates."""
    select: float
    """A turn with a frame above it extrapolates."""
    largest: float
    """A chain stops there."""


def thresholds_for(target_error: float, calibration: Calibration) -> Thresholds:
    """Return the thresholds with which errors of forces stay below a target, eV/A.

    A turn extrapolates where 99 % of the errors are no longer bound by the target; candidates begin
    at half of that, and chains stop at five times of it, as with the thresholds of the defaults.
    """
    select = calibration.threshold(target_error)
    return Thresholds(entry=0.5 * select, select=select, largest=5.0 * select)
