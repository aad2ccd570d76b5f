# SPDX-License-Identifier: MIT
"""Rattled structures: each coordinate moved by a Gaussian, all atoms alike.

The cheapest way off the lattice sites, which asks nothing of a potential.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.starts import require_motion
from aiida_alpot.sampling.structures.defects import displace
from aiida_alpot.sampling.structures.generation import Made, frames_of_made
from aiida_alpot.sampling.structures.pair_limits import make_limits


@dataclass(frozen=True)
class RattledSettings:
    """Settings of :class:`Rattled`."""

    displacement: float | tuple[float, float] = setting(
        0.1,
        "Standard deviation of the displacement of each coordinate, A, or a range [smallest, "
        "largest] from which that of each structure is drawn.",
    )
    structures: int = setting(50, "Number of structures made of each start.")
    min_distance_factor: float = setting(
        0.7, "Two atoms keep at least this share of the sum of their covalent radii."
    )
    min_distances: Mapping[str, float] | None = setting(
        None, "Smallest distances by pair, A, such as {Cu-Zr: 1.9}; they replace the factor."
    )
    tries: int = setting(100, "Times that a structure is begun anew before it is given up.")
    tries_per_atom: int = setting(100, "Displacements that are drawn for an atom.")

    def __post_init__(self) -> None:
        low, high = self.range_of_displacements
        require(0 < low <= high, "displacement", self.displacement, "positive, smallest first")
        for name in ("structures", "tries", "tries_per_atom"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        make_limits(self.min_distance_factor, self.min_distances)

    @property
    def range_of_displacements(self) -> tuple[float, float]:
        """Smallest and largest standard deviation, A."""
        if isinstance(self.displacement, tuple):
            return self.displacement
        return self.displacement, self.displacement


class Rattled:
    """Rattle each start; frames are the start (step 0) and the rattled structures."""

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: RattledSettings) -> None:
        self.settings = settings
        self._limits = make_limits(settings.min_distance_factor, settings.min_distances)

    def __str__(self) -> str:
        low, high = self.settings.range_of_displacements
        deviation = f"{low:g} A" if low == high else f"{low:g} to {high:g} A"
        return f"{self.settings.structures} structures rattled by {deviation}"

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start is one atom, of which only the place would change."""
        require_motion(starts)

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and its rattled structures."""
        return frames_of_made(starts, calculator, rng, self.settings.structures, self.make)

    def make(self, start: Atoms, rng: np.random.Generator) -> Made:
        """Return a rattled structure, or why none was found."""
        given = self.settings
        for _ in range(given.tries):
            deviation = rng.uniform(*given.range_of_displacements)
            made = displace(start, deviation, self._limits, rng, tries=given.tries_per_atom)
            if made is not None:
                return made
        return (
            f"atoms too near to one another in {given.tries} tries at {deviation:.3g} A (lower "
            "the displacement, min_distance_factor or min_distances)"
        )
