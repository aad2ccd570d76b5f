# SPDX-License-Identifier: MIT
r"""Structures displaced as heat displaces them, in the harmonic approximation.

Each normal mode has a Gaussian amplitude of variance ``kT / w^2`` (classical) or ``hbar / (2 w)
coth(hbar w / 2 kT)`` (quantum), so that a classical mode holds ``kT / 2`` of potential energy on
average. Structures are independent of one another, where those of molecular dynamics are not,
and cost one evaluation each once the force constants are there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms, units
from ase.optimize import BFGS

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import require, required_setting, setting
from aiida_alpot.sampling.starts import prepare_start
from aiida_alpot.sampling.structures.force_constants import (
    THZ,
    NormalModes,
    force_constants,
    normal_modes,
    require_phonopy,
)
from aiida_alpot.sampling.structures.generation import Made, frames_of_made
from aiida_alpot.sampling.structures.pair_limits import make_limits

Array = np.ndarray
HBAR = units._hbar * units.J * units.s
# The keys of a campaign file carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class HarmonicSettings:
    """Settings of :class:`Harmonic`."""

    temperature_K: float | tuple[float, float] = required_setting(
        "Temperature, K, or a range [lowest, highest] from which that of each structure is drawn."
    )
    structures: int = setting(50, "Number of structures made of each start.")
    modes: Literal["phonons", "einstein"] = setting(
        "phonons",
        "phonons: displacements of atoms go together as in the normal modes of the cell; einstein: "
        "each atom moves alone in the well that its neighbours make.",
    )
    statistics: Literal["classical", "quantum"] = setting(
        "classical", "How a mode is occupied: classical (kT / 2 each), or quantum with zero point."
    )
    imaginary: Literal["skip", "mirror", "refuse"] = setting(
        "skip",
        "What becomes of modes whose energy falls (imaginary frequencies): skip leaves them out, "
        "mirror takes them as if the energy rose, refuse ends the chain.",
    )
    lowest_frequency_THz: float = setting(
        0.3, "Modes of lower frequency, real or imaginary, get the amplitude of this one, THz."
    )
    relax: bool = setting(
        True, "Relax the positions first: the approximation holds about a minimum."
    )
    fmax: float = setting(0.01, "Largest force at which the relaxation ends, eV/A.")
    relax_steps: int = setting(300, "Most steps of the relaxation.")
    displacement: float = setting(0.01, "Displacement of the finite differences, A.")
    min_distance_factor: float = setting(
        0.7, "Two atoms keep at least this share of the sum of their covalent radii."
    )
    min_distances: Mapping[str, float] | None = setting(
        None, "Smallest distances by pair, A, such as {Cu-Zr: 1.9}; they replace the factor."
    )
    tries: int = setting(100, "Times that a structure is drawn anew before it is given up.")

    def __post_init__(self) -> None:
        low, high = self.range_of_temperatures
        require(0 < low <= high, "temperature_K", self.temperature_K, "above 0 K, lowest first")
        for name in ("structures", "relax_steps", "tries"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("fmax", "displacement", "lowest_frequency_THz"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        make_limits(self.min_distance_factor, self.min_distances)

    @property
    def range_of_temperatures(self) -> tuple[float, float]:
        """Lowest and highest temperature, K."""
        if isinstance(self.temperature_K, tuple):
            return self.temperature_K
        return self.temperature_K, self.temperature_K


class Harmonic:
    """Displace each start, or its relaxed structure, along its modes.

    Frames: the start (step 0), then the displaced structures.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: HarmonicSettings) -> None:
        self.settings = settings
        self._limits = make_limits(settings.min_distance_factor, settings.min_distances)

    def __str__(self) -> str:
        given = self.settings
        low, high = given.range_of_temperatures
        temperature = f"{low:g} K" if low == high else f"{low:g} to {high:g} K"
        return (
            f"{given.structures} structures displaced along {given.modes} at {temperature}, "
            f"{given.statistics} statistics"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise if a start is a single atom, which has no modes, or phonopy is missing."""
        require_phonopy(starts)
        for index, start in enumerate(starts):
            if len(start) < 2:
                name = start.info.get("identifier", index)
                raise GeometryError(f"Start {name} is one atom, which has no modes; repeat it.")

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and the structures displaced from it."""
        for chain, start in enumerate(starts):
            yield from self._chain(chain, start, calculator, rng)

    def _chain(
        self, chain: int, start: Atoms, calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        first = prepare_start(start, calculator)
        first.get_forces()
        yield Frame(first, chain, 0)
        centre = self._relaxed(start, calculator)
        modes = self._modes(centre, calculator)
        note = self._check_modes(modes)

        def make(_: Atoms, rng: np.random.Generator) -> Made:
            return self._displaced(centre, modes, rng)

        frames = frames_of_made([start], calculator, rng, self.settings.structures, make, note=note)
        next(frames)  # the start has been seen
        for frame in frames:
            yield frame._replace(chain=chain)

    def _relaxed(self, start: Atoms, calculator: Any) -> Atoms:
        given = self.settings
        atoms = prepare_start(start, calculator)
        if given.relax:
            BFGS(atoms, logfile=None).run(fmax=given.fmax, steps=given.relax_steps)
            largest = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
            if largest > given.fmax:
                raise GeometryError(
                    f"the start is not at a minimum: after {given.relax_steps} steps of relaxation "
                    f"the largest force is {largest:.3g} eV/A; raise 'relax_steps' or 'fmax'."
                )
        return Atoms(
            numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc
        )

    def _modes(self, centre: Atoms, calculator: Any) -> NormalModes:
        constants = force_constants(centre, calculator, self.settings.displacement)
        if self.settings.modes == "phonons":
            return normal_modes(centre, constants)
        alone = np.zeros_like(constants)
        for atom in range(len(centre)):
            block = slice(3 * atom, 3 * atom + 3)
            alone[block, block] = constants[block, block]
        return normal_modes(centre, alone)

    def _check_modes(self, modes: NormalModes) -> str:
        """Return what is to be said of imaginary modes."""
        given = self.settings
        imaginary = modes.squares < -((given.lowest_frequency_THz * THZ) ** 2)
        if not imaginary.any():
            return ""
        deepest = np.sqrt(-modes.squares.min()) / THZ
        found = f"{imaginary.sum()} of {len(imaginary)} modes are imaginary, down to {deepest:.3g}i"
        if given.imaginary == "refuse":
            raise GeometryError(
                f"{found} THz: the start is no minimum. Displace it and relax it again, or choose "
                "imaginary: skip or mirror."
            )
        done = {"skip": "left out", "mirror": "taken as if real"}[given.imaginary]
        return f"{found} THz, and were {done}"

    def _displaced(self, centre: Atoms, modes: NormalModes, rng: np.random.Generator) -> Made:
        given = self.settings
        for _ in range(given.tries):
            temperature = rng.uniform(*given.range_of_temperatures)
            amplitudes = self.deviations(modes, temperature) * rng.standard_normal(
                len(modes.squares)
            )
            made = centre.copy()
            made.positions += np.tensordot(amplitudes, modes.vectors, axes=1)
            if self._limits.keeps(made):
                return made
        return (
            f"atoms too near to one another in {given.tries} draws at {temperature:.3g} K (lower "
            "the temperature, min_distance_factor or min_distances)"
        )

    def deviations(self, modes: NormalModes, temperature: float) -> Array:
        """Return the standard deviation of the amplitude of each mode at a temperature in K."""
        given = self.settings
        floor = given.lowest_frequency_THz * THZ
        frequencies = np.maximum(np.sqrt(np.abs(modes.squares)), floor)
        thermal = units.kB * temperature
        if given.statistics == "classical":
            variances = thermal / frequencies**2
        else:
            variances = HBAR / (2 * frequencies) / np.tanh(HBAR * frequencies / (2 * thermal))
        left_out = (modes.squares < -(floor**2)) & (given.imaginary == "skip")
        deviations: Array = np.where(left_out, 0.0, np.sqrt(variances))
        return deviations
