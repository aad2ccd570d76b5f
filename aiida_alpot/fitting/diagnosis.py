# SPDX-License-Identifier: MIT
"""What a training set cannot teach a potential, said in words.

A fit to poor data ends with a finite potential, since its equations are regularised: what no label
determines stays at its start or small. That says nothing about predictions, so that the result of a
fit carries a warning for each thing that is missing, with the names of configurations where they
matter.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.hull import compositions_of
from aiida_alpot.fitting.weighting import matches
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
_VOLUME_SPREAD = 1e-3
_SAME_ENERGY, _SAME_FORCE = 1e-4, 1e-3
_NAMED = 5


@dataclass(frozen=True)
class FitWarning:
    """Something about a fit that its user has to know.

    Parameters
    ----------
    kind : str
        One word for programs.
    message : str
        For people: what was found, what follows, what to do.
    configurations : tuple of str
        Identifiers of those that it is about, if it is about some.
    """

    kind: str
    message: str
    configurations: tuple[str, ...] = ()


def warn_about_data(
    configurations: Configurations, environment: Environment, potential: MomentTensorPotential
) -> list[FitWarning]:
    """Return what is missing in a training set, or wrong with it, whatever the fit gave.

    Parameters
    ----------
    configurations : Configurations
        The training set.
    environment : Environment
        Of the same configurations for the same potential.
    potential : MomentTensorPotential
        Says for which species, and down to which distance, it is to hold.
    """
    return [
        *_too_few(configurations),
        *_one_volume(configurations),
        *_absent_species(environment, potential),
        *_beyond_the_interval(configurations, environment, potential),
        *_repeated(configurations),
    ]


def warn_about_patterns(
    configurations: Configurations, patterns: Iterable[str]
) -> list[FitWarning]:
    """Return a warning for each pattern that is like the name of no configuration."""
    return [
        FitWarning(
            "unmatched_pattern",
            f"no configuration of the training set has a name like '{pattern}', so that its weight "
            f"has no effect; names are like '{configurations.identifier[0]}'",
        )
        for pattern in patterns
        if not matches(configurations, pattern).any()
    ]


def _too_few(configurations: Configurations) -> Iterator[FitWarning]:
    distinct = len(set(configurations.hashes()))
    if distinct == 1:
        yield FitWarning(
            "one_configuration",
            "the training set holds a single structure; energies are meaningless but for that one",
            (str(configurations.identifier[0]),),
        )


def _one_volume(configurations: Configurations) -> Iterator[FitWarning]:
    """Warn where all crystals of each composition have one volume per atom."""
    is_crystal = configurations.volumes > 0.0
    if is_crystal.sum() < 2:
        return
    crystals = configurations.select(is_crystal)
    volumes = crystals.volumes / crystals.n_atoms
    _, group = compositions_of(crystals)
    lowest = np.full(group.max() + 1, np.inf)
    highest = np.zeros(group.max() + 1)
    np.minimum.at(lowest, group, volumes)
    np.maximum.at(highest, group, volumes)
    if (highest / lowest < 1.0 + _VOLUME_SPREAD).all():
        has_stress = np.isfinite(crystals.stress).all(axis=1).any()
        effect = (
            "how the energy changes with volume follows from the stresses alone, to first order"
            if has_stress
            else "nothing says how the energy changes with volume"
        )
        yield FitWarning(
            "one_volume",
            f"all crystals of a composition have one volume per atom ({volumes.mean():.4g} A^3 on "
            f"average): {effect}. Add compressed and expanded cells",
        )


def _absent_species(
    environment: Environment, potential: MomentTensorPotential
) -> Iterator[FitWarning]:
    present = np.zeros(potential.n_species, dtype=bool)
    present[np.unique(environment.types)] = True
    absent = [symbol for symbol, known in zip(potential.species, present, strict=True) if not known]
    if absent:
        yield FitWarning(
            "absent_species",
            f"no configuration holds {', '.join(absent)}; the potential knows nothing about it",
        )
    neighbors = environment.neighbors
    n_species = potential.n_species
    centres = np.repeat(environment.types, np.diff(neighbors.first)).astype(np.int64)
    counts = np.bincount(
        centres * n_species + environment.types[neighbors.neighbor], minlength=n_species**2
    ).reshape(n_species, n_species)
    pairs = [
        f"{potential.species[one]}-{potential.species[other]}"
        for one, other in combinations_with_replacement(range(n_species), 2)
        if counts[one, other] == 0 and present[one] and present[other]
    ]
    if pairs:
        yield FitWarning(
            "absent_pairs",
            f"no two atoms {', '.join(pairs)} are within {potential.cutoff:g} A of each other in "
            "any configuration; the radial functions of these pairs are where they started",
        )


def _beyond_the_interval(
    configurations: Configurations, environment: Environment, potential: MomentTensorPotential
) -> Iterator[FitWarning]:
    vectors = environment.neighbors.vectors
    if not len(vectors):
        return
    squares = np.einsum("ij,ij->i", vectors, vectors)
    closest = int(np.argmin(squares))
    distance = float(np.sqrt(squares[closest]))
    if distance < potential.uncontrolled_below:
        atom = int(np.searchsorted(environment.neighbors.first, closest, side="right")) - 1
        index = int(np.searchsorted(environment.offsets, atom, side="right")) - 1
        yield FitWarning(
            "below_min_distance",
            f"configuration {configurations.describe(index)} has atoms {distance:.4g} A apart, "
            f"nearer than the min_distance of the potential, {potential.min_distance:.4g} A, below "
            "which its radial functions grow without bound; widen_interval makes it follow",
            (str(configurations.identifier[index]),),
        )


def _repeated(configurations: Configurations) -> Iterator[FitWarning]:
    """Warn about equal structures, and the more so where their labels differ."""
    groups: dict[str, list[int]] = defaultdict(list)
    for index, key in enumerate(configurations.hashes()):
        groups[key].append(index)
    copies = [group for group in groups.values() if len(group) > 1]
    if not copies:
        return
    n_copies = sum(len(group) - 1 for group in copies)
    yield FitWarning(
        "duplicates",
        f"{count_of(n_copies, 'configuration')} of the training set "
        f"{'is a copy' if n_copies == 1 else 'are copies'} of others, which counts for more "
        "weight: "
        + _named(configurations, sorted(index for group in copies for index in group[1:])),
        tuple(str(configurations.identifier[index]) for group in copies for index in group[1:]),
    )
    conflicting = [group for group in copies if _labels_differ(configurations, group)]
    if conflicting:
        yield FitWarning(
            "conflicting_labels",
            "equal structures have different labels: "
            + "; ".join(_named(configurations, group) for group in conflicting[:_NAMED])
            + ". Find out which one is right and take out the other",
            tuple(
                str(configurations.identifier[index]) for group in conflicting for index in group
            ),
        )


def _labels_differ(configurations: Configurations, group: Sequence[int]) -> bool:
    energies = configurations.energy[group] / configurations.n_atoms[group]
    forces = np.array([configurations.forces[configurations.atoms_slice(i)] for i in group])
    return _spread(energies) > _SAME_ENERGY or _spread(forces) > _SAME_FORCE


def _spread(values: Array) -> float:
    """Return the largest difference between copies of one label; absent ones do not count."""
    known = np.isfinite(values)
    lowest = np.where(known, values, np.inf).min(axis=0)
    difference = np.where(known, values, -np.inf).max(axis=0) - lowest
    return float(difference.max(initial=0.0))


def _named(configurations: Configurations, indices: Sequence[int]) -> str:
    shown = ", ".join(configurations.describe(index) for index in indices[:_NAMED])
    more = len(indices) - _NAMED
    return shown + (f" and {more} more" if more > 0 else "")


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it has to be."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
