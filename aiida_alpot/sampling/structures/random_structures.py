# SPDX-License-Identifier: MIT
"""Random structures: atoms at random places of a random cell, none too near to another.

They show the potential what no dynamics reaches: odd densities, shapes, coordinations. The size
of the cell can follow from the range of the interaction
(:mod:`aiida_alpot.sampling.structures.cell_sizes`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.structures.cell_sizes import CellSizeCriterion, cell_size
from aiida_alpot.sampling.structures.contents import (
    ContentSettings,
    draw_numbers,
    draw_volume_per_atom,
    require_multiples,
    require_volumes,
    unit_of,
)
from aiida_alpot.sampling.structures.generation import Made, frames_of_made
from aiida_alpot.sampling.structures.pair_limits import PairLimits, Placement
from aiida_alpot.sampling.structures.pushing_apart import push_apart
from aiida_alpot.sampling.structures.random_cells import CellShape, random_shape, smallest_width

Array = np.ndarray


@dataclass(frozen=True)
class RandomStructuresSettings(ContentSettings):
    """Settings of :class:`RandomStructures`."""

    cell: CellShape = setting(
        "triclinic",
        "Shape of the cells: triclinic, orthorhombic (both random), cubic, or that of the start.",
    )
    cell_size_criterion: CellSizeCriterion | None = setting(
        None,
        "Choose the number of atoms so that the smallest width of the cell is at least 2 r / s, "
        "where r is interaction_range and s that of the criterion: 1 (inscribed_sphere), 1.107 "
        "(unique_equals_soi), 1.241 (cell_equals_soi), 1.333 (inner_half_unique), 1.414 "
        "(soi_touches_edges) or 1.732 (soi_circumscribes).",
    )
    interaction_range: float | None = setting(
        None, "Range of the interaction for cell_size_criterion, A: the cutoff of the potential."
    )
    tries_per_atom: int = setting(
        50,
        "Places that are tried for an atom; where none is free it takes the widest of them, and in "
        "the end atoms are pushed apart.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.tries_per_atom >= 1, "tries_per_atom", self.tries_per_atom, "at least 1")
        sized = self.cell_size_criterion is not None
        reach = self.interaction_range
        require(
            (reach is not None) == sized and (reach is None or reach > 0),
            "interaction_range",
            reach,
            "a positive number with cell_size_criterion, and left out without it",
        )
        require(
            not sized or self.atoms is None,
            "atoms",
            self.atoms,
            "left out with cell_size_criterion, from which it follows",
        )


class RandomStructures:
    """Make structures by random insertion, with composition and density of each start.

    Frames: the start (step 0), then the structures made of it.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: RandomStructuresSettings) -> None:
        self.settings = settings
        self._limits = settings.limits()

    def __str__(self) -> str:
        given = self.settings
        of_what = given.formula or "the composition of the start"
        return f"{given.structures} random structures of {of_what} in {given.cell} cells"

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start does not say how much of what to take."""
        given = self.settings
        require_volumes(given, starts)
        if given.cell_size_criterion is None:
            require_multiples(given, starts)
        for index, start in enumerate(starts):
            if given.cell == "start" and start.cell.rank < 3:
                name = start.info.get("identifier", index)
                raise GeometryError(f"Start {name} has no cell whose shape to keep; change 'cell'.")

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and the structures made of it."""
        return frames_of_made(starts, calculator, rng, self.settings.structures, self.make)

    def make(self, start: Atoms, rng: np.random.Generator) -> Made:
        """Return a random structure, or why none was found."""
        given = self.settings
        for _ in range(given.tries):
            cell, numbers = self._draw_cell(start, rng)
            made = insert_at_random(
                cell, numbers, self._limits, rng, tries_per_atom=given.tries_per_atom
            )
            if made is not None:
                return made
        return (
            f"no room for {Atoms(numbers).get_chemical_formula()} in {given.tries} cells, the last "
            f"of {abs(np.linalg.det(cell)) / len(numbers):.3g} A^3 per atom (raise the volume, or "
            "lower min_distance_factor or min_distances)"
        )

    def _draw_cell(self, start: Atoms, rng: np.random.Generator) -> tuple[Array, Array]:
        given = self.settings
        shape = random_shape(given.cell, start.cell.array, rng)
        if given.cell_size_criterion is None or given.interaction_range is None:
            numbers = draw_numbers(given, start, rng)
            volume = draw_volume_per_atom(given, start, numbers, rng) * len(numbers)
        else:
            width = cell_size(given.cell_size_criterion, given.interaction_range).width
            least = (width / smallest_width(shape)) ** 3
            unit = unit_of(given, start)
            per_atom = draw_volume_per_atom(given, start, unit, rng)
            numbers = draw_numbers(given, start, rng, count=int(np.ceil(least / per_atom)))
            volume = per_atom * len(numbers)
        return shape * volume ** (1 / 3), numbers


def insert_at_random(
    cell: Array,
    numbers: Array,
    limits: PairLimits,
    rng: np.random.Generator,
    *,
    tries_per_atom: int,
) -> Atoms | None:
    """Return atoms at random places of a periodic cell, or None if they do not fit.

    Atoms are inserted one by one; one that finds no place in so many tries goes where it overlaps
    least, and in the end all are pushed apart.
    """
    if not limits.leave_room(numbers, abs(np.linalg.det(cell))):
        return None
    placement = Placement(cell, np.full(3, True), limits, numbers)
    if not all(placement.images_allow(int(number)) for number in np.unique(numbers)):
        return None
    for number in numbers.tolist():
        placement.place_at_random(number, rng, tries=tries_per_atom, force=True)
    made = Atoms(numbers=numbers, positions=placement.positions, cell=cell, pbc=True)
    return made if push_apart(made, limits) else None
