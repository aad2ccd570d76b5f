# SPDX-License-Identifier: MIT
"""Barriers of vacancy jumps, by a teacher and by the potential that learned from it.

The teacher's saddle points are found once, by the sampler ``path_search``; a potential is asked for
the energy between the teacher's start and saddle point, so that its error is that of the barrier
and not that of its own search.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.sampling import make_sampler, run_sampler

from .teachers import Teacher

STRAINS = (-0.02, 0.0, 0.02)
REPEATS = 2


@dataclass(frozen=True)
class Barrier:
    """A jump as the teacher has it: ends of it, relaxed start, saddle point, barrier in eV."""

    ends: tuple[Atoms, ...]
    start: Atoms
    saddle: Atoms
    energy: float


def vacancy_jumps(teacher: Teacher, *, other: str | None, lattice: float) -> list[Barrier]:
    """Return jumps of a vacancy in strained crystals, of an alloy also of both of its metals.

    Parameters
    ----------
    teacher : Teacher
        Who relaxes.
    other : str or None
        The alloy's second metal, on one site in four (L1_2).
    lattice : float
        Constant of the alloy, A.

    Raises
    ------
    RuntimeError
        If the teacher finds no saddle point.
    """
    crystals = [
        bulk(teacher.element, "fcc", a=teacher.lattice * (1 + strain), cubic=True)
        for strain in STRAINS
    ]
    if other is not None:
        ordered = bulk(teacher.element, "fcc", a=lattice * 0.97, cubic=True)
        ordered.symbols[0] = other
        crystals.append(ordered)
    return [_find(one * REPEATS, teacher) for one in crystals]


def barrier_error(potential: MomentTensorPotential, barriers: list[Barrier]) -> float:
    """Return the mean absolute error of the barriers, meV."""
    errors = []
    for one in barriers:
        both = Configurations.from_atoms([one.start, one.saddle])
        low, high = evaluate(potential, both).energy
        errors.append(abs(high - low - one.energy))
    return 1e3 * float(np.mean(errors))


def _find(crystal: Atoms, teacher: Teacher) -> Barrier:
    ends = _jump(crystal)
    calculator: Any = teacher.make_calculator()
    sampler = make_sampler("path_search", {"fmax": 0.02, "relax_fmax": 0.02})
    result = run_sampler(sampler, ends, calculator, rng=np.random.default_rng(0))
    if result.chains[0].stop != "converged":
        raise RuntimeError(f"No saddle point in {crystal.symbols}: {result.chains[0].reason}")
    saddle = result.found[0].atoms
    start, end = (_relaxed(one, teacher) for one in ends)
    low = min((start, end), key=lambda one: float(one.info["energy"]))
    saddle.calc = calculator
    energy = float(saddle.get_potential_energy()) - float(low.info["energy"])
    saddle.calc = None
    return Barrier((start, end), low, saddle, energy)


def _jump(crystal: Atoms) -> list[Atoms]:
    distances = crystal.get_distances(1, range(len(crystal)), mic=True)
    distances[1] = np.inf
    # a vacancy on a site of the majority, into which a neighbour of the majority jumps
    unlike = np.asarray(crystal.symbols) != crystal.symbols[1]
    neighbour = int(np.argmin(np.where(unlike, np.inf, distances)))
    start, end = crystal.copy(), crystal.copy()
    end.positions[neighbour] = crystal.positions[1]
    for atoms, name in ((start, "start"), (end, "end")):
        del atoms[1]
        atoms.info["identifier"] = name
    return [start, end]


def _relaxed(atoms: Atoms, teacher: Teacher) -> Atoms:
    sampler = make_sampler("relaxation", {"fmax": 0.005})
    found = run_sampler(
        sampler, [atoms], teacher.make_calculator(), rng=np.random.default_rng(0)
    ).found
    [one] = found
    relaxed = one.atoms
    relaxed.info["energy"] = one.energy * len(relaxed)
    return relaxed
