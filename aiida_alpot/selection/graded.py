# SPDX-License-Identifier: MIT
r"""The tail of the grades: candidates that stand out from all the others.

Of the logarithms of the grades gamma those are selected that exceed

    cut = median(ln gamma) + k m2

(Waters and Rondinelli, active barrier learning, k = 1.5). Their "second moment" m2 can be read in
two ways: ``rms``, the root of the mean square distance from the median, or ``variance``, that mean
square itself. Where the scatter of ln gamma is below one the variance is the smaller and keeps
more; of grades from a normal distribution of ln gamma the first keeps 6.7 %.

The cut moves with the candidates: something is always in the tail of a skewed distribution, also
where nothing extrapolates. A threshold that some grade must exceed guards against that.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.grader import Grader
from aiida_alpot.selection.picking import ALIKE_WITHIN, Picked, check_limit, pick_in_order

Array = np.ndarray
TailKind = Literal["rms", "variance"]
TAIL_KINDS: tuple[str, ...] = get_args(TailKind)
TAIL_K = 1.5
_SMALLEST_GRADE = 1e-300


class GradedSelector(ABC):
    """Selects candidates whose grade is above a cut, the largest first.

    Nothing is selected unless some grade exceeds ``threshold``.
    """

    grader: Grader
    training: Configurations
    threshold: float
    alike_within: float

    @abstractmethod
    def cut(self, grades: Array) -> float:
        """Return the grade above which candidates are selected."""

    def select(
        self, candidates: Configurations, *, limit: int | None = None, rng: np.random.Generator
    ) -> Picked:
        """Select; see :class:`~aiida_alpot.selection.picking.Selector`."""
        check_limit(limit)
        grades = self.grader.grade(candidates).per_configuration
        order = np.zeros(0, dtype=np.int64)
        if grades.max(initial=0.0) > self.threshold:
            order = np.argsort(-grades, kind="stable")
            order = order[grades[order] > self.cut(grades)]
        return pick_in_order(
            order.tolist(),
            candidates,
            known=self.training,
            limit=limit,
            alike_within=self.alike_within,
            grades=grades,
        )


@dataclass(frozen=True)
class TailSelector(GradedSelector):
    """Selects the tail of ln(grade), the largest grade first.

    Parameters
    ----------
    grader : Grader
        Of whole configurations.
    training : Configurations
        What is known already and not selected again.
    tail_k : float
        k of the module, >= 0.
    tail_kind : {"rms", "variance"}
        What m2 is.
    threshold : float
        Grade that some candidate must exceed for anything to be selected.
    alike_within : float
        See :func:`~aiida_alpot.selection.picking.pick_in_order`.
    """

    grader: Grader
    training: Configurations
    tail_k: float = TAIL_K
    tail_kind: str = "rms"
    threshold: float = 0.0
    alike_within: float = ALIKE_WITHIN

    def cut(self, grades: Array) -> float:
        """Return where the tail begins."""
        return tail_cut(grades, k=self.tail_k, kind=self.tail_kind)


@dataclass(frozen=True)
class UncertaintySelector(GradedSelector):
    """Selects the largest grades, those of a committee for instance.

    Parameters
    ----------
    grader : Grader
        Of whole configurations.
    training : Configurations
        What is known already and not selected again.
    threshold, entry : float
        Some candidate must exceed the first for anything to be selected; those above the second
        are then (the first itself if that is smaller). With zeros the rule is "the top n".
    alike_within : float
        See :func:`~aiida_alpot.selection.picking.pick_in_order`.
    """

    grader: Grader
    training: Configurations
    threshold: float = 0.0
    entry: float = 0.0
    alike_within: float = ALIKE_WITHIN

    def cut(self, grades: Array) -> float:
        """Return the smaller of both thresholds."""
        return min(self.entry, self.threshold)


def tail_cut(grades: Array, *, k: float = TAIL_K, kind: str = "rms") -> float:
    """Return the grade where the tail begins.

    Parameters
    ----------
    grades : (n,) float64
        Of candidates, >= 0; zero counts as very small.
    k : float
        How many second moments above the median, >= 0.
    kind : {"rms", "variance"}
        See the module.

    Raises
    ------
    SettingError
        If ``k`` is negative or there is no such kind.

    Examples
    --------
    >>> round(tail_cut(np.exp([0.0, 0.0, 0.0, 2.0]), k=1.0), 3)  # m2 = 1
    2.718
    """
    check_tail(k, kind)
    if len(grades) == 0:
        return float("inf")
    logarithms = np.log(np.maximum(grades, _SMALLEST_GRADE))
    median = np.median(logarithms)
    moment = np.mean((logarithms - median) ** 2)
    return float(np.exp(median + k * (np.sqrt(moment) if kind == "rms" else moment)))


def check_tail(k: float, kind: str) -> None:
    """Raise SettingError for a tail that there is not."""
    if not 0.0 <= k < np.inf:
        raise SettingError(f"tail_k is {k:g}; give zero or a positive number, such as 1.5.")
    if kind not in TAIL_KINDS:
        raise SettingError(f"Unknown tail_kind {kind!r}; allowed are {', '.join(TAIL_KINDS)}.")
