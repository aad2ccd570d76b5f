# SPDX-License-Identifier: MIT
r"""Monte Carlo of exchanges of atoms: which atom sits where, at a temperature.

Two unlike atoms are drawn and exchanged; the exchange is accepted with probability ``min(1,
exp(-(E' - E) / kT))`` (Metropolis et al., J. Chem. Phys. 21, 1087 (1953)). Each pair of unlike
atoms is as likely as another, and as many remain after an exchange, so that what is visited
follows the Boltzmann distribution of the energies that are compared: those on the lattice, or, with
``relax_steps``, those of the nearest minima.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms, units

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.continuation import (
    atoms_from,
    describe_atoms,
    pairs_of,
    refusing_damage,
    restore_pairs,
)
from aiida_alpot.sampling.settings import (
    require,
    require_symbols,
    required_setting,
    setting,
)
from aiida_alpot.sampling.starts import prepare_start
from aiida_alpot.sampling.trajectories.relaxation import Relaxation, RelaxationSettings

# The keys of a campaign file carry their units.
# ruff: noqa: N815


@dataclass(frozen=True)
class LatticeMonteCarloSettings:
    """Settings of :class:`LatticeMonteCarlo`."""

    temperature_K: float | tuple[float, float] = required_setting(
        "Temperature, K, or a ramp [first, last], geometric over the exchanges (annealing)."
    )
    exchanges: int = setting(200, "Number of exchanges that are tried.")
    relax_steps: int = setting(
        20, "Most steps of relaxation after each exchange. 0: energies are those on the lattice."
    )
    fmax: float = setting(0.05, "Largest force at which a relaxation ends, eV/A.")
    cell: Literal["fixed", "isotropic", "flexible"] = setting(
        "fixed", "How the cell relaxes: fixed, isotropic (volume only) or flexible (shape too)."
    )
    pressure_GPa: float = setting(
        0.0, "External pressure on a cell that relaxes, GPa; enthalpies are compared then."
    )
    species: tuple[str, ...] | None = setting(
        None, "Species whose atoms are exchanged. null: all, interstitial ones too."
    )

    def __post_init__(self) -> None:
        first, last = self.ramp
        require(first > 0 and last > 0, "temperature_K", self.temperature_K, "above 0 K")
        require(self.exchanges >= 1, "exchanges", self.exchanges, "at least 1")
        require(self.relax_steps >= 0, "relax_steps", self.relax_steps, "zero or positive")
        require(
            self.cell == "fixed" or self.relax_steps > 0,
            "relax_steps",
            self.relax_steps,
            "positive for a cell that relaxes",
        )
        require_symbols("species", self.species or ())
        self.relaxation()

    @property
    def ramp(self) -> tuple[float, float]:
        """First and last temperature, K."""
        if isinstance(self.temperature_K, tuple):
            return self.temperature_K
        return self.temperature_K, self.temperature_K

    def relaxation(self) -> RelaxationSettings:
        """Return the settings of the relaxation after an exchange."""
        return RelaxationSettings(
            steps=max(self.relax_steps, 1),
            fmax=self.fmax,
            cell=self.cell,
            pressure_GPa=self.pressure_GPa,
        )


class LatticeMonteCarlo:
    """Exchange unlike atoms of each start.

    Frames: the start (step 0) and its relaxation, then those of each trial. The last frame of
    each trial says in ``atoms.info["accepted"]`` what became of it.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = False

    def __init__(self, settings: LatticeMonteCarloSettings) -> None:
        self.settings = settings
        self.is_resting = False
        self._before: dict[str, Any] | None = None

    def __str__(self) -> str:
        given = self.settings
        first, last = given.ramp
        temperature = f"{first:g} K" if first == last else f"{first:g} to {last:g} K"
        steps = f"up to {given.relax_steps} steps of" if given.relax_steps else "no"
        return (
            f"{given.exchanges} exchanges of atoms at {temperature}, {steps} relaxation after each"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start has no two atoms to exchange."""
        if self.settings.relax_steps:
            Relaxation(self.settings.relaxation()).check(starts)
        for index, start in enumerate(starts):
            if len(set(start.symbols[self._sites(start)])) < 2:
                raise GeometryError(
                    f"Start {start.info.get('identifier', index)} has no two species to exchange; "
                    "give an alloy, or other 'species'."
                )

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None = None,
    ) -> Iterator[Frame]:
        """Yield the frames of one chain after the other.

        With ``moving``, the :meth:`state` of an earlier run of the only chain, those from there on.
        """
        for chain, start in enumerate(starts):
            yield from self._run(chain, start, calculator, rng, moving=moving)

    def state(self) -> dict[str, Any] | None:
        """Return the state before the latest exchange as JSON; None before the first one."""
        if self._before is None:
            return None
        told = {**self._before, "current": describe_atoms(self._before["current"])}
        pairs = self._before["list_of"]
        return {**told, "list_of": None if pairs is None else describe_atoms(pairs)}

    def _run(
        self,
        chain: int,
        start: Atoms,
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None,
    ) -> Iterator[Frame]:
        exchanges = self.settings.exchanges
        current, energy = start, math.inf
        first, step, accepted = 0, 0, 0
        if moving is not None:
            with refusing_damage():
                first, step = int(moving["trial"]), int(moving["step"])
                accepted, energy = int(moving["accepted"]), float(moving["energy"])
                current = atoms_from(moving["current"])
                if sorted(current.numbers) != sorted(start.numbers):
                    raise ValueError(f"{current.symbols} in place of {start.symbols}")
                rng.bit_generator.state = dict(moving["rng"])
                restore_pairs(calculator, moving["list_of"])
        for trial in range(first, exchanges + 1):
            self.is_resting, self._before = True, None
            if trial > 0:
                self._before = {
                    "trial": trial,
                    "step": step,
                    "accepted": int(accepted),
                    "energy": energy,
                    "current": current,
                    "rng": rng.bit_generator.state,
                    "list_of": pairs_of(calculator),
                }
            made = current if trial == 0 else self._exchanged(current, rng)
            for atoms, is_last in self._settle(made, calculator):
                ending = None
                if is_last:
                    reached = self._energy(atoms)
                    taken = self._accepts(reached - energy, trial, rng)
                    atoms.info["accepted"] = taken
                    accepted += taken and trial > 0
                    ending = self._ending(accepted) if trial == exchanges else None
                yield Frame(atoms, chain, step, ending)
                self.is_resting = False
                step += 1
            if taken:
                current, energy = _bare(atoms), reached

    def _settle(self, made: Atoms, calculator: Any) -> Iterator[tuple[Atoms, bool]]:
        """Yield the steps of a relaxation, and whether each is the last."""
        if self.settings.relax_steps:
            relaxation = Relaxation(self.settings.relaxation())
            nothing_random = np.random.default_rng(0)
            for frame in relaxation.frames([made], calculator, nothing_random):
                yield frame.atoms, frame.ending is not None
        else:
            atoms = prepare_start(made, calculator)
            atoms.get_forces()
            yield atoms, True

    def _energy(self, atoms: Atoms) -> float:
        """Return energy or enthalpy, eV."""
        energy = float(atoms.get_potential_energy())
        pressure = self.settings.pressure_GPa * units.GPa
        return energy + pressure * float(atoms.get_volume()) if pressure else energy

    def _accepts(self, rise: float, trial: int, rng: np.random.Generator) -> bool:
        first, last = self.settings.ramp
        temperature = first * (last / first) ** (trial / self.settings.exchanges)
        return rise <= 0 or bool(rng.random() < math.exp(-rise / (units.kB * temperature)))

    def _exchanged(self, atoms: Atoms, rng: np.random.Generator) -> Atoms:
        """Return a copy with two unlike atoms exchanged, each such pair equally likely."""
        sites = self._sites(atoms)
        numbers = atoms.numbers[sites]
        while True:
            first, second = rng.choice(len(sites), size=2, replace=False)
            if numbers[first] != numbers[second]:
                break
        made = atoms.copy()
        made.numbers[sites[[first, second]]] = numbers[[second, first]]
        return made

    def _sites(self, atoms: Atoms) -> np.ndarray:
        species = self.settings.species
        if species is None:
            return np.arange(len(atoms))
        return np.flatnonzero(np.isin(atoms.get_chemical_symbols(), species))

    def _ending(self, accepted: int) -> Ending:
        tried = self.settings.exchanges
        return Ending(
            "finished", f"{tried} exchanges tried, {accepted} accepted ({accepted / tried:.0%})"
        )


def _bare(atoms: Atoms) -> Atoms:
    """Return a copy without calculator, momenta and remarks."""
    return Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
