# SPDX-License-Identifier: MIT
"""Contour exploration: wander over a contour of the potential energy, without any temperature.

The method is that of M. J. Waters and J. M. Rondinelli, "Contour Exploration with Potentiostatic
Kinematics", arXiv:2103.08054, the code ASE's ``ContourExploration``. With N = F/|F| the normal of
the contour and T the unit tangent, each step of length s goes along T, along a random direction
orthogonal to both (the drift), and along N: a potentiostat that holds the energy at its target.
Curvature limits s, and Frenet-Serret formulas extrapolate N and T along it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.md.contour_exploration import ContourExploration as Explorer

from aiida_alpot.bias.direction import tilt
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.restarting import Restart, place
from aiida_alpot.sampling.rigid_motions import remove_rigid_motions
from aiida_alpot.sampling.settings import require, required_setting, setting
from aiida_alpot.sampling.starts import prepare_start
from aiida_alpot.sampling.trajectories.motion import MovingSampler, restore_motion

# The keys of a campaign file carry their units.
# ruff: noqa: N815

Array = np.ndarray
SMALLEST_FORCE = 1e-8
"""Norm of all forces, eV/A, below which they say nothing of the direction of a contour."""
DIRECTION_SPEED = 1e-4
"""Scale of the velocities in units of ASE, so small that they are no temperature."""


@dataclass(frozen=True)
class ContourExplorationSettings:
    """Settings of :class:`ContourExploration`."""

    steps: int = required_setting("Number of steps, the displacement of the start among them.")
    energy_above_start_eV_per_atom: float | tuple[float, float] | None = setting(
        None,
        "Energy that is held, eV/atom above that of the start, or a ramp [first, last], linear "
        "over the steps. 5 % of the cohesive energy, such as 0.16 for Al, is a lot for a crystal.",
    )
    energy_eV_per_atom: float | None = setting(
        None, "Energy that is held, eV/atom, as the calculator counts it; in place of the former."
    )
    max_step_A: float = setting(0.5, "Longest step, A; step_of says what of.")
    step_of: Literal["all_atoms", "each_atom"] = setting(
        "all_atoms",
        "What max_step_A is the length of: all_atoms, the vector of all displacements together (as "
        "in ASE; 1 to 2 A suit 100 atoms), or each_atom, their root mean square, so that one value "
        "suits cells of any size (0.1 to 0.2 A).",
    )
    angle_limit_deg: float = setting(
        20.0,
        "Largest turn of the normal in a step, degrees: the smaller, the better is the energy.",
    )
    parallel_drift: float = setting(
        0.1, "Share of a step along the contour that goes in a random direction, 0 to 1."
    )
    potentiostat_scale: float | None = setting(
        None,
        "Correction of the energy in a step, 1 that of a linear potential. null: 1.1 + 0.6 "
        "parallel_drift.",
    )
    displacement_A: float = setting(
        0.01,
        "Standard deviation of the random displacement of each coordinate of the start, A. A "
        "start at a minimum lies on no contour.",
    )
    bias: BiasSettings | None = setting(
        None, "What the steps lean to: where the potential is uncertain; with gamma."
    )

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "a whole number of at least 1")
        if (self.energy_eV_per_atom is None) == (self.energy_above_start_eV_per_atom is None):
            raise SettingError(
                "Contour exploration needs one energy to hold: give either "
                "'energy_above_start_eV_per_atom' or 'energy_eV_per_atom'."
            )
        require(self.max_step_A > 0, "max_step_A", self.max_step_A, "a positive number")
        angle = self.angle_limit_deg
        require(0 < angle <= 90, "angle_limit_deg", angle, "a number above 0, at most 90")
        drift = self.parallel_drift
        require(0 <= drift <= 1, "parallel_drift", drift, "a number from 0 to 1")
        scale = self.potentiostat_scale
        require(scale is None or scale > 0, "potentiostat_scale", scale, "positive or null")
        size = self.displacement_A
        require(size >= 0, "displacement_A", size, "zero or a positive number")
        if self.bias is not None:
            self.bias.require_one_of("gamma", sampler="contour_exploration")

    @property
    def ramp(self) -> tuple[float, float] | None:
        """First and last energy above the start, eV/atom; None where the energy is absolute."""
        above = self.energy_above_start_eV_per_atom
        return above if isinstance(above, tuple) or above is None else (above, above)


class ContourExploration(MovingSampler):
    """Hold the potential energy at a target and go on along the contour.

    Frames: the start (step 0), the start displaced at random (step 1), and every step of the
    explorer. Velocities of the frames are directions only. A chain that goes on sets out in a new
    direction, to the energy of its step above that of the start, which is evaluated once more.
    """

    def __init__(self, settings: ContourExplorationSettings) -> None:
        self.settings = settings
        self._start_energy = 0.0

    def __str__(self) -> str:
        given = self.settings
        if given.ramp is None:
            energy = f"{given.energy_eV_per_atom:g} eV/atom"
        elif given.ramp[0] == given.ramp[1]:
            energy = f"{given.ramp[0]:g} eV/atom above the start"
        else:
            energy = f"{given.ramp[0]:g} to {given.ramp[1]:g} eV/atom above the start"
        length = {"all_atoms": "all together", "each_atom": "an atom"}[given.step_of]
        return (
            f"contour exploration at {energy}: {given.steps} steps of at most "
            f"{given.max_step_A:g} A {length}"
            f"{'' if given.bias is None else f', {given.bias}'}"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start has less than three atoms, which leaves no contour."""
        for index, start in enumerate(starts):
            if len(start) < 3:
                name = start.info.get("identifier", index)
                raise GeometryError(
                    f"Start {name!s} has {len(start)} atoms; contour exploration needs three. "
                    "Repeat its cell."
                )

    def tangent(self, atoms: Atoms, tangent: Array, normal: Array) -> Array:
        """Return the direction in which the explorer goes on, given its own.

        A bias leans it to where the potential is uncertain (:func:`aiida_alpot.bias.tilt`). Only
        the part orthogonal to ``normal`` counts, and its length does not.

        Parameters
        ----------
        atoms : Atoms
            As they stand, their calculator with the results of this geometry.
        tangent, normal : (n_atoms, 3) float64
            Unit vectors of all coordinates together: the direction so far, and that of the forces.
        """
        bias = self.settings.bias
        if bias is None or bias.gamma is None:
            return tangent
        return tilt(tangent, atoms.calc.term.gradient, normal, gamma=bias.gamma)

    def state(self) -> dict[str, Any] | None:
        """Return the state of the motion as JSON, from which it goes on to the same bits."""
        told = super().state()
        return None if told is None else {**told, "start_energy": self._start_energy}

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
        self._moving = None
        given = self.settings
        atoms = prepare_start(start, calculator)
        if moving is None:
            atoms.get_forces()
            energy = float(atoms.get_potential_energy(force_consistent=True))
        else:
            energy = float(moving["start_energy"])
        self._start_energy = energy
        done = place(atoms, restart) or 1
        if moving is None and restart is None:
            yield Frame(atoms, chain, 0)
            noise = given.displacement_A * rng.standard_normal((len(atoms), 3))
            atoms.positions += remove_rigid_motions(atoms, noise)
        explorer = self._make_explorer(atoms, rng, self._target(atoms, energy, done))
        if moving is not None:
            done = restore_motion(explorer, rng, moving)
        require_forces(atoms)
        for step, _ in enumerate(explorer.irun(given.steps - done), start=done):
            through = step == given.steps
            ending = Ending("finished", f"all {given.steps} steps done") if through else None
            self._moving = (explorer, rng, step)
            if moving is None or step > done:  # the frame before is judged already
                yield Frame(atoms, chain, step, ending)
            require_forces(atoms)
            explorer.energy_target = self._target(atoms, energy, step + 1)

    def _make_explorer(
        self, atoms: Atoms, rng: np.random.Generator, target: float
    ) -> TangentExplorer:
        given = self.settings
        share = {"all_atoms": 1.0, "each_atom": np.sqrt(len(atoms))}[given.step_of]
        direction = remove_rigid_motions(atoms, rng.standard_normal((len(atoms), 3)))
        atoms.set_velocities(DIRECTION_SPEED * direction)
        return TangentExplorer(
            atoms,
            self,
            maxstep=given.max_step_A * share,
            parallel_drift=given.parallel_drift,
            energy_target=target,
            angle_limit=given.angle_limit_deg,
            potentiostat_step_scale=given.potentiostat_scale,
            remove_translation=True,
            rng=rng,
        )

    def _target(self, atoms: Atoms, start_energy: float, step: int) -> float:
        """Return the energy of all atoms that is held in a step, eV."""
        given = self.settings
        if given.ramp is None:
            return len(atoms) * float(given.energy_eV_per_atom or 0.0)
        first, last = given.ramp
        above = first + (last - first) * min(step / given.steps, 1.0)
        return start_energy + len(atoms) * above


