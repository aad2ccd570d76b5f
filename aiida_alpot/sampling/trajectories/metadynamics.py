# SPDX-License-Identifier: MIT
"""Metadynamics: molecular dynamics that fills the places where it has been with hills.

Hills are laid in the space of a few collective variables, so that the dynamics leaves a basin along
them sooner or later, whatever the barrier. Well-tempered; see :mod:`.hills`.
The variables of :mod:`.collective_variables` need nothing but numpy; any other
bias can be written for PLUMED, where it is installed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.langevin import Langevin

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.restarting import Restart, place
from aiida_alpot.sampling.settings import require, required_setting, setting
from aiida_alpot.sampling.starts import prepare_start, require_motion
from aiida_alpot.sampling.trajectories.collective_variables import (
    CollectiveVariable,
    parse_variable,
)
from aiida_alpot.sampling.trajectories.hills import Hills, WithHills
from aiida_alpot.sampling.trajectories.molecular_dynamics import draw_velocities
from aiida_alpot.sampling.trajectories.motion import MovingSampler, motion_state, restore_motion
from aiida_alpot.sampling.trajectories.plumed_bias import (
    forbidden_lines,
    require_plumed,
    with_plumed,
)

# The keys of a campaign file carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class MetadynamicsSettings:
    """Settings of :class:`Metadynamics`."""

    temperature_K: float = required_setting("Temperature of the Langevin thermostat, K.")
    steps: int = required_setting("Number of time steps.")
    variables: tuple[str, ...] = setting(
        (),
        "Collective variables, atoms counted from 0: 'distance I J', 'angle I J K', 'dihedral I J "
        "K L', 'coordination I RADIUS'.",
    )
    widths: tuple[float, ...] = setting(
        (),
        "Width of a hill along each variable: A, degrees, neighbours. Empty: 0.1 A, 10 degrees of "
        "an angle, 20 of a dihedral, 0.2 neighbours.",
    )
    hill_height_eV: float = setting(0.02, "Height of the first hill, eV.")
    hill_every: int = setting(50, "Steps between two hills.")
    bias_factor: float | None = setting(
        10.0,
        "Factor by which the temperature of the variables is raised in the end: hills grow lower. "
        "null: hills of one height for ever.",
    )
    plumed: tuple[str, ...] = setting(
        (), "Lines of input of PLUMED, in place of variables; PLUMED must be installed."
    )
    timestep_fs: float = setting(2.0, "Time step, fs.")
    thermostat_time_fs: float = setting(
        100.0, "Relaxation time of the thermostat, fs: the inverse of the Langevin friction."
    )

    def __post_init__(self) -> None:
        for name in ("steps", "hill_every"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "a whole number from 1")
        for name in ("temperature_K", "hill_height_eV", "timestep_fs", "thermostat_time_fs"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        factor = self.bias_factor
        require(factor is None or factor > 1, "bias_factor", factor, "above 1, or null")
        if bool(self.variables) == bool(self.plumed):
            raise SettingError(
                "Metadynamics needs something to bias: give either 'variables' or 'plumed'."
            )
        parsed = self.parsed
        fits = len(self.widths) in (0, len(parsed)) and all(one > 0 for one in self.widths)
        require(fits, "widths", self.widths, "empty, or a positive number for each variable")
        runs_code = forbidden_lines(self.plumed)
        allowed = "input without LOAD, INCLUDE and PY..., which could run code"
        require(not runs_code, "plumed", runs_code, allowed)

    @property
    def parsed(self) -> tuple[CollectiveVariable, ...]:
        """The collective variables."""
        return tuple(parse_variable(one) for one in self.variables)

    def hills(self) -> Hills:
        """Return the bias of a chain, without a hill so far."""
        factor = np.inf if self.bias_factor is None else self.bias_factor
        return Hills(
            self.parsed,
            self.widths or [one.width for one in self.parsed],
            height=self.hill_height_eV,
            tempering=(factor - 1.0) * units.kB * self.temperature_K,
        )


class Metadynamics(MovingSampler):
    """Langevin dynamics with hills. Frames: the start (step 0) and every time step.

    Energies and forces of the frames are those of the calculator, without the bias. A chain that
    goes on begins without hills, with velocities drawn anew.
    """

    def __init__(self, settings: MetadynamicsSettings) -> None:
        self.settings = settings

    def __str__(self) -> str:
        given = self.settings
        what = "PLUMED" if given.plumed else ", ".join(map(str, given.parsed))
        return (
            f"metadynamics on {what} at {given.temperature_K:g} K: {given.steps} steps of "
            f"{given.timestep_fs:g} fs, a hill every {given.hill_every}"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start cannot move, or lacks an atom that a variable names."""
        require_motion(starts)
        if self.settings.plumed:
            require_plumed()
            return
        least = 1 + max(max(variable.atoms) for variable in self.settings.parsed)
        for index, start in enumerate(starts):
            if len(start) < least:
                name = start.info.get("identifier", index)
                raise GeometryError(
                    f"Start {name!s} has {len(start)} atoms; the variables name atom {least - 1}. "
                    "Atoms are counted from 0."
                )

    def state(self) -> dict[str, Any] | None:
        """Return the state of the motion and the hills as JSON; None where PLUMED has them."""
        if self._moving is None or self.settings.plumed:
            return None
        hills = self._moving[0].atoms.calc.hills.state()
        return {**motion_state(*self._moving), "hills": hills}

    def _run(
        self,
        chain: int,
        start: Atoms,
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None,
        restart: Restart | None,
    ) -> Iterator[Frame]:
        given = self.settings
        atoms = prepare_start(start, calculator)
        done = place(atoms, restart)
        atoms.set_constraint(FixCom())
        shown = _same_atoms(atoms, calculator)
        hills = None if given.plumed else given.hills()
        atoms.calc = self._biased(atoms, hills)
        draw_velocities(atoms, given.temperature_K, rng)
        integrator = Langevin(
            atoms,
            given.timestep_fs * units.fs,
            temperature_K=given.temperature_K,
            friction=1 / (given.thermostat_time_fs * units.fs),
            fixcm=False,  # the constraint FixCom does it, and samples the right distribution
            rng=rng,
        )
        if moving is not None and hills is not None:
            done = restore_motion(integrator, rng, moving)
            hills.restore(moving["hills"])

        def lay_hills(step: int) -> None:
            if hills is not None and step % given.hill_every == 0:
                hills.lay(atoms)

        yield from self._integrate(
            chain,
            shown,
            (integrator, rng, done),
            n_steps=given.steps,
            is_resumed=moving is not None,
            prepare=lay_hills,
        )

    def _biased(self, atoms: Atoms, hills: Hills | None) -> Any:
        if hills is not None:
            return WithHills(atoms.calc, hills)
        given = self.settings
        return with_plumed(
            atoms, given.plumed, timestep_fs=given.timestep_fs, temperature_K=given.temperature_K
        )


def _same_atoms(atoms: Atoms, calculator: Any) -> Atoms:
    """Return atoms that share all arrays with ``atoms`` and keep ``calculator``."""
    shown = atoms.copy()
    shown.arrays = atoms.arrays
    shown.calc = calculator
    return shown
