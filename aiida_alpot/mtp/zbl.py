# SPDX-License-Identifier: MIT
"""The screened nuclear repulsion of Ziegler, Biersack and Littmark (ZBL) as a potential's core.

Two atoms that come nearer than any pair of the training data repel each other like screened
nuclei (Ziegler, Biersack, Littmark, The Stopping and Range of Ions in Matter, 1985)::

    V(r) = 14.399645 eV A  Z1 Z2 / r  phi(r / a),   a = 0.46850 A / (Z1^0.23 + Z2^0.23)

with phi a sum of four exponentials. Between two radii of each pair of species V is switched off by
a quintic polynomial, which keeps energy, force and curvature continuous::

    E = E_MTP + sum over pairs of V(r) (1 - s(t)),   s(t) = t^3 (10 - 15 t + 6 t^2)
    t = (r - inner) / (outer - inner), not below 0 nor above 1

The Chebyshev polynomials of a moment tensor potential are not bounded below its min_distance, so
its radial functions are multiplied by s: a pair nearer than ``inner`` interacts by V alone, and
beyond ``outer`` the potential is what it is without a core, to the last bit. As an *overlay* the
radial functions stay as they are: what other codes compute that add a pair potential to an MTP.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from ase.data import atomic_numbers, covalent_radii

from aiida_alpot.errors import SettingError

Array = np.ndarray
COULOMB = 14.399645
"""Energy of two elementary charges times their distance, eV A."""
SCREENING_LENGTH, SCREENING_POWER = 0.46850, 0.23
SCREENING_WEIGHTS = (0.18175, 0.50986, 0.28022, 0.02817)
SCREENING_RATES = (3.19980, 0.94229, 0.40290, 0.20162)
INNER_SHARE, OUTER_SHARE = 0.65, 0.95
"""Default radii of a pair in units of its smallest distance in the training data."""


@dataclass(frozen=True)
class CorePair:
    """Where the repulsion of two species ends.

    Parameters
    ----------
    first, second : str
        Chemical symbols.
    inner, outer : float
        Radii between which the repulsion is switched off, Angstrom.

    Raises
    ------
    SettingError
        Unless ``0 < inner < outer``.
    """

    first: str
    second: str
    inner: float
    outer: float

    def __post_init__(self) -> None:
        if not 0.0 < self.inner < self.outer < math.inf:
            raise SettingError(
                f"The ZBL core of {self.first}-{self.second} has the radii {self.inner:g} and "
                f"{self.outer:g} A; they must satisfy 0 < inner < outer."
            )


@dataclass(frozen=True)
class ZblCore:
    """The core of a potential: radii by pair of species.

    Parameters
    ----------
    pairs : tuple of CorePair
        Each unordered pair once. A pair that is not named has the default shares of the sum of its
        covalent radii.
    fades : bool
        Whether the radial functions of the potential fade out where the repulsion sets in; False
        for an overlay.
    repels : bool
        Whether the repulsion is added; False while a potential is fitted to labels from which it
        has been subtracted.
    """

    pairs: tuple[CorePair, ...] = ()
    fades: bool = True
    repels: bool = True

    def __post_init__(self) -> None:
        names = [frozenset((pair.first, pair.second)) for pair in self.pairs]
        if len(set(names)) != len(names):
            raise SettingError("The ZBL core names a pair of species twice; name each pair once.")

    def pair(self, first: str, second: str) -> CorePair:
        """Return the radii of two species, in any order."""
        wanted = {first, second}
        for pair in self.pairs:
            if {pair.first, pair.second} == wanted:
                return pair
        radius = sum(float(covalent_radii[atomic_numbers[one]]) for one in (first, second))
        return CorePair(first, second, INNER_SHARE * radius, OUTER_SHARE * radius)

    def completed(self, species: Sequence[str]) -> ZblCore:
        """Return the core with every pair of ``species`` named, and no other."""
        pairs = tuple(self.pair(*names) for names in combinations_with_replacement(species, 2))
        return ZblCore(pairs, self.fades, self.repels)

    def extended(self, other: ZblCore) -> ZblCore:
        """Return the core with those pairs of ``other`` that it does not name."""
        named = {frozenset((pair.first, pair.second)) for pair in self.pairs}
        new = [pair for pair in other.pairs if frozenset((pair.first, pair.second)) not in named]
        return ZblCore((*self.pairs, *new), self.fades, self.repels)

    def radii(self, species: Sequence[str]) -> Array:
        """(n_species, n_species, 2): inner and outer radius of every pair, Angstrom."""
        found = np.empty((len(species), len(species), 2))
        for i, first in enumerate(species):
            for j, second in enumerate(species):
                pair = self.pair(first, second)
                found[i, j] = pair.inner, pair.outer
        return found

    def reach(self, species: Sequence[str]) -> float:
        """Return the largest outer radius among ``species``, Angstrom."""
        return float(self.radii(species)[..., 1].max(initial=0.0))


def screened_repulsion(first: str, second: str, distance: Array) -> Array:
    """Return V(r) of two bare species, eV, without the switch.

    Parameters
    ----------
    first, second : str
        Chemical symbols.
    distance : array
        Angstrom.
    """
    z1, z2 = atomic_numbers[first], atomic_numbers[second]
    scaled = np.asarray(distance) / screening_length(z1, z2)
    screening = sum(
        weight * np.exp(-rate * scaled)
        for weight, rate in zip(SCREENING_WEIGHTS, SCREENING_RATES, strict=True)
    )
    energy: Array = COULOMB * z1 * z2 / np.asarray(distance) * screening
    return energy


def switched_repulsion(pair: CorePair, distance: Array) -> tuple[Array, Array]:
    """Return V (1 - s) of a pair in eV and its derivative in eV/A; zero beyond the outer radius.

    What :func:`aiida_alpot.mtp.kernels.zbl.add_repulsion` computes, for tables and checks.
    """
    r = np.asarray(distance, dtype=np.float64)
    z1, z2 = atomic_numbers[pair.first], atomic_numbers[pair.second]
    inverse = 1.0 / screening_length(z1, z2)
    weights, rates = np.array(SCREENING_WEIGHTS), np.array(SCREENING_RATES)
    parts = weights * np.exp(-rates * (r[..., None] * inverse))
    bare = COULOMB * z1 * z2 / r
    value = bare * parts.sum(axis=-1)
    slope = -bare * (parts.sum(axis=-1) / r + inverse * (parts @ rates))
    width = pair.outer - pair.inner
    t = np.clip((r - pair.inner) / width, 0.0, 1.0)
    kept = 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t**2)
    kept_slope = -30.0 * (t * (1.0 - t)) ** 2 / width
    return value * kept, slope * kept + value * kept_slope


def screening_length(z1: int, z2: int) -> float:
    """Return a of two atomic numbers, Angstrom."""
    return float(SCREENING_LENGTH / (z1**SCREENING_POWER + z2**SCREENING_POWER))


def repulsion_table(core: ZblCore, species: Sequence[str]) -> Array:
    """(n_species, n_species, 4): Coulomb factor (eV A), 1/a, inner radius, 1/(outer - inner)."""
    table = np.empty((len(species), len(species), 4))
    table[..., 2:] = _fade_table(core, species)
    for i, first in enumerate(species):
        for j, second in enumerate(species):
            z1, z2 = atomic_numbers[first], atomic_numbers[second]
            table[i, j, :2] = COULOMB * z1 * z2, 1.0 / screening_length(z1, z2)
    return table


def fade_limits(core: ZblCore | None, species: Sequence[str]) -> Array:
    """Return where radial functions fade as the kernels read it; empty where they do not.

    The largest outer radius, then inner radius and 1/(outer - inner) [centre, neighbour, 2].
    """
    if core is None or not core.fades:
        return np.zeros(0)
    return np.concatenate([[core.reach(species)], _fade_table(core, species).ravel()])


def _fade_table(core: ZblCore, species: Sequence[str]) -> Array:
    radii = core.radii(species)
    return np.stack([radii[..., 0], 1.0 / (radii[..., 1] - radii[..., 0])], axis=-1)


def core_from_distances(
    smallest: dict[frozenset[str], float],
    species: Sequence[str],
    *,
    inner: float | None = None,
    outer: float | None = None,
) -> ZblCore:
    """Return the core of a potential from the smallest distances of its training data.

    Parameters
    ----------
    smallest : dict
        Smallest distance of each pair of species, Angstrom; pairs may be absent.
    species : sequence of str
        Species of the potential.
    inner, outer : float, optional
        Radii of all pairs, Angstrom. By default 0.65 and 0.95 times the smallest distance of the
        pair, or times the sum of the covalent radii where the pair does not occur. Where one is
        given the other keeps the ratio of the defaults.

    Raises
    ------
    SettingError
        If the radii are not in order.
    """
    ratio = OUTER_SHARE / INNER_SHARE
    if inner is not None or outer is not None:
        first = inner if inner is not None else (outer or 0.0) / ratio
        second = outer if outer is not None else (inner or 0.0) * ratio
        names = combinations_with_replacement(species, 2)
        return ZblCore(tuple(CorePair(*pair, first, second) for pair in names))
    known = [
        CorePair(*pair, INNER_SHARE * distance, OUTER_SHARE * distance)
        for pair in combinations_with_replacement(species, 2)
        if (distance := smallest.get(frozenset(pair))) is not None
    ]
    return ZblCore(tuple(known)).completed(species)
