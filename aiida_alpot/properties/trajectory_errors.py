# SPDX-License-Identifier: MIT
"""Errors of a potential along a trajectory that it never saw.

The trajectory is run with the reference calculator, so that it visits what the material visits, not
what the potential believes; the potential is evaluated on its frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.metrics import errors
from aiida_alpot.properties.relaxing import PropertyError
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.stopping import Observation, StopRules, kinetic_temperature
from aiida_alpot.sampling.trajectories.molecular_dynamics import (
    MolecularDynamics,
    MolecularDynamicsSettings,
)

# The keys of settings and results carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class TrajectoryErrorsSettings:
    """Settings of :func:`trajectory_errors`."""

    temperature_K: float = setting(900.0, "Temperature, K.")
    steps: int = setting(1000, "Time steps after the equilibration.")
    equilibration: int = setting(200, "Time steps before the first frame is compared.")
    every: int = setting(20, "Time steps between compared frames.")
    ensemble: Literal["nvt", "npt"] = setting("nvt", "nvt, or npt at zero pressure.")
    timestep_fs: float = setting(2.0, "Time step, fs.")

    def __post_init__(self) -> None:
        require(self.equilibration >= 0, "equilibration", self.equilibration, "zero or positive")
        require(1 <= self.every <= self.steps, "every", self.every, "from 1 to the number of steps")
        self.dynamics()

    def dynamics(self) -> MolecularDynamicsSettings:
        """Return the settings of the trajectory."""
        return MolecularDynamicsSettings(
            temperature_K=self.temperature_K,
            steps=self.steps + self.equilibration,
            ensemble=self.ensemble,
            timestep_fs=self.timestep_fs,
        )


@dataclass(frozen=True)
class TrajectoryErrors:
    """Result of :func:`trajectory_errors`.

    Parameters
    ----------
    n_frames : int
        Frames compared.
    mean_temperature_K : float
        Kinetic temperature over them, K.
    energy_rmse_meV_per_atom, energy_mae_meV_per_atom : float
    forces_rmse_eV_per_A, forces_mae_eV_per_A : float
        Per component.
    largest_force_error_eV_per_A : float
        Length of the largest difference of forces on one atom.
    forces_mean_angle_deg : float
        Mean angle between the forces.
    stress_rmse_GPa : float
        Over the six components; NaN without a volume.
    """

    n_frames: int
    mean_temperature_K: float
    energy_rmse_meV_per_atom: float
    energy_mae_meV_per_atom: float
    forces_rmse_eV_per_A: float
    forces_mae_eV_per_A: float
    largest_force_error_eV_per_A: float
    forces_mean_angle_deg: float
    stress_rmse_GPa: float


def trajectory_errors(
    calculator: Any,
    structure: Atoms,
    settings: TrajectoryErrorsSettings | None = None,
    *,
    reference: Any,
    rng: np.random.Generator | None = None,
) -> TrajectoryErrors:
    """Compare ``calculator`` with ``reference`` along molecular dynamics of the reference.

    Parameters
    ----------
    calculator : ASE calculator
        The potential.
    structure : Atoms
        Start of the trajectory; not changed.
    settings : TrajectoryErrorsSettings, optional
    reference : ASE calculator
        What the potential was trained on.
    rng : numpy.random.Generator, optional
        Seeded with 0 by default.

    Raises
    ------
    PropertyError
        If the trajectory of the reference breaks off.
    """
    settings = settings or TrajectoryErrorsSettings()
    rng = np.random.default_rng(0) if rng is None else rng
    frames: list[Atoms] = []
    temperatures: list[float] = []

    def collect(seen: Observation) -> None:
        after = seen.step - settings.equilibration
        if after > 0 and after % settings.every == 0:
            frames.append(freeze(seen.atoms))
            temperatures.append(kinetic_temperature(seen.atoms))

    start = structure.copy()
    start.info["identifier"] = "structure"
    [chain] = run_sampler(
        MolecularDynamics(settings.dynamics()),
        [start],
        reference,
        rng=rng,
        stop_rules=StopRules(gamma_break=None),
        observe=collect,
    ).chains
    if not chain.completed:
        raise PropertyError(
            f"The trajectory of the reference calculator broke off ({chain.reason}). Lower the "
            "temperature or the time step."
        )
    return compare(frames, calculator, mean_temperature=float(np.mean(temperatures)))


def freeze(atoms: Atoms) -> Atoms:
    """Return a copy that keeps energy, forces and stress which its calculator has computed."""
    results = atoms.calc.results
    names = ("energy", "free_energy", "forces", "stress")
    kept = {name: results[name] for name in names if name in results}
    frozen = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    frozen.calc = SinglePointCalculator(frozen, **kept)
    return frozen


def evaluate_frames(frames: Iterable[Atoms], calculator: Any) -> list[Atoms]:
    """Return copies of the frames with the results of another calculator."""
    evaluated = []
    for frame in frames:
        atoms = frame.copy()
        atoms.calc = calculator
        atoms.get_forces()
        if "stress" in frame.calc.results:
            atoms.get_stress()
        evaluated.append(freeze(atoms))
    return evaluated


def compare(
    labelled: Sequence[Atoms], calculator: Any, *, mean_temperature: float
) -> TrajectoryErrors:
    """Return the errors of ``calculator`` against frames that carry the reference's results."""
    reference = Configurations.from_atoms(labelled)
    prediction = Configurations.from_atoms(evaluate_frames(labelled, calculator))
    found = errors(reference, prediction)
    largest = np.linalg.norm(prediction.forces - reference.forces, axis=1).max()
    return TrajectoryErrors(
        n_frames=len(reference),
        mean_temperature_K=mean_temperature,
        energy_rmse_meV_per_atom=found.energy_rmse,
        energy_mae_meV_per_atom=found.energy_mae,
        forces_rmse_eV_per_A=found.forces_rmse,
        forces_mae_eV_per_A=found.forces_mae,
        largest_force_error_eV_per_A=float(largest),
        forces_mean_angle_deg=found.forces_angle,
        stress_rmse_GPa=found.stress_rmse,
    )
