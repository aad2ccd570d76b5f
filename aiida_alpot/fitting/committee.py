# SPDX-License-Identifier: MIT
"""Committees: several potentials fitted to one training set, whose disagreement is an uncertainty.

Members differ in what they are trained on (a bootstrap sample: as many configurations as there are,
drawn with replacement, which is the same as whole numbers for weights) and in where their search
starts (random radial functions). Neighbour lists, by far the largest part of a training set in
memory, are made once and shared. Each member depends on the seed, its own number and those before
it alone, so that a larger committee contains the smaller one.

Of few configurations a sample may be the whole set, or that of another member. Members that are the
same would agree about everything, and a campaign that they drive would end at once, so such a
sample is drawn again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.fit import FitResult, restart
from aiida_alpot.fitting.restraints import Restraints
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
MOST_DRAWS = 100
_STREAM = 0x636F6D  # members do not share random numbers with the starts of a single fit


@dataclass(frozen=True)
class CommitteeSettings:
    """How the members of a committee differ.

    Parameters
    ----------
    members : int
        Number of potentials, at least two.
    bootstrap : bool
        Whether each is fitted to a bootstrap sample of the configurations.
    random_starts : bool
        Whether each starts from random radial functions of its own; else all start from the same
        potential, which takes fewer steps and gives less disagreement.

    Raises
    ------
    SettingError
        If there are fewer than two members, or nothing in which they differ.
    """

    members: int = 5
    bootstrap: bool = True
    random_starts: bool = True

    def __post_init__(self) -> None:
        if self.members < 2:
            raise SettingError(
                f"A committee of {self.members} cannot disagree; give at least 2 members."
            )
        if not (self.bootstrap or self.random_starts):
            raise SettingError(
                "The members of the committee would all be the same; give it bootstrap samples or "
                "random starts."
            )


@dataclass(frozen=True)
class Member:
    """What one member starts with.

    Parameters
    ----------
    weight : (n,) float64
        Weights of the configurations.
    initial : MomentTensorPotential
        Where its search starts.
    """

    weight: Array
    initial: MomentTensorPotential


def committee_members(
    training: Configurations,
    initial: MomentTensorPotential,
    settings: CommitteeSettings,
    *,
    seed: int,
    restraints: Restraints | None = None,
) -> Iterator[Member]:
    """Yield the members of a committee, not fitted yet.

    Parameters
    ----------
    training : Configurations
        Gives the weights, which a bootstrap sample multiplies.
    initial : MomentTensorPotential
        Where all of them start, but for random radial functions.
    settings : CommitteeSettings
        How they differ.
    seed : int
        Of their random numbers.
    restraints : Restraints, optional
        Parameters that no member changes.

    Raises
    ------
    SettingError
        If there are too few configurations for samples that differ, and nothing else does.
    """
    taken = {(training.weight > 0.0).astype(np.int64).tobytes()}
    for number in range(settings.members):
        rng = np.random.default_rng([seed, _STREAM, number])
        weight = training.weight
        if settings.bootstrap:
            counts = _sample_of_its_own(training.weight > 0.0, taken, rng)
            if counts.tobytes() in taken and not settings.random_starts:
                raise SettingError(
                    f"{np.count_nonzero(training.weight)} configurations are too few for "
                    f"{settings.members} bootstrap samples that differ; give the committee random "
                    "starts, or fewer members."
                )
            taken.add(counts.tobytes())
            weight = weight * counts
        point = restart(initial, restraints, rng) if settings.random_starts else initial
        yield Member(weight, point)


def _sample_of_its_own(drawn: Array, taken: set[bytes], rng: np.random.Generator) -> Array:
    """Return a bootstrap sample that is not taken yet, if one is found."""
    for _ in range(MOST_DRAWS):
        counts = bootstrap_counts(drawn, rng)
        if counts.tobytes() not in taken:
            break
    return counts


def bootstrap_counts(drawn: Array, rng: np.random.Generator) -> Array:
    """Return how often each configuration is in a bootstrap sample.

    Parameters
    ----------
    drawn : (n,) bool
        Configurations that are drawn from.
    rng : numpy.random.Generator
        Source of the sample.

    Returns
    -------
    (n,) int64
        As many in all as are drawn from.
    """
    places = np.flatnonzero(drawn)
    counts = np.zeros(len(drawn), dtype=np.int64)
    counts[places] = rng.multinomial(len(places), np.full(len(places), 1.0 / len(places)))
    return counts


def fit_committee(
    members: Iterator[Member], fit_member: Callable[[Member], FitResult]
) -> tuple[FitResult, ...]:
    """Fit the members one after another, up to the one at which the fit is interrupted."""
    results = []
    for member in members:
        results.append(fit_member(member))
        if results[-1].interrupted:
            break
    return tuple(results)
