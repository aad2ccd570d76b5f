# SPDX-License-Identifier: MIT
r"""Which atoms of a structure are worth a chunk.

The uncertainty of the force on an atom is that of a committee,
delta_i = 2.58 sigma_i (:func:`aiida_alpot.grading.committee.force_uncertainty`), in eV/A; the
neighbourhood grade of an active set can stand in for it. Chosen are, the most uncertain first,

``threshold``
    all atoms above a value,
``fraction``
    a fraction of all atoms, whose uncertainties are the largest,
``worst``
    the most uncertain atom alone.

Neighbours of an uncertain atom are often uncertain for the same reason, and atoms that symmetry
relates always are: with a limit the atoms are spread, see :func:`choose_atoms`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from aiida_alpot.errors import SettingError

Array = np.ndarray
ChoiceKind = Literal["threshold", "fraction", "worst"]
CHOICES: tuple[str, ...] = get_args(ChoiceKind)
STOP_UNCERTAINTY = 0.1
"""eV/A; below it no atom is worth a chunk by default."""
_ALIKE = 1e-6


def choose_atoms(
    uncertainties: Array,
    *,
    kind: str = "threshold",
    value: float | None = None,
    floor: float = 0.0,
    limit: int | None = None,
) -> Array:
    """Choose the atoms about which chunks are carved.

    Parameters
    ----------
    uncertainties : (n_atoms,) float64
        Of forces in eV/A, or grades; >= 0.
    kind : {"threshold", "fraction", "worst"}
        See the module.
    value : float, optional
        The threshold, by default :data:`STOP_UNCERTAINTY`; or the fraction, above 0 and at most 1,
        by default 0.1. Not looked at by ``worst``.
    floor : float
        What is not above it is never chosen.
    limit : int, optional
        At most so many. Of atoms whose uncertainties are equal to a millionth, as those that
        symmetry relates, only the first counts then.

    Returns
    -------
    (k,) int64
        Atoms, the most uncertain first; of equal ones the one with the smaller number.

    Raises
    ------
    SettingError
        If there is no such kind, or the value or the limit is out of range.
    """
    value = _check(kind, value, limit)
    order = np.argsort(-uncertainties, kind="stable")
    if kind == "worst":
        order = order[:1]
    elif kind == "fraction":
        order = order[: int(np.ceil(value * len(order)))]
    else:
        floor = max(floor, value)
    order = order[uncertainties[order] > floor]
    if limit is None:
        return np.asarray(order, dtype=np.int64)
    values = uncertainties[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = values[:-1] - values[1:] > _ALIKE * values[:-1]
    return np.asarray(order[is_first][:limit], dtype=np.int64)


def _check(kind: str, value: float | None, limit: int | None) -> float:
    if kind not in CHOICES:
        raise SettingError(f"Unknown choice of atoms {kind!r}; allowed are {', '.join(CHOICES)}.")
    if limit is not None and limit < 1:
        raise SettingError(f"At most {limit} atoms are to be chosen; allow one or more.")
    if kind == "fraction":
        value = 0.1 if value is None else value
        if not 0.0 < value <= 1.0:
            raise SettingError(
                f"The fraction of atoms is {value:g}; it must be above 0 and at most 1."
            )
        return value
    value = STOP_UNCERTAINTY if value is None else value
    if not 0.0 <= value < np.inf:
        raise SettingError(
            f"The threshold of the uncertainty is {value:g}; give zero or a positive number."
        )
    return value
