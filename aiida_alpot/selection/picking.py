# SPDX-License-Identifier: MIT
"""What every rule of selection has in common: its answer, its limit, and nothing taken twice.

A rule puts candidates in an order, the best first. From that order they are taken one after the
other, unless one is like a training configuration or like one taken before it (see
:mod:`aiida_alpot.selection.duplicates`), until the limit is reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

import numpy as np

from aiida_alpot.carving import is_carved
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.duplicates import find_alike
from aiida_alpot.selection.fingerprints import Fingerprint, fingerprints

Array = np.ndarray
ALIKE_WITHIN = 0.015
"""Difference of fingerprints, A, up to which two configurations teach the same.

In copper at 300 and 1000 K, cells of 32 and 108 atoms, frames 4 fs apart differ by 0.007 to
0.012 A, frames 40 fs or more apart by 0.02 to 0.055 (medians).
"""
NUDGED_WITHIN = 0.005
"""The same for MAXVOL, A: less than what tells neighbouring frames of dynamics apart."""
_FEWEST_AT_A_TIME = 32


@dataclass(frozen=True)
class Picked:
    """Candidates that a rule selects.

    Parameters
    ----------
    indices : (k,) int64
        Those selected, the best first.
    over_limit : (l,) int64
        Those that the rule would take too if the limit were higher, the best first; beyond the
        limit it is not looked at which of them are alike.
    alike : (m,) int64
        Those left out because a training configuration or one that is selected is like them.
    grades : (n,) float64 or None
        Grade of every candidate, where the rule knows one.
    """

    indices: Array
    over_limit: Array
    alike: Array
    grades: Array | None = None


@runtime_checkable
class Selector(Protocol):
    """A rule that selects candidates; training set and potential are its own from the start."""

    def select(
        self, candidates: Configurations, *, limit: int | None, rng: np.random.Generator
    ) -> Picked:
        """Select at most ``limit`` of ``candidates``; the same generator gives the same bits.

        Raises
        ------
        SettingError
            If the limit is below one, or is None for a rule that knows no end of its own.
        SpeciesError
            If its potential lacks a species of the candidates.
        """
        ...


def pick_in_order(
    order: Iterable[int],
    candidates: Configurations,
    *,
    known: Configurations,
    limit: int | None,
    alike_within: float = ALIKE_WITHIN,
    grades: Array | None = None,
) -> Picked:
    """Take candidates in an order, none that is like a known one or like one taken before.

    Parameters
    ----------
    order : iterable of int
        Places of candidates, the best first, none twice; read no further than the limit needs.
    candidates : Configurations
        What the places mean.
    known : Configurations
        What is in the training set already.
    limit : int or None
        Take at most so many; all that are worth it if None.
    alike_within : float
        Largest difference of the fingerprints of two that are alike, A. Zero lets all but equal
        ones pass.
    grades : (n,) float64, optional
        Handed on.

    Raises
    ------
    SettingError
        If the limit is below one or the distance is negative.
    """
    check_limit(limit)
    check_alike_within(alike_within)
    places = iter(order)
    seen = fingerprints(known)
    taken: list[int] = []
    alike: list[int] = []
    while limit is None or len(taken) < limit:
        missing = len(candidates) if limit is None else limit - len(taken)
        batch = list(islice(places, max(missing, _FEWEST_AT_A_TIME)))
        if not batch:
            break
        fresh = fingerprints(candidates.select(batch))
        repeated = _repeats(seen, fresh, alike_within)
        for position, place in enumerate(batch):
            if limit is not None and len(taken) == limit:
                places = _chain(batch[position:], places)
                break
            if repeated[position]:
                alike.append(place)
            else:
                taken.append(place)
                seen.append(fresh[position])
    return Picked(
        indices=np.array(taken, dtype=np.int64),
        over_limit=np.array(list(places), dtype=np.int64),
        alike=np.array(alike, dtype=np.int64),
        grades=grades,
    )


def leave_out_alike(
    order: Array,
    candidates: Configurations,
    *,
    limit: int | None,
    alike_within: float = ALIKE_WITHIN,
    grades: Array | None = None,
) -> Picked:
    """Return what MAXVOL selects without what is nearly the same as one before it.

    An exact copy adds no volume, but one whose atoms moved by a thousandth of an Angstrom does
    where the rows are fewer than the parameters. All that is farther away than
    :data:`NUDGED_WITHIN`, and what is like a known one, is for MAXVOL to judge: where it
    extrapolates a label is worth its price. Chunks teach the force on one atom each and are
    compared where they are carved, by what that atom sees; here they pass.

    Parameters
    ----------
    order : (k,) int64
        Places of the candidates that MAXVOL selects without a limit, the best first.
    alike_within : float
        A; not looked at above :data:`NUDGED_WITHIN`.
    candidates, limit, grades
        As those of :func:`pick_in_order`.
    """
    whole = order[~is_carved(candidates.select(order))]
    alike = pick_in_order(
        whole.tolist(),
        candidates,
        known=Configurations.empty(),
        limit=None,
        alike_within=min(alike_within, NUDGED_WITHIN),
    ).alike
    kept = order[~np.isin(order, alike)]
    end = len(kept) if limit is None else limit
    return Picked(indices=kept[:end], over_limit=kept[end:], alike=alike, grades=grades)


def check_limit(limit: int | None, *, needed_by: str | None = None) -> None:
    """Raise SettingError for a limit below one, or for none where a rule needs one."""
    if limit is None and needed_by is not None:
        raise SettingError(
            f"The rule '{needed_by}' puts candidates in an order and knows no end; give a limit, "
            "the number of configurations to select."
        )
    if limit is not None and limit < 1:
        raise SettingError(f"At most {limit} configurations are to be selected; allow one or more.")


def check_alike_within(distance: float) -> None:
    """Raise SettingError unless the largest difference of what is alike is zero or more."""
    if not distance >= 0.0:
        raise SettingError(
            f"Configurations are alike within {distance:g} A; give zero or a positive number."
        )


def _repeats(seen: list[Fingerprint], fresh: list[Fingerprint], tolerance: float) -> list[bool]:
    alike = find_alike([*seen, *fresh], tolerance, n_known=len(seen))
    return [other is not None for other in alike[len(seen) :]]


def _chain(first: list[int], rest: Iterator[int]) -> Iterator[int]:
    yield from first
    yield from rest
