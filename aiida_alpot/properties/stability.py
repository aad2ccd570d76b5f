# SPDX-License-Identifier: MIT
"""A long run with the potential: whether it stays where it was trained, and is right there."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.properties.trajectory_errors import evaluate_frames, freeze
from aiida_alpot.sampling.chains import ChainResult
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.stopping import Observation, StopRules
from aiida_alpot.sampling.trajectories.molecular_dynamics import (
    MolecularDynamics,
    MolecularDynamicsSettings,
)

# The keys of settings and results carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class StabilitySettings:
    """Settings of :func:`stability`."""

    temperature_K: float = setting(900.0, "Temperature, K.")
    steps: int = setting(20000, "Number of time steps.")
    every: int = setting(200, "Time steps between frames compared with the reference.")
    ensemble: Literal["nvt", "npt"] = setting("nvt", "nvt, or npt at zero pressure.")
    timestep_fs: float = setting(2.0, "Time step, fs.")
    gamma_select: float = setting(2.0, "Grade above which frames are counted.")
    gamma_break: float = setting(10.0, "Grade above which frames count as broken.")

    def __post_init__(self) -> None:
        require(self.every >= 1, "every", self.every, "a whole number of at least 1")
        require(
            0 < self.gamma_select <= self.gamma_break,
            "gamma_select",
            self.gamma_select,
            "positive and at most gamma_break",
        )
        self.dynamics()

    def dynamics(self) -> MolecularDynamicsSettings:
        """Return the settings of the run."""
        return MolecularDynamicsSettings(
            temperature_K=self.temperature_K,
            steps=self.steps,
            ensemble=self.ensemble,
            timestep_fs=self.timestep_fs,
        )


@dataclass(frozen=True)
class Stability:
    """Result of :func:`stability`.

    Parameters
    ----------
    steps : int
        Steps reached.
    completed : bool
        Whether all steps were done.
    reason : str
        How the run ended, in words.
    n_frames, n_graded : int
        Frames seen, and those with a grade.
    n_above_gamma_select, n_above_gamma_break : int
        Frames beyond the thresholds.
    largest_grade : float
        NaN where nothing grades.
    n_compared : int
        Frames evaluated with the reference.
    largest_force_error_eV_per_A : float
        Length of the largest difference of forces on one atom; NaN without a reference.
    forces_rmse_eV_per_A : float
        Per component; NaN without a reference.
    energy_rmse_meV_per_atom : float
        NaN without a reference.
    """

    steps: int
    completed: bool
    reason: str
    n_frames: int
    n_graded: int
    n_above_gamma_select: int
    n_above_gamma_break: int
    largest_grade: float
    n_compared: int
    largest_force_error_eV_per_A: float
    forces_rmse_eV_per_A: float
    energy_rmse_meV_per_atom: float


def stability(
    calculator: Any,
    structure: Atoms,
    settings: StabilitySettings | None = None,
    *,
    reference: Any = None,
    rng: np.random.Generator | None = None,
) -> Stability:
    """Run molecular dynamics with ``calculator``, count grades, and measure true errors on the way.

    The run does not stop on a grade; it stops on collisions, on numbers that are not finite and on
    runaway temperature or energy.

    Parameters
    ----------
    calculator : ASE calculator
        The potential; with an active set it grades.
    structure : Atoms
        Start of the run; not changed.
    settings : StabilitySettings, optional
    reference : ASE calculator, optional
        Evaluated every ``settings.every`` steps.
    rng : numpy.random.Generator, optional
        Seeded with 0 by default.
    """
    settings = settings or StabilitySettings()
    rng = np.random.default_rng(0) if rng is None else rng
    watch = _Watch(settings, keep_frames=reference is not None)
    start = structure.copy()
    start.info["identifier"] = "structure"
    [chain] = run_sampler(
        MolecularDynamics(settings.dynamics()),
        [start],
        calculator,
        rng=rng,
        stop_rules=StopRules(gamma_break=None),
        observe=watch.observe,
    ).chains
    return _summarise(chain, watch, reference)


@dataclass
class _Watch:
    settings: StabilitySettings
    keep_frames: bool
    above_select: int = 0
    above_break: int = 0
    frames: list[Atoms] = field(default_factory=list)

    def observe(self, seen: Observation) -> None:
        self.above_select += seen.grade > self.settings.gamma_select
        self.above_break += seen.grade > self.settings.gamma_break
        due = self.keep_frames and seen.step % self.settings.every == 0
        if due and np.isfinite(seen.forces).all():
            self.frames.append(freeze(seen.atoms))


def _summarise(chain: ChainResult, watch: _Watch, reference: Any) -> Stability:
    largest = rmse = energy_rmse = math.nan
    if watch.frames:
        truth = evaluate_frames(watch.frames, reference)
        pairs = list(zip(watch.frames, truth, strict=True))
        differences = np.array([one.get_forces() - true.get_forces() for one, true in pairs])
        energies = np.array(
            [
                one.get_potential_energy(force_consistent=True)
                - true.get_potential_energy(force_consistent=True)
                for one, true in pairs
            ]
        )
        largest = float(np.linalg.norm(differences, axis=2).max())
        rmse = float(np.sqrt(np.mean(differences**2)))
        energy_rmse = float(np.sqrt(np.mean((energies / differences.shape[1]) ** 2)) * 1e3)
    return Stability(
        steps=chain.steps,
        completed=chain.completed,
        reason=chain.reason,
        n_frames=chain.frames,
        n_graded=chain.graded,
        n_above_gamma_select=watch.above_select,
        n_above_gamma_break=watch.above_break,
        largest_grade=chain.largest_grade,
        n_compared=len(watch.frames),
        largest_force_error_eV_per_A=largest,
        forces_rmse_eV_per_A=rmse,
        energy_rmse_meV_per_atom=energy_rmse,
    )
