# SPDX-License-Identifier: MIT
"""Candidates, first training sets and frozen test sets of an fcc metal.

The gentle test set is what everyday use meets: thermal cells of the crystal, of a vacancy and of a
surface. The difficult one holds what breaks potentials: cells strained by up to 12 % in volume and
20 % in shape, displacements of 0.3 A, many vacancies, a liquid. Neither is ever selected from.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms, units
from ase.build import bulk, fcc111, make_supercell
from ase.md.bussi import Bussi
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from aiida_alpot.configurations import Configurations

from .teachers import Teacher

TIME_STEP = 3.0  # fs
EVERY = 8  # steps between the frames of a trajectory: neighbours resemble each other, on purpose
TEMPERATURES = (300.0, 800.0, 1400.0)  # K
SMALLEST = 0.65  # of the distance of neighbours: nearer pairs are nobody's question


def crystal(teacher: Teacher, repeats: int = 2) -> Atoms:
    """Return a cubic cell of the perfect crystal."""
    return bulk(teacher.element, "fcc", a=teacher.lattice, cubic=True).repeat(repeats)


def parents(teacher: Teacher) -> dict[str, Atoms]:
    """Return crystal, vacancy, surface and a small sheared cell."""
    vacancy = crystal(teacher)
    del vacancy[0]
    surface = fcc111(teacher.element, (2, 2, 4), a=teacher.lattice, vacuum=5.0, periodic=True)
    primitive = bulk(teacher.element, "fcc", a=teacher.lattice)
    small = make_supercell(primitive, [[2, 0, 0], [0, 2, 0], [1, 0, 2]])
    return {"bulk": crystal(teacher), "vacancy": vacancy, "surface": surface, "small": small}


def trajectory(
    atoms: Atoms, teacher: Teacher, temperature: float, frames: int, rng: np.random.Generator
) -> list[Atoms]:
    """Return frames of molecular dynamics with the teacher at constant volume."""
    moved = atoms.copy()
    moved.calc = teacher.make_calculator()
    MaxwellBoltzmannDistribution(moved, temperature_K=temperature, rng=rng, force_temp=True)
    dynamics = Bussi(moved, TIME_STEP * units.fs, temperature, 100 * units.fs, rng=rng)
    kept = []
    for _ in range(frames):
        dynamics.run(EVERY)
        frame = moved.copy()
        frame.calc = None
        kept.append(frame)
    return kept


def deformed(
    atoms: Atoms,
    rng: np.random.Generator,
    *,
    volume: tuple[float, float],
    shape: float,
    displacement: float,
    deletion: float = 0.0,
) -> Atoms:
    """Return a copy, strained in volume and shape, displaced, with atoms missing (shares)."""
    strain = rng.normal(size=(3, 3))
    strain = (strain + strain.T) / 2
    strain -= np.eye(3) * np.trace(strain) / 3
    strain *= shape * rng.uniform() / np.sqrt(2 / 3 * np.sum(strain**2))
    strain += np.eye(3) * np.log1p(rng.uniform(*volume)) / 3
    copy = atoms[rng.uniform(size=len(atoms)) >= deletion]
    copy.set_cell(copy.cell.array @ (np.eye(3) + strain), scale_atoms=True)
    copy.positions += rng.normal(0.0, displacement, copy.positions.shape)
    return copy


def deformations(
    teacher: Teacher, count: int, rng: np.random.Generator, **how: object
) -> list[Atoms]:
    """Return so many deformed cells of the parents, none with pairs that are far too near."""
    made: list[Atoms] = []
    chosen = list(parents(teacher).values())
    limit = SMALLEST * teacher.lattice / np.sqrt(2)
    while len(made) < count:
        one = deformed(chosen[len(made) % len(chosen)], rng, **how)  # type: ignore[arg-type]
        distances = one.get_all_distances(mic=True)
        if distances[np.triu_indices(len(one), 1)].min() > limit:
            made.append(one)
    return made


def candidates(
    teacher: Teacher, rng: np.random.Generator, *, each: int, rare: int
) -> Configurations:
    """Return a pool: trajectories of each parent and temperature, and ``rare`` deformed cells."""
    frames = [
        frame
        for atoms in parents(teacher).values()
        for temperature in TEMPERATURES
        for frame in trajectory(atoms, teacher, temperature, each, rng)
    ]
    frames += deformations(
        teacher, rare, rng, volume=(-0.12, 0.15), shape=0.2, displacement=0.15, deletion=0.03
    )
    return teacher.label(frames)


def first_training(teacher: Teacher, rng: np.random.Generator, count: int = 3) -> Configurations:
    """Return slightly strained and rattled cells of the crystal, all that is known at first."""
    cells = [
        deformed(crystal(teacher), rng, volume=(-0.03, 0.03), shape=0.02, displacement=0.05)
        for _ in range(count)
    ]
    return teacher.label(cells)


def gentle_set(teacher: Teacher, rng: np.random.Generator, *, each: int = 6) -> Configurations:
    """Return thermal cells of bulk, vacancy and surface at 300 and 800 K."""
    chosen = parents(teacher)
    return teacher.label(
        [
            frame
            for name in ("bulk", "vacancy", "surface")
            for temperature in (300.0, 800.0)
            for frame in trajectory(chosen[name], teacher, temperature, 4 * each, rng)[3::4]
        ]
    )


def difficult_set(teacher: Teacher, rng: np.random.Generator, *, count: int = 40) -> Configurations:
    """Return strongly deformed cells and frames of a melt."""
    hard = {"volume": (-0.12, 0.15), "shape": 0.2, "displacement": 0.2, "deletion": 0.06}
    melt = trajectory(crystal(teacher), teacher, 3000.0, count, rng)[count // 5 :: 4]
    return teacher.label([*deformations(teacher, count, rng, **hard), *melt])
