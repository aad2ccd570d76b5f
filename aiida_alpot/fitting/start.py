# SPDX-License-Identifier: MIT
"""Where a fit starts: from an untrained potential, or from one trained before.

A warm start keeps what was learned: it predicts the same numbers as its parent, has a higher level,
more species or another interval of the Chebyshev polynomials, and the fit goes on from there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from aiida_alpot import neighbors
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.fitting.radial_interval import change_interval
from aiida_alpot.mtp.contractions import MomentBasis, moment_basis
from aiida_alpot.mtp.potential import MomentTensorPotential, initial_potential

Array = np.ndarray
MARGIN = 0.99
"""Default of the smallest distance of a potential, in units of that in its data."""
_FALLBACK_DISTANCE = 2.0


def start_potential(
    training: Configurations,
    *,
    level: int,
    cutoff: float,
    species: Sequence[str] | None = None,
    min_distance: float | None = None,
    seed: int = 0,
) -> MomentTensorPotential:
    """Return an untrained potential for a training set.

    Parameters
    ----------
    training : Configurations
        Gives the defaults of species and smallest distance.
    level : int
        Even, 2 to 28.
    cutoff : float
        Angstrom.
    species : sequence of str, optional
        Order of the types; all that occur, by atomic number, if absent. May name more.
    min_distance : float, optional
        Lower end of the interval of the Chebyshev polynomials, Angstrom; 0.99 times the smallest
        distance in the data if absent.
    seed : int
        Of the random radial coefficients.

    Raises
    ------
    SpeciesError
        If a species of the training set is not in ``species``.
    SettingError
        If the level is not known, or the distances are not in order.
    """
    if species is None:
        species = training.species
    _require_species(training.species, species)
    if min_distance is None:
        min_distance = MARGIN * smallest_distance(training, cutoff)
    rng = np.random.default_rng(seed)
    return with_random_radial(
        initial_potential(level, cutoff, species=species, min_distance=min_distance, rng=rng), rng
    )


def with_random_radial(
    potential: MomentTensorPotential, rng: np.random.Generator
) -> MomentTensorPotential:
    """Return an untrained potential of the same form with new random radial functions.

    They are the same for all pairs of species: a search that starts from different ones ends in
    worse minima.
    """
    size = potential.radial_coefficients.shape[-1]
    fresh = initial_potential(
        2 + 4 * (potential.basis.n_radial - 1),
        potential.cutoff,
        species=("H",),
        min_distance=potential.min_distance,
        rng=rng,
        radial_basis_size=size,
    )
    radial = np.broadcast_to(fresh.radial_coefficients, potential.radial_coefficients.shape).copy()
    return dataclasses.replace(
        potential,
        radial_coefficients=radial,
        species_coefficients=np.zeros_like(potential.species_coefficients),
        moment_coefficients=np.zeros_like(potential.moment_coefficients),
        scaling=fresh.scaling,
    )


def smallest_distance(configurations: Configurations, cutoff: float) -> float:
    """Return the smallest distance between two atoms, in Angstrom.

    Where none is below the cutoff, 2 A or half of the cutoff, whichever is less.
    """
    found = neighbors.smallest_distance(configurations, cutoff)
    return found if np.isfinite(found) else min(_FALLBACK_DISTANCE, 0.5 * cutoff)


def warm_start(
    potential: MomentTensorPotential,
    *,
    level: int | None = None,
    species: Sequence[str] | None = None,
    min_distance: float | None = None,
    seed: int = 0,
) -> MomentTensorPotential:
    """Return a potential of at least the same size that predicts what ``potential`` does.

    Radial functions that a higher level adds are random, and scalars that it adds have coefficient
    zero. Pairs with a new species start from the mean radial functions of the known pairs.

    Parameters
    ----------
    potential : MomentTensorPotential
        Trained; the cutoff cannot be changed, since no other reproduces its radial functions.
    level : int, optional
        The same or higher; the same if absent.
    species : sequence of str, optional
        Must hold those of the potential, in any order, and may add some.
    min_distance : float, optional
        New lower end of the interval of the Chebyshev polynomials, Angstrom. Their coefficients are
        expanded again, which is exact. Kept if absent.
    seed : int
        Of the random radial functions.

    Raises
    ------
    SettingError
        If the level is lower or not known, the distances are not in order, or the basis of a file
        is not contained in that of the level.
    SpeciesError
        If a species of the potential is missing.
    """
    if min_distance is not None and min_distance != potential.min_distance:
        potential = change_interval(potential, min_distance)
    if level is not None and level != potential.level:
        potential = _raise_level(potential, level, seed)
    if species is not None and tuple(species) != potential.species:
        potential = _extend_species(potential, tuple(species))
    return potential


def _require_species(needed: Sequence[str], given: Sequence[str]) -> None:
    missing = [symbol for symbol in needed if symbol not in given]
    if missing:
        raise SpeciesError(
            f"Species {', '.join(missing)} is missing in the species {' '.join(given)}. Add it, or "
            "leave out the configurations that hold it."
        )


def _extend_species(
    potential: MomentTensorPotential, species: tuple[str, ...]
) -> MomentTensorPotential:
    if not potential.species:
        raise SpeciesError("The potential names no species. Give their order with --species.")
    _require_species(potential.species, species)
    place = [species.index(symbol) for symbol in potential.species]
    old = potential.radial_coefficients
    radial = np.empty((len(species), len(species), *old.shape[2:]))
    radial[:] = old.mean(axis=(0, 1))
    radial[np.ix_(place, place)] = old
    constants = np.zeros(len(species))
    constants[place] = potential.species_coefficients
    return dataclasses.replace(
        potential, species=species, radial_coefficients=radial, species_coefficients=constants
    )


def _raise_level(potential: MomentTensorPotential, level: int, seed: int) -> MomentTensorPotential:
    basis = moment_basis(level)
    old = potential.radial_coefficients
    if potential.level is not None and level < potential.level:
        raise SettingError(
            f"The potential has level {potential.level}; a warm start cannot lower it to {level}. "
            "Choose the same or a higher level, or start anew."
        )
    place = _match_scalars(potential.basis, basis)
    coefficients = np.zeros(basis.n_scalars)
    np.add.at(coefficients, place.index, place.factor * potential.moment_coefficients)
    larger = dataclasses.replace(
        potential,
        basis=basis,
        radial_coefficients=np.zeros((*old.shape[:2], basis.n_radial, old.shape[-1])),
        moment_coefficients=coefficients,
    )
    fresh = with_random_radial(larger, np.random.default_rng(seed)).radial_coefficients
    # new functions as large as the known ones, whatever the scaling of a file
    radial = fresh * np.sqrt(np.mean(np.sum(old**2, axis=-1)))
    radial[:, :, : old.shape[2]] = old
    return dataclasses.replace(larger, radial_coefficients=radial)


@dataclasses.dataclass(frozen=True)
class _Matches:
    """Each scalar of one basis as a multiple of one of another."""

    index: Array
    factor: Array


def _match_scalars(old: MomentBasis, new: MomentBasis) -> _Matches:
    """Find the scalars of a basis among those of a larger one, by their values at random moments.

    Files order scalars in their own way, so that names are not enough; two different contractions
    agree at several random points with probability zero.
    """
    rng = np.random.default_rng(0)
    moments = {tuple(row): rng.uniform(0.5, 1.5, 4) for row in new.basic.tolist()}
    known = [tuple(row) for row in old.basic.tolist()]
    if not set(known) <= set(moments):
        raise SettingError(
            f"The potential's radial functions or moments are not all in level {new.level}. "
            "Choose a higher level, or start anew."
        )
    target = _scalar_values(new, np.array([moments[tuple(row)] for row in new.basic.tolist()]))
    source = _scalar_values(old, np.array([moments[row] for row in known]))
    shape = {_signature(values): index for index, values in reversed(list(enumerate(target)))}
    index = [shape.get(_signature(values), -1) for values in source]
    if -1 in index:
        raise SettingError(
            f"Scalar {index.index(-1)} of the potential is not in the basis of level {new.level}. "
            "Choose a higher level, or start anew."
        )
    return _Matches(np.array(index), source[:, 0] / target[index, 0])


def _scalar_values(basis: MomentBasis, basic: Array) -> Array:
    moments: Array = np.zeros((basis.n_moments, basic.shape[1]))
    moments[: basis.n_basic] = basic
    for left, right, multiplicity, target in basis.products.tolist():
        moments[target] += multiplicity * moments[left] * moments[right]
    values: Array = moments[basis.scalars]
    return values


def _signature(values: Array) -> tuple[float, ...]:
    """Return ratios of the values, which no factor changes, rounded well above the noise."""
    return tuple(float(f"{value:.8e}") for value in values[1:] / values[0])
