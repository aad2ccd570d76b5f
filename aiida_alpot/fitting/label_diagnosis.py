# SPDX-License-Identifier: MIT
"""What labels leave open after a fit, and which of them do not go with the others, in words.

The rank of the labels is that of J^T J at the potential that was fitted. Dependences that any data
have are no fault of these, so that it is compared with the rank of random environments.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from aiida_alpot.configurations import Configurations, name_in_messages
from aiida_alpot.fitting.diagnosis import FitWarning, count_of
from aiida_alpot.fitting.outliers import HUGE_FORCE, Outlier
from aiida_alpot.fitting.weighting import largest_forces

Array = np.ndarray
SHORTFALL = 0.9
"""Share of the independent directions of the parameters that labels should determine."""
RANK_TOLERANCE = 1e-14
"""Eigenvalues of the scaled normal equations below this, relative to the largest, are rounding."""
_NAMED = 5


def warn_about_rank(
    matrix: Array, *, n_directions: int, n_labels: int, frozen: Array | None = None
) -> list[FitWarning]:
    """Return a warning if the labels leave much of the parameters undetermined.

    Parameters
    ----------
    matrix : (n_parameters, n_parameters) float64
        J^T J of all labels at the potential that was fitted, without restraints.
    n_directions : int
        Number of directions that any labels could determine, see
        :func:`aiida_alpot.grading.structural_rank`.
    n_labels : int
        Number of labels.
    frozen : (n_parameters,) bool, optional
        Parameters that were not fitted.
    """
    free = np.ones(len(matrix), dtype=bool) if frozen is None else ~frozen
    rank = numerical_rank(matrix[np.ix_(free, free)])
    wanted = min(n_directions, int(free.sum()))
    if rank >= SHORTFALL * wanted:
        return []
    return [
        FitWarning(
            "rank",
            f"the {n_labels} labels determine {rank} of the {wanted} independent directions of the "
            "parameters; along the others the potential is what the start and the regularisation "
            "make it. Add different structures, or take a lower level",
        )
    ]


def numerical_rank(matrix: Array) -> int:
    """Return the rank of positive semidefinite equations after scaling to a unit diagonal."""
    diagonal = np.diag(matrix)
    used = np.flatnonzero(diagonal > 0.0)
    if not len(used) or not np.isfinite(matrix).all():
        return 0
    scale = 1.0 / np.sqrt(diagonal[used])
    values = np.linalg.eigvalsh(matrix[np.ix_(used, used)] * np.outer(scale, scale))
    return int((values > RANK_TOLERANCE * values[-1]).sum())


def warn_about_outliers(
    outliers: Sequence[Outlier], *, is_robust: bool = False
) -> list[FitWarning]:
    """Return one warning that names the configurations of labels that do not go with the others.

    Parameters
    ----------
    outliers : sequence of Outlier
        The worst first.
    is_robust : bool
        Whether the fit was robust, so that they did no harm.
    """
    if not outliers:
        return []
    reasons: dict[int, list[str]] = defaultdict(list)
    identifiers: dict[int, str] = {}
    for outlier in outliers:
        reasons[outlier.configuration].append(outlier.reason)
        identifiers[outlier.configuration] = outlier.identifier
    shown = [
        f"configuration {name_in_messages(index, identifiers[index])}: {reasons[index][0]}"
        for index in list(reasons)[:_NAMED]
    ]
    more = len(reasons) - len(shown)
    return [
        FitWarning(
            "outliers",
            f"{count_of(len(reasons), 'configuration')} with labels that do not go with the "
            "others; "
            + "; ".join(shown)
            + (f"; and {more} more" if more else "")
            + ". Look at these calculations"
            + (
                "; the robust loss has all but ignored them"
                if is_robust
                else "; take them out, or use the robust loss"
            ),
            tuple(identifiers.values()),
        )
    ]


def warn_about_huge_forces(
    configurations: Configurations, outliers: Sequence[Outlier]
) -> list[FitWarning]:
    """Return a warning about huge forces that are not named as outliers."""
    named = {outlier.configuration for outlier in outliers}
    largest = largest_forces(configurations)
    huge = [i for i in np.flatnonzero(largest > HUGE_FORCE).tolist() if i not in named]
    if not huge:
        return []
    worst = max(huge, key=lambda index: largest[index])
    return [
        FitWarning(
            "huge_forces",
            f"{count_of(len(huge), 'configuration')} with forces above {HUGE_FORCE:g} eV/A, up to "
            f"{largest[worst]:.4g} in {configurations.describe(worst)}, which dominate the loss; "
            "force_limit lets them count less, relative_force_eps counts relative errors",
            tuple(str(configurations.identifier[index]) for index in huge),
        )
    ]
