# SPDX-License-Identifier: MIT
"""What a structure that is made consists of: its atoms, its volume, how near they may come.

Where the settings are silent, the parent gives composition, number of atoms and volume per atom.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np
from ase import Atoms, units
from ase.data import atomic_masses, atomic_numbers, covalent_radii
from ase.formula import Formula

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.structures.pair_limits import PairLimits, make_limits

Array = np.ndarray
# The keys of a campaign file carry their units.

GRAMS_PER_CM3 = 1e-3 * units.kg / units.m**3 * 1e6
"""1 g/cm^3 in u/A^3."""


@dataclass(frozen=True)
class ContentSettings:
    """What structures are made of; settings of every sampler that makes them from nothing."""

    structures: int = setting(100, "Number of structures made of each start.")
    atoms: int | tuple[int, int] | None = setting(
        None,
        "Number of atoms, or the range [fewest, most] from which each multiple of the formula is "
        "equally likely. null: as many as the start has.",
    )
    formula: str | None = setting(
        None, "Composition, such as Cu3Au. null: the composition of the start."
    )
    mixing: bool = setting(
        False,
        "Draw the species of each atom with the shares of the formula, instead of keeping exactly "
        "to it.",
    )
    volume_per_atom: float | tuple[float, float] | None = setting(
        None, "Volume per atom, A^3, or the range [smallest, largest] from which it is drawn."
    )
    density_g_cm3: float | tuple[float, float] | None = setting(
        None, "Density, g/cm^3, or the range [smallest, largest]; instead of volume_per_atom."
    )
    volume_factor: tuple[float, float] = setting(
        (0.75, 1.25),
        "Range of the volume over that of the start, where neither volume_per_atom nor "
        "density_g_cm3 is given; of another composition, atoms count by the cube of their "
        "covalent radius.",
    )
    min_distance_factor: float = setting(
        0.8, "Two atoms keep at least this share of the sum of their covalent radii."
    )
    min_distances: Mapping[str, float] | None = setting(
        None, "Smallest distances by pair, A, such as {Cu-Zr: 1.9}; they replace the factor."
    )
    tries: int = setting(
        100, "Times that a structure is begun anew before it is given up, with words on why."
    )

    def __post_init__(self) -> None:
        for name in ("structures", "tries"):
            value = getattr(self, name)
            require(value >= 1, name, value, "a whole number of at least 1")
        for name in ("atoms", "volume_per_atom", "density_g_cm3", "volume_factor"):
            value = getattr(self, name)
            if value is not None:
                low, high = as_range(value)
                require(0 < low <= high, name, value, "positive, the smaller end of a range first")
        require(
            self.volume_per_atom is None or self.density_g_cm3 is None,
            "density_g_cm3",
            self.density_g_cm3,
            "left out where volume_per_atom is given",
        )
        self.limits()
        if self.formula is not None:
            read_formula(self.formula)

    def limits(self) -> PairLimits:
        """Return how near two atoms may come."""
        return make_limits(self.min_distance_factor, self.min_distances)


def as_range(value: float | tuple[float, float]) -> tuple[float, float]:
    """Return a range, of which a number is both ends."""
    return value if isinstance(value, tuple) else (value, value)


def read_formula(formula: str) -> Array:
    """Return the atomic numbers of a formula, reduced to its smallest unit.

    Raises
    ------
    SettingError
        If it cannot be read.
    """
    try:
        counts = Formula(formula).count()
        if "X" in counts:  # which stands for no element
            raise KeyError("X")
        numbers = np.repeat([atomic_numbers[one] for one in counts], list(counts.values()))
    except (ValueError, KeyError) as error:
        raise SettingError(
            f"'formula' is {formula!r}; write chemical symbols and counts, such as Cu3Au."
        ) from error
    if not len(numbers):
        raise SettingError("'formula' is empty; write chemical symbols and counts, such as Cu3Au.")
    return reduced(numbers)


def reduced(numbers: Array) -> Array:
    """Return the smallest set of atoms with the same shares of species."""
    species, counts = np.unique(numbers, return_counts=True)
    return np.repeat(species, counts // gcd(*counts.tolist()))


def require_volumes(settings: ContentSettings, starts: Sequence[Atoms]) -> None:
    """Raise GeometryError if neither the settings nor a start says how much volume to take."""
    if settings.volume_per_atom is not None or settings.density_g_cm3 is not None:
        return
    for index, start in enumerate(starts):
        if not start.pbc.all() or start.cell.rank < 3:
            name = start.info.get("identifier", index)
            raise GeometryError(
                f"Start {name} has no volume to go by; give volume_per_atom or density_g_cm3."
            )


def require_multiples(settings: ContentSettings, starts: Sequence[Atoms]) -> None:
    """Raise GeometryError if no number of atoms that is allowed is a multiple of the formula."""
    if settings.mixing:
        return
    for start in starts:
        unit = unit_of(settings, start)
        if not possible_multiples(settings, start, unit):
            low, high = as_range(settings.atoms or len(start))
            raise GeometryError(
                f"No number of atoms from {low:g} to {high:g} is a multiple of the {len(unit)} "
                f"atoms of {Atoms(unit).get_chemical_formula()}; change 'atoms'."
            )


def unit_of(settings: ContentSettings, start: Atoms) -> Array:
    """Return the atomic numbers of a formula unit."""
    return reduced(start.numbers) if settings.formula is None else read_formula(settings.formula)


def possible_multiples(settings: ContentSettings, start: Atoms, unit: Array) -> list[int]:
    """Return how many formula units a structure may have."""
    low, high = as_range(len(start) if settings.atoms is None else settings.atoms)
    return list(range(max(1, -(-int(low) // len(unit))), int(high) // len(unit) + 1))


def draw_numbers(
    settings: ContentSettings, start: Atoms, rng: np.random.Generator, *, count: int | None = None
) -> Array:
    """Return the atomic numbers of a structure, in random order.

    Parameters
    ----------
    count : int, optional
        Least number of atoms, where the size of the cell asks for it; rounded up to formula units.
    """
    unit = unit_of(settings, start)
    if settings.mixing:
        low, high = as_range(len(start) if settings.atoms is None else settings.atoms)
        n_atoms = int(rng.integers(int(low), int(high) + 1)) if count is None else count
        return rng.choice(unit, size=n_atoms)
    if count is not None:
        return rng.permutation(np.tile(unit, -(-count // len(unit))))
    return rng.permutation(np.tile(unit, rng.choice(possible_multiples(settings, start, unit))))


def draw_volume_per_atom(
    settings: ContentSettings, start: Atoms, numbers: Array, rng: np.random.Generator
) -> float:
    """Return a volume per atom for these species, A^3, uniform in the range of the settings."""
    if settings.volume_per_atom is not None:
        low, high = as_range(settings.volume_per_atom)
    elif settings.density_g_cm3 is not None:
        mass = atomic_masses[numbers].mean()
        high, low = (mass / (one * GRAMS_PER_CM3) for one in as_range(settings.density_g_cm3))
    else:
        per_sphere = start.get_volume() / (covalent_radii[start.numbers] ** 3).sum()
        usual = per_sphere * (covalent_radii[numbers] ** 3).mean()
        low, high = (factor * usual for factor in settings.volume_factor)
    return float(rng.uniform(low, high))
