# SPDX-License-Identifier: MIT
"""Searches for saddle points from one start: displace it, and let a dimer climb.

Saddle points are what barriers depend on and what dynamics meets too rarely to teach. For those
between two known minima see :mod:`~aiida_alpot.sampling.saddles.path_search`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.optimize import BFGS

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.own_results import with_own_results
from aiida_alpot.sampling.rigid_motions import remove_rigid_motions
from aiida_alpot.sampling.saddles.dimer import Dimer, DimerSettings
from aiida_alpot.sampling.settings import require, setting

# The keys of a campaign file carry their units.
# ruff: noqa: N815

Array = np.ndarray
RELAXATION_STEP = 0.1
"""Longest step of an atom while a minimum is looked for, A."""


@dataclass(frozen=True)
class SaddleSearchSettings(DimerSettings):
    """Settings of :class:`SaddleSearch`."""

    relax: bool = setting(True, "Whether the start is relaxed first, its cell as it is.")
    relax_steps: int = setting(100, "Most steps of this relaxation.")
    relax_fmax: float = setting(0.02, "Largest force on an atom of a relaxed start, eV/A.")
    displacement_A: float = setting(
        0.1,
        "Standard deviation of the random displacement of each coordinate, A; with a mode, how far "
        "the atom that moves most is displaced along it.",
    )
    displacement_radius_A: float | None = setting(
        None,
        "Only atoms within this distance of an atom drawn at random are displaced, A: the search "
        "then looks for an event there. null: all atoms.",
    )
    mode: tuple[tuple[int, float, float, float], ...] = setting(
        (),
        "Direction in which the dimer climbs, in place of a random one: entries [atom, x, y, z], "
        "atoms counted from 0, all others at rest.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.relax_steps >= 1, "relax_steps", self.relax_steps, "a whole number of at least 1"
        )
        for name in ("relax_fmax", "displacement_A"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        radius = self.displacement_radius_A
        require(radius is None or radius > 0, "displacement_radius_A", radius, "positive or null")
        moves = all(atom >= 0 and np.any(vector) for atom, *vector in self.mode)
        require(moves, "mode", self.mode, "a list of [atom from 0, x, y, z] that move")


class SaddleSearch:
    """From each start to a saddle point nearby.

    Frames: the start (step 0), the steps of its relaxation, the displaced structure, the steps of
    the dimer (its centre).
    """

    joint: ClassVar[bool] = False
    searches: ClassVar[bool] = True
    independent: ClassVar[bool] = False

    def __init__(self, settings: SaddleSearchSettings) -> None:
        self.settings = settings

    def __str__(self) -> str:
        given = self.settings
        direction = "a given mode" if given.mode else "a random displacement"
        relaxed = "the relaxed start" if given.relax else "the start"
        return (
            f"saddle search by dimer from {relaxed} along {direction} to {given.fmax:g} eV/A: "
            f"at most {given.steps} steps"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if a start has too few atoms, or less than the mode names."""
        least = max([2, *(atom + 1 for atom, *_ in self.settings.mode)])
        for index, start in enumerate(starts):
            if len(start) < least:
                name = start.info.get("identifier", index)
                raise GeometryError(
                    f"Start {name!s} has {len(start)} atoms, this saddle search needs {least}. "
                    "Repeat its cell, or name other atoms in 'mode'."
                )

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield the start and each step of one chain after the other."""
        for chain, start in enumerate(starts):
            yield from self._run(chain, with_own_results(start, calculator), rng)

    def _run(self, chain: int, atoms: Atoms, rng: np.random.Generator) -> Iterator[Frame]:
        given = self.settings
        count = StepCounter(chain)
        atoms.get_forces()
        has_relaxed = True
        if given.relax:
            has_relaxed = yield from relax(
                atoms, count, steps=given.relax_steps, fmax=given.relax_fmax
            )
        else:
            yield count.frame(atoms)
        energy = atoms.get_potential_energy()
        displacement = self._displacement(atoms, rng)
        atoms.positions += displacement
        dimer = Dimer(atoms, displacement, given)
        for is_last in dimer.run():
            ending = None
            if is_last:
                rise = atoms.get_potential_energy() - energy
                ending = self._ending(dimer, rise, has_relaxed=has_relaxed)
            yield count.frame(atoms, ending)

    def _ending(self, dimer: Dimer, rise: float, *, has_relaxed: bool) -> Ending:
        kind, reason = "converged", describe_saddle(dimer, rise)
        if dimer.failure is not None:
            kind, reason = "unconverged", f"no saddle point: {dimer.failure}"
        if not has_relaxed:
            reason += f"; the start had not relaxed after {self.settings.relax_steps} steps"
        return Ending(kind, reason)

    def _displacement(self, atoms: Atoms, rng: np.random.Generator) -> Array:
        given = self.settings
        if given.mode:
            along = np.zeros((len(atoms), 3))
            for atom, *vector in given.mode:
                along[atom] = vector
            along *= given.displacement_A / np.linalg.norm(along, axis=1).max()
            return along
        noise = given.displacement_A * rng.standard_normal((len(atoms), 3))
        if given.displacement_radius_A is not None:
            centre = int(rng.integers(len(atoms)))
            distances = atoms.get_distances(centre, range(len(atoms)), mic=True)
            noise[distances > given.displacement_radius_A] = 0.0
        return remove_rigid_motions(atoms, noise)


class StepCounter:
    """Frames of one chain with their steps counted from 0."""

    def __init__(self, chain: int) -> None:
        self.chain = chain
        self.next = 0

    def frame(self, atoms: Atoms, ending: Ending | None = None) -> Frame:
        """Return the next frame of the chain."""
        self.next += 1
        return Frame(atoms, self.chain, self.next - 1, ending)


def relax(
    atoms: Atoms,
    count: StepCounter,
    *,
    steps: int,
    fmax: float,
    close: Callable[[str], Ending] | None = None,
) -> Generator[Frame, None, bool]:
    """Yield the start of a relaxation and its steps; return whether it converged.

    Parameters
    ----------
    atoms : Atoms
        Move; they have a calculator.
    count : StepCounter
    steps, fmax : int, float
        Most steps; largest force on an atom at which it has converged, eV/A.
    close : callable, optional
        Makes the ending of the last frame of what is wrong, "" if it converged.
    """
    optimizer = BFGS(atoms, logfile=None, maxstep=RELAXATION_STEP)
    for step, converged in enumerate(optimizer.irun(fmax=fmax, steps=steps)):
        is_last = bool(converged) or step == steps
        ending = None
        if is_last and close is not None:
            largest = np.linalg.norm(atoms.get_forces(), axis=1).max()
            wrong = f"forces of {largest:.3g} eV/A > {fmax:g} are left after all {steps} steps"
            ending = close("" if converged else wrong)
        yield count.frame(atoms, ending)
        if is_last:
            return bool(converged)
    return False


def describe_saddle(dimer: Dimer, rise: float) -> str:
    """Return in words which saddle point a dimer has found, ``rise`` in eV above its start."""
    return (
        f"saddle point {rise:.4f} eV above the start, curvature {dimer.curvature:.3g} eV/A^2, "
        f"forces below {dimer.settings.fmax:g} eV/A"
    )
