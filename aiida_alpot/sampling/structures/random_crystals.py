# SPDX-License-Identifier: MIT
"""Random crystals with the symmetry of a space group.

Symmetric structures are over-represented among those of low energy, which is why searches begin
with them. A group is drawn; a random cell is given its symmetry; atoms go to orbits of random
points, special ones among them, until the composition is complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.geometry import minkowski_reduce

from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.structures.contents import (
    ContentSettings,
    draw_numbers,
    draw_volume_per_atom,
    require_multiples,
    require_volumes,
)
from aiida_alpot.sampling.structures.generation import Made, frames_of_made
from aiida_alpot.sampling.structures.pair_limits import PairLimits, Placement
from aiida_alpot.sampling.structures.pushing_apart import push_apart
from aiida_alpot.sampling.structures.random_cells import random_shape
from aiida_alpot.sampling.structures.space_groups import N_GROUPS, SpaceGroup, space_group

Array = np.ndarray
_GROUPS_TRIED = 50
_ORBITS_TRIED = 20


@dataclass(frozen=True)
class RandomCrystalsSettings(ContentSettings):
    """Settings of :class:`RandomCrystals`; atoms are counted in the primitive cell."""

    space_groups: tuple[int, ...] | None = setting(
        None,
        "Numbers of the space groups that are drawn from, each equally likely where it has room "
        "for the atoms. null: 2 to 230.",
    )
    tries: int = setting(
        10, "Crystals that are tried in a space group before another one is drawn."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        groups = self.space_groups
        require(
            groups is None or (bool(groups) and all(1 <= one <= N_GROUPS for one in groups)),
            "space_groups",
            groups,
            "a list of numbers from 1 to 230",
        )


class RandomCrystals:
    """Make crystals of random space groups, with composition and density of each start.

    Frames: the start (step 0), then the primitive cells of the crystals made of it.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: RandomCrystalsSettings) -> None:
        self.settings = settings
        self._limits = settings.limits()
        self._groups = settings.space_groups or tuple(range(2, N_GROUPS + 1))

    def __str__(self) -> str:
        given = self.settings
        of_what = given.formula or "the composition of the start"
        return (
            f"{given.structures} random crystals of {of_what} in {len(self._groups)} space groups"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise if a start does not say how much of what to take, or spglib is missing."""
        space_group(1)
        require_volumes(self.settings, starts)
        require_multiples(self.settings, starts)

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and the crystals made of it."""
        return frames_of_made(starts, calculator, rng, self.settings.structures, self.make)

    def make(self, start: Atoms, rng: np.random.Generator) -> Made:
        """Return a random crystal, or why none was found.

        ``info["space_group"]`` is the number of the group that it was made with.
        """
        given = self.settings
        for _ in range(_GROUPS_TRIED):
            group = space_group(int(rng.choice(self._groups)))
            for _ in range(given.tries):
                numbers = draw_numbers(given, start, rng)
                volume = draw_volume_per_atom(given, start, numbers, rng) * len(numbers)
                made = crystal_of_group(group, numbers, volume, self._limits, rng)
                if made is not None:
                    return made
        return (
            f"{_GROUPS_TRIED} space groups have no room for "
            f"{Atoms(numbers).get_chemical_formula()}, the last being number {group.number} with "
            f"{volume / len(numbers):.3g} A^3 per atom (allow more space groups or other numbers "
            "of atoms, raise the volume, or lower min_distance_factor or min_distances)"
        )


def crystal_of_group(
    group: SpaceGroup,
    numbers: Array,
    volume: float,
    limits: PairLimits,
    rng: np.random.Generator,
) -> Atoms | None:
    """Return the primitive cell of a random crystal, or None if this draw found no room.

    Parameters
    ----------
    numbers : (n,) array
        Species of the atoms in the primitive cell.
    volume : float
        Of the primitive cell, A^3.
    """
    if not limits.leave_room(numbers, volume):
        return None
    n_cells = len(group.centring)
    shape = random_shape("triclinic", np.eye(3), rng)
    cell = group.symmetric_cell(shape * (volume * n_cells) ** (1 / 3))
    placement = Placement(cell, np.full(3, True), limits, numbers)
    species, counts = np.unique(numbers, return_counts=True)
    for place in rng.permutation(len(species)):
        missing = int(counts[place]) * n_cells
        while missing:
            number = int(species[place])
            orbit = _draw_orbit(group, cell, placement, rng, number=number, largest=missing)
            if orbit is None:
                return None
            missing -= len(orbit)
            for position in orbit:
                placement.place(position, number)
    return _primitive(group, cell, placement, limits)


def _draw_orbit(
    group: SpaceGroup,
    cell: Array,
    placement: Placement,
    rng: np.random.Generator,
    *,
    number: int,
    largest: int,
) -> Array | None:
    """Return positions of an orbit of at most ``largest`` atoms; the widest of some if none fits.

    None if no orbit is so small, or it can only stand where atoms are already.
    """
    widest, most = None, -np.inf
    for _ in range(_ORBITS_TRIED):
        wanted = rng.integers(1, largest + 1)
        count, point = _point_of_orbit(group, int(wanted), rng)
        if count > largest:
            continue
        orbit: Array = group.orbit(point) @ cell
        clearance = float(placement.clearances(orbit, number).min())
        clearance = min(clearance, placement.clearance_within(orbit, number))
        if clearance >= 0:
            return orbit
        # atoms on one site can never be pushed apart
        if clearance > max(most, -0.7 * placement.least(number)):
            widest, most = orbit, clearance
    return widest


def _point_of_orbit(group: SpaceGroup, wanted: int, rng: np.random.Generator) -> tuple[int, Array]:
    """Return a point with an orbit of at most ``wanted`` positions, or the most special found."""
    found = next(points := group.special_points(rng))
    while found[0] > wanted:
        further = next(points, None)
        if further is None:
            break
        found = further
    return found


def _primitive(
    group: SpaceGroup, cell: Array, placement: Placement, limits: PairLimits
) -> Atoms | None:
    """Return the primitive cell of what was placed, atoms pushed apart; symmetry is kept."""
    vectors, _ = minkowski_reduce(group.primitive_vectors(cell))
    crystal = Atoms(numbers=placement.numbers, positions=placement.positions, cell=vectors)
    crystal.pbc = True
    crystal.wrap()
    fractional = crystal.get_scaled_positions()
    kept: list[int] = []
    for index, point in enumerate(fractional):
        apart = fractional[kept] - point
        if not (np.abs(apart - np.round(apart)) < 1e-5).all(axis=1).any():
            kept.append(index)
    made = crystal[kept]
    made.info["space_group"] = group.number
    return made if push_apart(made, limits) else None
