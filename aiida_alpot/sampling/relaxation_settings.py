# SPDX-License-Identifier: MIT
"""Settings that every relaxation has, of one structure at a time or of many together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ase import Atoms

from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.starts import require_volume

# The keys of a campaign file carry their units.
# ruff: noqa: N815

CELLS = ("fixed", "isotropic", "flexible")


@dataclass(frozen=True)
class CommonRelaxationSettings:
    """Where a relaxation goes and when it ends."""

    steps: int = setting(200, "Most steps of the optimiser.")
    fmax: float = setting(
        0.01,
        "Largest force on an atom at which a structure has converged, eV/A; of a cell, the virial "
        "per atom, eV, must be below this too.",
    )
    cell: Literal["fixed", "isotropic", "flexible"] = setting(
        "fixed", "How the cell changes: fixed, isotropic (volume only) or flexible (shape too)."
    )
    pressure_GPa: float = setting(0.0, "External pressure on a cell that changes, GPa.")
    max_step: float = setting(0.1, "Longest step of an atom, A.")

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")
        require(self.fmax > 0, "fmax", self.fmax, "a positive number")
        require(self.max_step > 0, "max_step", self.max_step, "a positive number")
        require(self.cell in CELLS, "cell", self.cell, f"one of {', '.join(CELLS)}")
        require(
            self.cell != "fixed" or self.pressure_GPa == 0,
            "pressure_GPa",
            self.pressure_GPa,
            "0 for a fixed cell; choose cell isotropic or flexible",
        )

    @property
    def what_moves(self) -> str:
        """What a relaxation changes, in words."""
        return {
            "fixed": "positions",
            "isotropic": f"positions and volume at {self.pressure_GPa:g} GPa",
            "flexible": f"positions and cell at {self.pressure_GPa:g} GPa",
        }[self.cell]

    def require_cells(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if cells shall relax and a start has no volume."""
        if self.cell != "fixed":
            require_volume(starts, "its cell cannot relax. Choose cell: fixed")
