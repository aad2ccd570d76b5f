# SPDX-License-Identifier: MIT
"""Relaxation of positions, and of the cell under pressure, by ASE's optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms, units
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS, FIRE, LBFGS

from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.relaxation_settings import CommonRelaxationSettings
from aiida_alpot.sampling.restarting import Restart, place
from aiida_alpot.sampling.settings import setting
from aiida_alpot.sampling.starts import prepare_start

OPTIMIZERS = {"BFGS": BFGS, "LBFGS": LBFGS, "FIRE": FIRE}


@dataclass(frozen=True)
class RelaxationSettings(CommonRelaxationSettings):
    """Settings of :class:`Relaxation`."""

    optimizer: Literal["BFGS", "LBFGS", "FIRE"] = setting("BFGS", "Name of the ASE optimiser.")
    bias: BiasSettings | None = setting(
        None, "What drives the atoms to where the potential is uncertain; with alpha."
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bias is not None:
            self.bias.require_one_of("alpha", sampler="relaxation")


class Relaxation:
    """Go downhill in energy or enthalpy from each start; frames are the optimiser's steps.

    A chain that goes on has the steps that are left, and an optimiser that knows nothing yet.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = False
    goes_on: ClassVar[bool] = True

    def __init__(self, settings: RelaxationSettings) -> None:
        self.settings = settings

    def __str__(self) -> str:
        given = self.settings
        return (
            f"relaxation of {given.what_moves} by {given.optimizer} to {given.fmax:g} eV/A: "
            f"at most {given.steps} steps"
            f"{'' if given.bias is None else f', {given.bias}'}"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if the cell shall relax and a start has no volume."""
        self.settings.require_cells(starts)

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        restart: Restart | None = None,
    ) -> Iterator[Frame]:
        """Yield the start and each step of one chain after the other; nothing here is random.

        With ``restart`` the only chain begins there.
        """
        for chain, start in enumerate(starts):
            atoms = prepare_start(start, calculator)
            first = place(atoms, restart)
            yield from self._run(chain, atoms, first)

    def _run(self, chain: int, atoms: Atoms, first: int) -> Iterator[Frame]:
        given = self.settings
        moved = self._with_cell(atoms)
        optimizer = OPTIMIZERS[given.optimizer](moved, logfile=None, maxstep=given.max_step)
        running = optimizer.irun(fmax=given.fmax, steps=given.steps - first)
        for step, converged in enumerate(running, start=first):
            ending = None
            if converged:
                ending = Ending("converged", f"forces below {given.fmax:g} eV/A after {step} steps")
            elif step == given.steps:
                ending = Ending(
                    "unconverged",
                    f"largest force {_largest_force(moved):.3g} eV/A > {given.fmax:g} "
                    f"after all {step} steps",
                )
            yield Frame(atoms, chain, step, ending)

    def _with_cell(self, atoms: Atoms) -> Any:
        given = self.settings
        if given.cell == "fixed":
            return atoms
        return FrechetCellFilter(
            atoms,
            hydrostatic_strain=given.cell == "isotropic",
            scalar_pressure=given.pressure_GPa * units.GPa,
        )


def _largest_force(moved: Any) -> float:
    return float(np.linalg.norm(moved.get_forces(), axis=1).max())
