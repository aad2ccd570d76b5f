# SPDX-License-Identifier: MIT
"""Molecular dynamics at constant energy, temperature, or temperature and pressure.

The integrators are ASE's: velocity Verlet (nve), Langevin with a fixed centre of mass or stochastic
velocity rescaling (nvt; Bussi, Donadio and Parrinello, J. Chem. Phys. 126, 014101 (2007)), and
Langevin dynamics of atoms and cell (npt; Quigley and Probert, J. Chem. Phys. 120, 11432 (2004),
with the BAOAB splitting of Leimkuhler and Matthews, J. Chem. Phys. 138, 174102 (2013)). The
temperature and the pressure may follow ramps, linear in the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.constraints import FixCom
from ase.md.bussi import Bussi
from ase.md.langevin import Langevin
from ase.md.langevinbaoab import LangevinBAOAB
from ase.md.md import MolecularDynamics as Integrator
from ase.md.verlet import VelocityVerlet

from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.restarting import Restart, place
from aiida_alpot.sampling.settings import require, required_setting, setting
from aiida_alpot.sampling.starts import prepare_start, require_motion, require_volume
from aiida_alpot.sampling.trajectories.motion import MovingSampler, restore_motion

# The keys of a campaign file carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class MolecularDynamicsSettings:
    """Settings of :class:`MolecularDynamics`."""

    temperature_K: float | tuple[float, float] = required_setting(
        "Temperature, K, or a ramp [first, last], linear over the steps. For nve one number, at "
        "which velocities are drawn."
    )
    steps: int = required_setting("Number of time steps.")
    ensemble: Literal["nvt", "npt", "nve"] = setting(
        "nvt", "What is kept constant: nvt (temperature), npt (and pressure) or nve (energy)."
    )
    timestep_fs: float = setting(2.0, "Time step, fs.")
    thermostat: Literal["langevin", "bussi"] = setting(
        "langevin", "Thermostat of nvt: langevin, or bussi (stochastic velocity rescaling)."
    )
    thermostat_time_fs: float = setting(
        100.0, "Relaxation time of the thermostat, fs: the inverse of the Langevin friction."
    )
    pressure_GPa: float | tuple[float, float] = setting(
        0.0, "External pressure of npt, GPa, or a ramp [first, last], linear over the steps."
    )
    cell: Literal["isotropic", "flexible"] = setting(
        "isotropic", "How the cell of npt changes: isotropic (volume only) or flexible (shape too)."
    )
    barostat_time_fs: float = setting(300.0, "Period and relaxation time of the cell of npt, fs.")
    bulk_modulus_GPa: float = setting(
        100.0,
        "Rough bulk modulus, GPa, from which npt sets the mass of the cell; it changes how fast "
        "the cell responds, not where it settles.",
    )
    bias: BiasSettings | None = setting(
        None, "What drives the atoms to where the potential is uncertain; with alpha or tau_rel."
    )

    def __post_init__(self) -> None:
        first, last = self.ramp
        require(first > 0 and last > 0, "temperature_K", self.temperature_K, "above 0 K")
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")
        require(
            self.ensemble == "npt" or self.pressure_ramp == (0.0, 0.0),
            "pressure_GPa",
            self.pressure_GPa,
            f"0 for {self.ensemble}, in which the cell is fixed; choose ensemble npt",
        )
        require(
            self.ensemble != "nve" or first == last,
            "temperature_K",
            self.temperature_K,
            "one number for nve, in which nothing changes it; choose ensemble nvt",
        )
        require(
            self.ensemble == "nvt" or self.thermostat == "langevin",
            "thermostat",
            self.thermostat,
            f"left out for {self.ensemble}; choose ensemble nvt",
        )
        require(
            self.ensemble == "npt" or self.cell == "isotropic",
            "cell",
            self.cell,
            f"left out for {self.ensemble}, in which the cell is fixed; choose ensemble npt",
        )
        for name in (
            "timestep_fs",
            "thermostat_time_fs",
            "barostat_time_fs",
            "bulk_modulus_GPa",
        ):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        if self.bias is not None:
            self.bias.require_one_of("alpha", "tau_rel", sampler="molecular_dynamics")

    @property
    def ramp(self) -> tuple[float, float]:
        """First and last temperature, K."""
        return _ends_of_ramp(self.temperature_K)

    @property
    def pressure_ramp(self) -> tuple[float, float]:
        """First and last pressure, GPa."""
        return _ends_of_ramp(self.pressure_GPa)


def _along(ramp: tuple[float, float], share: float) -> float:
    return ramp[0] + (ramp[1] - ramp[0]) * share


def _ends_of_ramp(value: float | tuple[float, float]) -> tuple[float, float]:
    return value if isinstance(value, tuple) else (value, value)


class LangevinOfAtomsAndCell(LangevinBAOAB):
    """ASE's integrator with the drag that a flexible cell exerts on the velocities set right.

    Eq. (5b) of Quigley and Probert has the trace of the cell momentum times the identity; ASE 3.29
    adds the trace to the off-diagonal elements too.
    """

    def _barostat_BAOAB_OU_gamma_mod(self) -> Any:  # noqa: N802 - the name in ASE
        if self.hydrostatic:
            return super()._barostat_BAOAB_OU_gamma_mod()
        dilation = np.trace(self.p_eps) / self.Ndof
        return (self.p_eps + dilation * np.identity(3)) / self.barostat_mass


class MolecularDynamics(MovingSampler):
    """Follow the equations of motion from each start, with velocities drawn anew.

    Velocities are drawn from the Maxwell-Boltzmann distribution at the first temperature, without
    net momentum. Frames: the start (step 0) and every time step.

    A chain that goes on has velocities drawn anew at the temperature of its step: those of a frame
    far behind the one that stopped it belong to a way that another potential took. Its ramps
    go on from that step.
    """

    def __init__(self, settings: MolecularDynamicsSettings) -> None:
        self.settings = settings

    def __str__(self) -> str:
        given = self.settings
        first, last = given.ramp
        temperature = f"{first:g} K" if first == last else f"{first:g} to {last:g} K"
        begin, end = given.pressure_ramp
        pressure = f"{begin:g} GPa" if begin == end else f"{begin:g} to {end:g} GPa"
        details = {
            "nve": "",
            "nvt": f", {given.thermostat} thermostat",
            "npt": f", {pressure}, {given.cell} cell",
        }[given.ensemble]
        return (
            f"{given.ensemble} molecular dynamics at {temperature}{details}: "
            f"{given.steps} steps of {given.timestep_fs:g} fs"
            f"{'' if given.bias is None else f', {given.bias}'}"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start cannot move, or has no volume that npt can change."""
        if self.settings.ensemble == "npt":
            require_volume(starts, "npt needs a cell with a volume. Use nvt")
        else:
            require_motion(starts)

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
        if given.ensemble != "npt" and not atoms.constraints:
            # also where the momentum is conserved anyway: temperatures count degrees of freedom
            atoms.set_constraint(FixCom())
        draw_velocities(atoms, _along(given.ramp, done / given.steps), rng)
        integrator = self._make_integrator(atoms, rng)
        ramps = [
            (ramp, set_value)
            for ramp, set_value in (
                (given.ramp, _temperature_setter(integrator)),
                (given.pressure_ramp, _pressure_setter(integrator)),
            )
            if ramp[0] != ramp[1]
        ]

        def set_targets(step: int) -> None:
            for ramp, set_value in ramps:
                set_value(_along(ramp, step / given.steps))

        if done > 0:
            set_targets(done)
        if moving is not None:
            done = restore_motion(integrator, rng, moving)
        yield from self._integrate(
            chain,
            atoms,
            (integrator, rng, done),
            n_steps=given.steps,
            is_resumed=moving is not None,
            prepare=set_targets,
        )

    def _make_integrator(self, atoms: Atoms, rng: np.random.Generator) -> Integrator:
        given = self.settings
        timestep = given.timestep_fs * units.fs
        temperature = given.ramp[0]
        thermostat_time = given.thermostat_time_fs * units.fs
        if given.ensemble == "nve":
            return VelocityVerlet(atoms, timestep)
        if given.ensemble == "npt":
            return self._make_barostat(atoms, rng)
        if given.thermostat == "bussi":
            return Bussi(atoms, timestep, temperature, thermostat_time, rng=rng)
        return Langevin(
            atoms,
            timestep,
            temperature_K=temperature,
            friction=1 / thermostat_time,
            fixcm=False,  # the constraint FixCom does it, and samples the right distribution
            rng=rng,
        )

    def _make_barostat(self, atoms: Atoms, rng: np.random.Generator) -> Integrator:
        given = self.settings
        isotropic = given.cell == "isotropic"
        period = given.barostat_time_fs * units.fs
        # a uniform strain x of each edge obeys W x'' = -9 V B x (-3 V B x for each of the three
        # diagonal strains of a flexible cell), which has this period
        stiffness = (
            (9 if isotropic else 3) * atoms.get_volume() * given.bulk_modulus_GPa * units.GPa
        )
        return LangevinOfAtomsAndCell(
            atoms,
            given.timestep_fs * units.fs,
            temperature_K=given.ramp[0],
            externalstress=-given.pressure_ramp[0] * units.GPa,
            hydrostatic=isotropic,
            T_tau=given.thermostat_time_fs * units.fs,
            P_tau=period,
            P_mass=stiffness * (period / (2 * np.pi)) ** 2,
            rng=rng,
        )