class TangentExplorer(Explorer):  # type: ignore[misc]
    """ASE's explorer, which asks its sampler for the tangent and wanders without rigid motions.

    A rotation of a molecule as a whole stays on the contour and would use up the steps.
    """

    def __init__(self, atoms: Atoms, sampler: ContourExploration, **settings: Any) -> None:
        self._sampler = sampler
        super().__init__(atoms, **settings)

    def rand_vect(self) -> Array:
        """Return a random direction without rigid motions."""
        return remove_rigid_motions(self._actual_atoms, super().rand_vect())

    def step(self, f: Array | None = None) -> Any:
        """Go one step on, along the tangent of the sampler."""
        atoms = self._actual_atoms
        forces = atoms.get_forces() if f is None else f
        velocities = atoms.get_velocities()
        normal = forces / np.linalg.norm(forces)
        tangent = velocities - np.vdot(velocities, normal) * normal
        tangent /= np.linalg.norm(tangent)
        chosen = self._sampler.tangent(atoms, tangent, normal)
        if chosen is not tangent:
            length = np.linalg.norm(velocities) / np.linalg.norm(chosen)
            atoms.set_velocities(length * chosen)
        return super().step(forces)


def require_forces(atoms: Atoms) -> None:
    """Raise GeometryError if no force says where the contour lies."""
    size = float(np.linalg.norm(atoms.get_forces()))
    if size < SMALLEST_FORCE:
        raise GeometryError(
            f"The forces on all atoms together are {size:.2g} eV/A: an energy contour has no "
            "direction there. Displace the start ('displacement_A' above 0)."
        )
