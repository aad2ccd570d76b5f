# SPDX-License-Identifier: MIT
"""Evolutionary search for structures of low energy, crystals or free clusters.

A population begins with the starts and random structures of their composition. Children come of
two parents by cut and splice, or of one by mutation; each is relaxed, and every step of its
relaxation is a frame. Operators, fitness and their usual values are those of MAISE. Where a
relaxation leads out of what is known (``gamma_break``), the frame is kept and the child is given
up, as its energy could not be trusted.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import CalculatorError
from ase.data import covalent_radii
from ase.geometry import minkowski_reduce

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.found import FoundStructure
from aiida_alpot.sampling.global_search.crossover import cross_clusters, cross_crystals
from aiida_alpot.sampling.global_search.mutations import mutate
from aiida_alpot.sampling.global_search.population import (
    Member,
    draw_parents,
    make_member,
    survivors,
    without_duplicates,
)
from aiida_alpot.sampling.global_search.search_state import Pause, Search, restore_search
from aiida_alpot.sampling.settings import require, setting
from aiida_alpot.sampling.stopping import Stop
from aiida_alpot.sampling.structures.pair_limits import Placement, make_limits
from aiida_alpot.sampling.structures.pushing_apart import push_apart
from aiida_alpot.sampling.structures.random_cells import smallest_width
from aiida_alpot.sampling.structures.random_crystals import RandomCrystals, RandomCrystalsSettings
from aiida_alpot.sampling.structures.random_structures import (
    RandomStructures,
    RandomStructuresSettings,
)
from aiida_alpot.sampling.structures.space_groups import space_group
from aiida_alpot.sampling.trajectories.relaxation import Relaxation, RelaxationSettings

# The keys of a campaign file carry their units.
# ruff: noqa: N815
_ATTEMPTS = 30
_LEAST_WIDTH = 0.8  # A; no crystal is so thin
_LARGEST_CHANGE = 4.0  # of the volume in a relaxation
_LOST = (CalculatorError, ArithmeticError, np.linalg.LinAlgError, GeometryError, ValueError)
"""What calculators raise where a relaxation has gone astray."""


@dataclass(frozen=True)
class EvolutionSettings:
    """Settings of :class:`Evolution`."""

    relaxations: int = setting(
        200, "Structures that are relaxed, starts and first generation among them."
    )
    population: int = setting(16, "Members that survive a generation, each of which has a child.")
    best: int = setting(2, "Members of lowest energy that survive in any case.")
    crossover: float = setting(
        0.7, "Share of the children that come of two parents; the others come of one by mutation."
    )
    mutation_of_children: float = setting(
        0.5, "Probability that a child of two parents is mutated, too."
    )
    random: float = setting(
        0.1, "Share of the children that are random structures, as those of the first generation."
    )
    first_generation: Literal["crystals", "structures"] = setting(
        "crystals",
        "What crystals begin with: crystals of random space groups, or structures of atoms at "
        "random places.",
    )
    volume_per_atom: float | tuple[float, float] | None = setting(
        None,
        "Volume per atom of random structures, A^3, or a range [smallest, largest]. null: that of "
        "the start by volume_factor; of clusters that of touching cubes.",
    )
    volume_factor: tuple[float, float] = setting(
        (0.9, 1.4), "Range of the volume of random crystals over that of the start."
    )
    min_distance_factor: float = setting(
        0.7, "Before it is relaxed a structure keeps this share of the sums of covalent radii."
    )
    min_distances: Mapping[str, float] | None = setting(
        None, "Smallest distances by pair, A, such as {Cu-Zr: 1.9}; they replace the factor."
    )
    relax_steps: int = setting(100, "Most steps of a relaxation.")
    fmax: float = setting(0.05, "Largest force at which a relaxation ends, eV/A.")
    cell: Literal["fixed", "isotropic", "flexible"] = setting(
        "flexible", "How the cells of crystals relax."
    )
    pressure_GPa: float = setting(0.0, "External pressure, GPa; enthalpies are compared then.")
    optimizer: Literal["BFGS", "LBFGS", "FIRE"] = setting("BFGS", "Name of the ASE optimiser.")
    fingerprint_width: float = setting(
        0.05,
        "Width of the peaks of the fingerprint by which duplicates are found, A. 0.008 is that of "
        "MAISE, for structures relaxed to the last digit.",
    )
    duplicate_limit: float = setting(
        0.99, "Similarity of fingerprint, energy and volume beyond which two are duplicates."
    )

    def __post_init__(self) -> None:
        for name in ("relaxations", "population", "relax_steps"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(
            self.relaxations > self.population,
            "relaxations",
            self.relaxations,
            f"more than the population ({self.population}), whose first members have no parents",
        )
        require(self.population >= 2, "population", self.population, "at least 2")
        require(0 <= self.best <= self.population, "best", self.best, "from 0 to population")
        for name in ("crossover", "mutation_of_children", "random"):
            value = getattr(self, name)
            require(0 <= value <= 1, name, value, "a share from 0 to 1")
        for name in ("fmax", "duplicate_limit"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        width = self.fingerprint_width
        require(0 < width <= 1, "fingerprint_width", width, "a positive number, at most 1 A")
        self.of_random_structures()
        self.relaxation(crystals=True)

    def of_random_structures(self) -> dict[str, Any]:
        """Return the settings of the random structures of the first generation."""
        shared: dict[str, Any] = {
            "structures": 1,
            "volume_per_atom": self.volume_per_atom,
            "volume_factor": self.volume_factor,
            "min_distance_factor": self.min_distance_factor,
            "min_distances": self.min_distances,
            "tries": 10,
        }
        RandomStructuresSettings(**shared)
        return shared

    def relaxation(self, *, crystals: bool) -> RelaxationSettings:
        """Return the settings of the relaxation of a child."""
        changes = crystals and self.cell != "fixed"
        return RelaxationSettings(
            steps=self.relax_steps,
            fmax=self.fmax,
            cell=self.cell if changes else "fixed",
            pressure_GPa=self.pressure_GPa if changes else 0.0,
            optimizer=self.optimizer,
        )


class Evolution:
    """Search from all starts together: their composition, and they are the first members.

    Frames: the relaxations of the starts, then of their children, which go to the chains in turn.
    ``atoms.info["child"]`` counts the structures and ``atoms.info["made_by"]`` says how.
    """

    joint: ClassVar[bool] = True
    searches: ClassVar[bool] = True
    independent: ClassVar[bool] = False
    in_pieces: ClassVar[bool] = True

    def __init__(self, settings: EvolutionSettings) -> None:
        self.settings = settings
        self._limits = make_limits(settings.min_distance_factor, settings.min_distances)
        self.is_resting = False
        self._pause: Pause | None = None
        self._search: Search | None = None

    def __str__(self) -> str:
        given = self.settings
        return (
            f"evolutionary search: {given.relaxations} relaxations of at most {given.relax_steps} "
            f"steps, population {given.population}"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise unless all starts are crystals, or clusters, of one composition."""
        if len(starts) > self.settings.relaxations:
            raise GeometryError(
                f"There are {len(starts)} starts, more than the {self.settings.relaxations} "
                "relaxations; raise 'relaxations'."
            )
        first = starts[0]
        if first.pbc.any() and self.settings.first_generation == "crystals":
            space_group(1)  # says so if spglib is missing
        if self.settings.pressure_GPa and not first.pbc.any():
            raise GeometryError(
                f"'pressure_GPa' is {self.settings.pressure_GPa:g}, and clusters have no volume "
                "for it to act on; leave it out."
            )
        for index, start in enumerate(starts):
            name = start.info.get("identifier", index)
            if len(start) < 2:
                raise GeometryError(f"Start {name} is one atom; a search needs two or more.")
            if start.pbc.any() and not (start.pbc.all() and start.cell.rank == 3):
                raise GeometryError(
                    f"Start {name} is periodic in some directions only; a search takes crystals "
                    "or free clusters."
                )
            alike = sorted(start.numbers) == sorted(first.numbers)
            if not alike or start.pbc.any() != first.pbc.any():
                raise GeometryError(
                    f"Start {name} has another composition than the first ({start.symbols}, "
                    f"{first.symbols}), or is not periodic alike; give each search its own sampler."
                )

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None = None,
    ) -> Generator[Frame, Stop | None, dict[int, Ending]]:
        """Yield the steps of all relaxations; return how the chains ended.

        With ``moving``, the :meth:`state` of an earlier run, those from that relaxation on.
        """
        given = self.settings
        search = self._search = Search(starts, rng, steps=[0] * len(starts))
        if moving is not None:
            restore_search(search, calculator, moving, width=given.fingerprint_width)
        while search.number < given.relaxations:
            self.is_resting, self._pause = True, Pause.of(search, calculator)
            number = search.number
            made, made_by = self._make(search, number)
            chain = number % len(starts)
            is_last = number + len(starts) >= given.relaxations
            made.info = {"child": number, "made_by": made_by}
            relaxed = yield from self._relax(search, made, calculator, chain=chain, is_last=is_last)
            if relaxed is not None:
                search.children.append(relaxed)
            if len(search.children) >= given.population or number + 1 == given.population:
                self._close_generation(search)
            search.number += 1
        return dict.fromkeys(range(len(starts)), Ending("finished", str(search.tally)))

    def state(self) -> dict[str, Any] | None:
        """Return the state before the latest relaxation as JSON."""
        return None if self._pause is None else self._pause.as_json()

    def found(self) -> list[FoundStructure]:
        """Return the members of the population by energy, without duplicates."""
        if self._search is None:
            return []
        members = without_duplicates(
            [*self._search.members, *self._search.children],
            duplicate_limit=self.settings.duplicate_limit,
        )
        return [
            FoundStructure(f"child_{member.number:04d}", member.atoms.copy(), member.energy)
            for member in members[: self.settings.population]
        ]

    def _close_generation(self, search: Search) -> None:
        given = self.settings
        search.tally.generations += 1
        candidates = [*search.members, *search.children]
        search.children = []
        if candidates:
            search.members, search.tally.duplicates = survivors(
                candidates,
                given.population,
                best=given.best,
                duplicate_limit=given.duplicate_limit,
                rng=search.rng,
            )

    def _relax(
        self,
        search: Search,
        made: Atoms,
        calculator: Any,
        *,
        chain: int,
        is_last: bool,
    ) -> Generator[Frame, Stop | None, Member | None]:
        """Yield the relaxation of a child; return the member that it becomes."""
        crystals = bool(made.pbc.all())
        relaxation = Relaxation(self.settings.relaxation(crystals=crystals))
        tally, steps = search.tally, search.steps
        tally.relaxed += 1
        first = steps[chain] == 0
        try:
            for frame in relaxation.frames([made], calculator, search.rng):
                ending, reached = None, tally
                if frame.ending is not None:
                    energy = self._energy(frame.atoms)
                    if energy < tally.lowest:
                        reached = replace(tally, lowest=energy, found_at=tally.relaxed)
                    ending = Ending("finished", str(reached)) if is_last else None
                stop = yield Frame(frame.atoms, chain, steps[chain], ending)
                self.is_resting = False
                steps[chain] += 1
                if stop is not None or (ending is None and _has_gone_astray(frame.atoms, made)):
                    tally.abandoned += 1
                    return None
                tally.lowest, tally.found_at = reached.lowest, reached.found_at
        except _LOST:
            # the start must be something that the calculator can do
            if first:
                raise
            tally.abandoned += 1
            return None
        atoms = Atoms(
            numbers=frame.atoms.numbers,
            positions=frame.atoms.positions,
            cell=frame.atoms.cell,
            pbc=frame.atoms.pbc,
        )
        if crystals:
            reduced, _ = minkowski_reduce(atoms.cell)
            atoms.set_cell(reduced)
            atoms.wrap()
        return make_member(
            atoms, energy, number=tally.relaxed, width=self.settings.fingerprint_width
        )

    def _energy(self, atoms: Atoms) -> float:
        """Return energy or enthalpy per atom, eV."""
        energy = float(atoms.get_potential_energy())
        if self.settings.pressure_GPa and atoms.pbc.all():
            energy += self.settings.pressure_GPa * units.GPa * float(atoms.get_volume())
        return energy / len(atoms)

    def _make(self, search: Search, number: int) -> tuple[Atoms, str]:
        """Return a structure to relax, and how it was made."""
        if number < len(search.starts):
            return search.starts[number].copy(), "start"
        given, rng = self.settings, search.rng
        for _ in range(_ATTEMPTS):
            fresh = number < given.population or rng.random() < given.random
            if fresh or len(search.members) < 2:
                made, how = self._random(search), "random"
            elif rng.random() < given.crossover:
                made, how = self._cross(search), "crossover"
            else:
                made, how = self._mutant(search), "mutation"
            if made is not None:
                return made, how
        raise GeometryError(
            f"no structure could be made in {_ATTEMPTS} attempts: atoms have no room. Raise the "
            "volume, or lower min_distance_factor or min_distances."
        )

    def _cross(self, search: Search) -> Atoms | None:
        rng, given = search.rng, self.settings
        first, second = draw_parents(
            search.members, 2, duplicate_limit=given.duplicate_limit, rng=rng
        )
        cross = cross_crystals if first.atoms.pbc.all() else cross_clusters
        child = cross(first.atoms, second.atoms, self._limits, rng)
        if child is not None and rng.random() < given.mutation_of_children:
            return mutate(child, self._limits, rng)
        return child

    def _mutant(self, search: Search) -> Atoms | None:
        limit = self.settings.duplicate_limit
        [parent] = draw_parents(search.members, 1, duplicate_limit=limit, rng=search.rng)
        return mutate(parent.atoms, self._limits, search.rng)

    def _random(self, search: Search) -> Atoms | None:
        start = search.starts[int(search.rng.integers(len(search.starts)))]
        if not start.pbc.all():
            return self._random_cluster(start, search.rng)
        shared = self.settings.of_random_structures()
        maker: RandomCrystals | RandomStructures
        if self.settings.first_generation == "crystals":
            maker = RandomCrystals(RandomCrystalsSettings(**{**shared, "atoms": len(start)}))
        else:
            maker = RandomStructures(RandomStructuresSettings(**shared))
        made = maker.make(start, search.rng)
        return made if isinstance(made, Atoms) else None

    def _random_cluster(self, start: Atoms, rng: np.random.Generator) -> Atoms | None:
        """Return atoms at random places of a cube that they fill loosely."""
        per_atom = self.settings.volume_per_atom
        if isinstance(per_atom, tuple):
            per_atom = float(rng.uniform(*per_atom))
        volume = (
            float(((2 * covalent_radii[start.numbers]) ** 3).sum())
            if per_atom is None
            else per_atom * len(start)
        )
        cube = np.eye(3) * volume ** (1 / 3)
        numbers = rng.permutation(start.numbers)
        placement = Placement(cube, np.full(3, False), self._limits, numbers)
        for number in numbers.tolist():
            placement.place_at_random(number, rng, tries=50, force=True)
        made = Atoms(numbers=numbers, positions=placement.positions, cell=start.cell, pbc=False)
        made.positions += start.positions.mean(axis=0) - made.positions.mean(axis=0)
        return made if push_apart(made, self._limits) else None


def _has_gone_astray(atoms: Atoms, made: Atoms) -> bool:
    """Return whether the cell of a crystal has blown up or collapsed on the way."""
    if not atoms.pbc.all():
        return False
    ratio = atoms.get_volume() / made.get_volume()
    collapsed = smallest_width(atoms.cell.array) < _LEAST_WIDTH
    return collapsed or not 1 / _LARGEST_CHANGE < ratio < _LARGEST_CHANGE