def draw_velocities(atoms: Atoms, temperature_K: float, rng: np.random.Generator) -> None:
    """Draw Maxwell-Boltzmann velocities at ``temperature_K``, without net momentum."""
    masses = atoms.get_masses()[:, None]
    spread = np.sqrt(masses * units.kB * temperature_K)
    momenta = spread * rng.standard_normal((len(atoms), 3))
    momenta -= masses * momenta.sum(axis=0) / masses.sum()
    atoms.set_momenta(momenta)


def _temperature_setter(integrator: Integrator) -> Callable[[float], None]:
    if isinstance(integrator, Bussi):

        def set_target(temperature: float) -> None:
            integrator.temp = temperature * units.kB
            integrator.target_kinetic_energy = 0.5 * integrator.temp * integrator.ndof

        return set_target
    if isinstance(integrator, VelocityVerlet):
        return lambda temperature: None
    return lambda temperature: integrator.set_temperature(temperature_K=temperature)


def _pressure_setter(integrator: Integrator) -> Callable[[float], None]:
    """Return what sets the external pressure of an integrator that has one, in GPa."""
    if not isinstance(integrator, LangevinOfAtomsAndCell):
        return lambda pressure: None
    is_isotropic = integrator.hydrostatic

    def set_pressure(pressure: float) -> None:
        stress = -pressure * units.GPa
        integrator.externalstress = stress if is_isotropic else stress * np.identity(3)

    return set_pressure
