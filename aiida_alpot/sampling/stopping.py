# SPDX-License-Identifier: MIT
"""When to stop a chain: small conditions that are asked one after the other at each frame.

A condition looks at one :class:`Observation` and answers with a :class:`Stop`, or with None to go
on. Conditions may remember earlier frames, so each chain gets its own from :class:`StopRules`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from ase import Atoms, units

from aiida_alpot.sampling.collisions import CollisionWatch
from aiida_alpot.sampling.settings import require, setting

ENDINGS = ("finished", "converged", "unconverged")
"""Kinds of stop with which a chain has run its whole length."""
SHARE_OF_KNOWN_DISTANCES = 0.7
"""Frames with pairs nearer than this share of the smallest known distance are of no use.

The gate before labelling refuses them by default, too.
"""


class Observation(NamedTuple):
    """What a condition sees: one frame with the results of its calculator.

    ``energy`` in eV, ``forces`` in eV/A, ``grade`` NaN where nothing grades; ``chain`` names the
    chain that the frame belongs to.
    """

    atoms: Atoms
    step: int
    energy: float
    forces: np.ndarray
    grade: float
    chain: str = ""


class Stop(NamedTuple):
    """Why a chain ended: the kind for programs, the reason in words for people.

    Kinds are those of :data:`ENDINGS`, and ``gamma_break``, ``collision``, ``not_finite``,
    ``temperature``, ``energy``, ``budget`` and ``calculator``.
    """

    kind: str
    reason: str


class StopCondition(Protocol):
    """Decide whether a chain ends at this frame."""

    def __call__(self, seen: Observation) -> Stop | None:
        """Return why the chain stops here, or None to go on."""
        ...


class StopOnNumbersThatAreNotFinite:
    """Stop when energy, forces, positions or cell are NaN or infinite."""

    def __call__(self, seen: Observation) -> Stop | None:
        """Find the first value that is not a number."""
        # a sum is finite only if every term is (or it overflows, which is as bad), and costs less
        for name, value in (
            ("energy", seen.energy),
            ("a force", float(seen.forces.sum())),
            ("a position", float(seen.atoms.arrays["positions"].sum())),
            ("the cell", float(seen.atoms.cell.array.sum())),
        ):
            if not math.isfinite(value):
                return Stop("not_finite", f"{name} is not finite at step {seen.step}")
        return None


class StopOnGrade:
    """Stop when the extrapolation grade exceeds ``gamma_break``."""

    def __init__(self, gamma_break: float) -> None:
        self.gamma_break = gamma_break

    def __call__(self, seen: Observation) -> Stop | None:
        """Compare the grade with its limit."""
        if seen.grade > self.gamma_break:
            return Stop(
                "gamma_break",
                f"grade {seen.grade:.4g} > gamma_break {self.gamma_break:g} at step {seen.step}",
            )
        return None


class StopOnCollision:
    """Stop when two atoms come nearer than ``distance`` in Angstrom.

    Without a distance, half the sum of the covalent radii of the pair, and at least ``floor``.
    """

    def __init__(self, distance: float | None, *, floor: float = 0.0) -> None:
        self._watch = CollisionWatch(distance, floor=floor)

    def __call__(self, seen: Observation) -> Stop | None:
        """Look for a pair that is too close."""
        found = self._watch.find(seen.atoms)
        if found is None:
            return None
        symbols = seen.atoms.symbols
        i, j = found.first, found.second
        return Stop(
            "collision",
            f"atoms {i} ({symbols[i]}) and {j} ({symbols[j]}) are {found.distance:.3g} A apart, "
            f"nearer than {found.allowed:.3g} A, at step {seen.step}",
        )


class StopOnTemperature:
    """Stop when the kinetic temperature exceeds ``largest``, in K."""

    def __init__(self, largest: float) -> None:
        self.largest = largest

    def __call__(self, seen: Observation) -> Stop | None:
        """Compare the temperature with its limit."""
        temperature = kinetic_temperature(seen.atoms)
        if temperature > self.largest:
            return Stop(
                "temperature",
                f"temperature {temperature:.4g} K > {self.largest:g} K at step {seen.step}",
            )
        return None


class StopOnEnergyChange:
    """Stop when the energy has left that of the start by more than ``largest``, in eV/atom."""

    def __init__(self, largest: float) -> None:
        self.largest = largest
        self._start: float | None = None

    def __call__(self, seen: Observation) -> Stop | None:
        """Compare the energy with that of the first frame."""
        energy = seen.energy / len(seen.atoms)
        if self._start is None:
            self._start = energy
        change = energy - self._start
        if abs(change) > self.largest:
            return Stop(
                "energy",
                f"the energy changed by {change:+.4g} eV/atom from the start, more than "
                f"{self.largest:g}, at step {seen.step}",
            )
        return None


class StopOnBudget:
    """Stop after ``max_steps`` steps, whatever the sampler would still do."""

    def __init__(self, max_steps: int) -> None:
        self.max_steps = max_steps

    def __call__(self, seen: Observation) -> Stop | None:
        """Compare the step with the budget."""
        if seen.step >= self.max_steps:
            return Stop("budget", f"the budget of {self.max_steps} steps is used up")
        return None


@dataclass(frozen=True)
class StopRules:
    """When a chain is stopped before its sampler ends it.

    Order of precedence where several hold: numbers that are not finite, collision, grade,
    temperature, energy, budget.
    """

    gamma_break: float | None = setting(
        10.0, "Largest extrapolation grade of a frame; beyond it the chain stops. null: never."
    )
    collision_distance: float | None = setting(
        None,
        "Smallest distance of two atoms, A. null: half the sum of their covalent radii, and for a "
        "moment tensor potential at least 0.7 of its min_distance; with a ZBL core none.",
    )
    max_steps: int | None = setting(None, "Most steps of any chain. null: the sampler decides.")
    max_temperature_K: float | None = setting(  # noqa: N815 - the unit of the key
        20000.0, "Largest kinetic temperature, K. null: no limit."
    )
    max_energy_change: float | None = setting(
        5.0, "Largest change of the energy from that of the start, eV/atom. null: no limit."
    )

    def __post_init__(self) -> None:
        for name in ("gamma_break", "collision_distance", "max_temperature_K", "max_energy_change"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "a positive number or null")
        require(
            self.max_steps is None or self.max_steps >= 0,
            "max_steps",
            self.max_steps,
            "zero, a positive whole number or null",
        )

    def conditions(self, calculator: Any = None) -> list[StopCondition]:
        """Return fresh conditions for one chain, in their order of precedence.

        Parameters
        ----------
        calculator : ASE calculator, optional
            Its attribute ``uncontrolled_below`` says below which distance its results mean nothing,
            Angstrom; 0 if they always do. Without it nothing is known. Conditions of its own come
            from its method ``stop_conditions``, and count with the grade.
        """
        optional: list[tuple[float | None, Callable[[float], StopCondition]]] = [
            (self.gamma_break, StopOnGrade),
            (self.max_temperature_K, StopOnTemperature),
            (self.max_energy_change, StopOnEnergyChange),
            (self.max_steps, lambda steps: StopOnBudget(int(steps))),
        ]
        chosen = [make(value) for value, make in optional if value is not None]
        tell = getattr(calculator, "stop_conditions", None)
        own = [] if tell is None else tell()
        return [StopOnNumbersThatAreNotFinite(), *self._collision(calculator), *own, *chosen]

    def _collision(self, calculator: Any) -> list[StopCondition]:
        limit = getattr(calculator, "uncontrolled_below", None)
        if limit == 0.0 and self.collision_distance is None:
            return []
        floor = SHARE_OF_KNOWN_DISTANCES * (limit or 0.0)
        return [StopOnCollision(self.collision_distance, floor=floor)]


def kinetic_temperature(atoms: Atoms) -> float:
    """Return the kinetic temperature in K, over the degrees of freedom left by constraints."""
    momenta = atoms.arrays.get("momenta")
    if momenta is None:
        return 0.0
    masses = atoms.get_masses()
    twice_kinetic = float((momenta**2).sum(axis=1) @ (1 / masses))
    removed = sum(constraint.get_removed_dof(atoms) for constraint in atoms.constraints)
    return float(twice_kinetic / (units.kB * max(3 * len(atoms) - removed, 1)))
