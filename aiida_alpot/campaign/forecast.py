# SPDX-License-Identifier: MIT
"""What labels will cost, from what similar cells have cost.

The core-seconds ``t`` of a label follow a power law of the work ``w`` (atoms x k-points) with
log-normal scatter, log t = a + b log w + e. The exponent is not known beforehand, and a few labels
of one size cannot tell it, so both coefficients are estimated by Bayesian linear regression with
the conjugate normal-inverse-gamma prior (Gelman et al., Bayesian Data Analysis, 3rd ed., section
14.2 and 14.8): b is 2 +- 1, which covers what codes of DFT do (1 to 3), a is left open. The
prediction for a new size is a Student t distribution in log t, wide where nothing similar is known.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

EXPONENT, EXPONENT_SPREAD = 2.0, 1.0
_INTERCEPT_SPREAD = 100.0
_SCATTER, _SCATTER_WEIGHT = 0.3, 2.0
"""Scatter of log t expected beforehand, and for how many labels that guess counts."""
Array = np.ndarray


@dataclass(frozen=True)
class CostEstimate:
    """Core-seconds that something will cost.

    Parameters
    ----------
    middle : float
        The expected value, s.
    low, high : float
        Ends of the 68 % interval, s.
    """

    middle: float
    low: float
    high: float

    def __add__(self, other: CostEstimate) -> CostEstimate:
        """Add independent estimates; their spreads add as squares."""
        middle = self.middle + other.middle
        below = math.hypot(self.middle - self.low, other.middle - other.low)
        above = math.hypot(self.high - self.middle, other.high - other.middle)
        return CostEstimate(middle, max(0.0, middle - below), middle + above)


@dataclass(frozen=True)
class CostLaw:
    """A power law of what a label costs, with what is uncertain about it.

    Parameters
    ----------
    mean : (2,) float64
        Of log t at the reference work, and of the exponent.
    covariance : (2, 2) float64
        Theirs, in units of the squared scatter.
    scatter : float
        Of log t about the law.
    degrees : float
        Degrees of freedom of the scatter.
    reference : float
        Work at which the first coefficient stands.
    n_labels : int
        Labels it was fitted to.
    """

    mean: Array
    covariance: Array
    scatter: float
    degrees: float
    reference: float
    n_labels: int

    def as_dict(self) -> dict[str, Any]:
        """Return the law as plain JSON."""
        return {
            "mean": self.mean.tolist(),
            "covariance": self.covariance.tolist(),
            "scatter": self.scatter,
            "degrees": self.degrees,
            "reference": self.reference,
            "n_labels": self.n_labels,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> CostLaw:
        """Return the law that :meth:`as_dict` described."""
        arrays = {name: np.array(content[name]) for name in ("mean", "covariance")}
        return cls(**{**content, **arrays})

    @property
    def exponent(self) -> float:
        """Power of the work with which the cost grows."""
        return float(self.mean[1])

    @property
    def exponent_spread(self) -> float:
        """Standard deviation of the exponent."""
        return self.scatter * float(np.sqrt(self.covariance[1, 1]))

    def spread(self, work: float) -> float:
        """Return the standard deviation of log t of one label with so much work."""
        row = np.array([1.0, math.log(work / self.reference)])
        return self.scatter * math.sqrt(1.0 + float(row @ self.covariance @ row))

    def estimate(self, works: Sequence[float]) -> CostEstimate:
        """Return what labels of these sizes cost together.

        What the law itself leaves open is common to all of them and does not average out; the
        scatter about it does.
        """
        if not len(works):
            return CostEstimate(0.0, 0.0, 0.0)
        logs = np.log(np.asarray(works, dtype=float) / self.reference)
        rows = np.column_stack([np.ones_like(logs), logs])
        scatter = self.scatter**2
        # means of log-normal values; a cap keeps what is known of nothing from overflowing
        singles = np.exp(np.minimum(rows @ self.mean + 0.5 * scatter, 600.0))
        total = float(singles.sum())
        weights = singles / total
        common = scatter * float((weights @ rows) @ self.covariance @ (weights @ rows))
        own = math.log1p(float((weights**2).sum()) * math.expm1(min(scatter, 50.0)))
        sigma = min(math.sqrt(common + own), 30.0)
        middle = total * math.exp(-0.5 * own)  # the median of a log-normal lies below its mean
        reach = sigma * _reach_of_68_percent(self.degrees)
        return CostEstimate(total, middle * math.exp(-reach), middle * math.exp(reach))


def _reach_of_68_percent(degrees: float) -> float:
    """Return how many scales of a Student t distribution hold 68 % on both sides together."""
    from scipy.stats import t

    return float(t.ppf(0.8413, degrees))


def fit_cost_law(works: Iterable[float], core_seconds: Iterable[float]) -> CostLaw | None:
    """Return the law by which labels have cost what they did, None if there is no label.

    Parameters
    ----------
    works : iterable of float
        Atoms x k-points of each label.
    core_seconds : iterable of float
        What each cost, s; labels without a positive cost or work say nothing and are left out.
    """
    pairs = [(w, t) for w, t in zip(works, core_seconds, strict=True) if w > 0 and t > 0]
    if not pairs:
        return None
    logs = np.log(np.array(pairs, dtype=float))
    middle = float(logs[:, 0].mean())
    rows = np.column_stack([np.ones(len(logs)), logs[:, 0] - middle])
    values = logs[:, 1]
    prior = np.array([float(values.mean()), EXPONENT])
    # the spreads of the prior are absolute, those of the posterior count in units of the scatter
    precision = np.diag([_SCATTER**2 / _INTERCEPT_SPREAD**2, _SCATTER**2 / EXPONENT_SPREAD**2])
    covariance = np.linalg.inv(precision + rows.T @ rows)
    mean = covariance @ (precision @ prior + rows.T @ values)
    residual = values - rows @ mean
    misfit = float(residual @ residual + (mean - prior) @ precision @ (mean - prior))
    degrees = _SCATTER_WEIGHT + len(values)
    scatter = math.sqrt((_SCATTER_WEIGHT * _SCATTER**2 + misfit) / degrees)
    return CostLaw(mean, covariance, scatter, degrees, math.exp(middle), len(values))


def costs_of_labels(
    works: Sequence[float], law: CostLaw | None, *, exponent: float | None = None
) -> list[float]:
    """Return what each label costs in relation to the cheapest one.

    Parameters
    ----------
    works : sequence of float
        Atoms x k-points of each label.
    law : CostLaw or None
        What labels have cost so far, None where nothing is known of them yet.
    exponent : float, optional
        Power of the work that is taken to hold, in place of that of the law.

    Examples
    --------
    >>> costs_of_labels([8, 16, 8], None)
    [1.0, 4.0, 1.0]
    """
    power = exponent_of_costs(law, exponent)
    least = min(works, default=1)
    return [float((work / least) ** power) for work in works]


def exponent_of_costs(law: CostLaw | None, exponent: float | None = None) -> float:
    """Return the power of the work by which costs are compared; arguments as above.

    That of the law is rounded to steps of 0.5, so that timings that scatter do not make a repeated
    campaign select otherwise.
    """
    if exponent is not None:
        return exponent
    return EXPONENT if law is None else max(round(2.0 * law.exponent) / 2.0, 0.0)


def shown_core_time(core_seconds: float) -> str:
    """Return a cost as people read it: core-hours, or core-seconds where there are few.

    Examples
    --------
    >>> shown_core_time(11520.0), shown_core_time(42.0)
    ('3.2 core-hours', '42 core-seconds')
    """
    if core_seconds < 360:
        return (
            f"{core_seconds:.2g} core-seconds"
            if core_seconds < 10
            else f"{core_seconds:.0f} core-seconds"
        )
    hours = f"{core_seconds / 3600:.3g}"
    return f"{hours} core-hour" + ("" if hours == "1" else "s")


def affordable_labels(law: CostLaw, works: Sequence[float], core_seconds: float) -> int:
    """Return how many labels of these sizes, the first ones first, fit into what is left.

    The upper end of the forecast counts, so that a budget is rather kept than broken.
    """
    low, high = 0, len(works)
    while low < high:
        middle = (low + high + 1) // 2
        if law.estimate(works[:middle]).high <= core_seconds:
            low = middle
        else:
            high = middle - 1
    return low
