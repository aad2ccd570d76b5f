# SPDX-License-Identifier: MIT
"""Structures derived from a parent: strained, displaced, with atoms deleted, exchanged, added.

The operations and the amplitudes of both protocols are those of Waters and Rondinelli
(arXiv:2208.00735), where such structures of metals and oxides, and random ones, filled each loop
of active learning; surfaces, vacancies, interstitials and clusters are added.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.errors import GeometryError
from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import require, require_symbols, setting
from aiida_alpot.sampling.structures.cuts import cut_cluster, cut_slab
from aiida_alpot.sampling.structures.defects import (
    delete,
    displace,
    put_between,
    substitute,
    take_out,
)
from aiida_alpot.sampling.structures.generation import Made, frames_of_made
from aiida_alpot.sampling.structures.pair_limits import make_limits
from aiida_alpot.sampling.structures.strains import strain_shape, strain_volume

OPERATIONS: dict[str, float] = {
    "substitution": 1.0,
    "interstitials": 0.0,
    "surface": 0.0,
    "cluster": 0.0,
    "deletion": 1.0,
    "vacancies": 0.0,
    "volume_strain": 1.0,
    "von_mises_strain": 1.0,
    "displacement": 1.0,
}
"""Operations in the order in which they are done, and the usual probability of each."""

WANTED_BY = {
    "vacancies": "vacancies",
    "interstitials": "interstitials",
    "interstitial_species": "interstitials",
    "miller": "surface",
    "thickness": "surface",
    "cluster_atoms": "cluster",
}
"""Settings of operations that are not done unless that is asked for."""

PROTOCOLS = {"metals": (0.4, 0.5), "oxides": (0.3, 0.1)}
"""Displacement, A, and probability that an atom is substituted."""


@dataclass(frozen=True)
class DerivedStructuresSettings:
    """Settings of :class:`DerivedStructures`."""

    structures: int = setting(50, "Number of structures made of each start.")
    protocol: Literal["metals", "oxides"] = setting(
        "metals", "Amplitudes of displacement and substitution: those for metals or for oxides."
    )
    probabilities: Mapping[str, float] | None = setting(
        None,
        "Probability of each operation, such as {surface: 0.2, deletion: 0}. Those not named: 1 "
        "for volume_strain, von_mises_strain, displacement, deletion and substitution; 0 for "
        "surface, cluster, vacancies and interstitials.",
    )
    species: tuple[str, ...] | None = setting(
        None,
        "Species that are exchanged for one another by substitution; atoms of others stay. null: "
        "those of the start.",
    )
    substitution: float | None = setting(
        None,
        "Probability that an atom becomes another of the species. null: 0.5 for metals, 0.1 for "
        "oxides.",
    )
    deletion: float = setting(0.05, "Probability that an atom is deleted.")
    vacancies: int = setting(1, "Atoms that are taken out where there are vacancies.")
    interstitials: int = setting(1, "Atoms that are put in where there are interstitials.")
    interstitial_species: tuple[str, ...] | None = setting(
        None, "Species of interstitials. null: those of species, else of the start."
    )
    volume_strain: tuple[float, float] = setting(
        (-0.025, 0.075), "Range of the change of the volume, as a share of it."
    )
    von_mises_strain: float = setting(
        0.2, "Largest von Mises strain of a change of shape, uniform from 0."
    )
    displacement: float | None = setting(
        None,
        "Standard deviation of the displacement of each coordinate, A. null: 0.4 for metals, 0.3 "
        "for oxides.",
    )
    miller: tuple[tuple[int, int, int], ...] = setting(
        ((1, 0, 0), (1, 1, 0), (1, 1, 1)),
        "Miller indices of surfaces in the cell of the start; one is drawn.",
    )
    thickness: float = setting(8.0, "Least thickness of a slab, A.")
    vacuum: float = setting(10.0, "Vacuum between a slab or cluster and its image, A.")
    cluster_atoms: tuple[int, int] = setting((5, 40), "Range of the number of atoms of a cluster.")
    max_atoms: int = setting(200, "Slabs of more atoms than this are not made.")
    min_distance_factor: float = setting(
        0.7, "Two atoms keep at least this share of the sum of their covalent radii."
    )
    min_distances: Mapping[str, float] | None = setting(
        None, "Smallest distances by pair, A, such as {Cu-Zr: 1.9}; they replace the factor."
    )
    tries: int = setting(100, "Times that a structure is begun anew before it is given up.")
    tries_per_atom: int = setting(100, "Displacements that are drawn for an atom.")

    def __post_init__(self) -> None:
        for name in ("structures", "tries", "tries_per_atom", "vacancies", "interstitials"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("substitution", "deletion"):
            value = getattr(self, name)
            require(value is None or 0 <= value <= 1, name, value, "a share from 0 to 1")
        for name in ("von_mises_strain", "displacement"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, value, "zero or positive")
        for name in ("thickness", "vacuum"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")
        low, high = self.volume_strain
        require(-1 < low <= high, "volume_strain", self.volume_strain, "above -1, smaller first")
        fewest, most = self.cluster_atoms
        require(1 <= fewest <= most, "cluster_atoms", self.cluster_atoms, "[fewest, most]")
        require(
            bool(self.miller) and all(any(one) for one in self.miller),
            "miller",
            self.miller,
            "a list of three whole numbers each, not all of them zero",
        )
        self._check_names()
        self._check_use()
        make_limits(self.min_distance_factor, self.min_distances)

    def _check_names(self) -> None:
        for name, value in (self.probabilities or {}).items():
            allowed = ", ".join(OPERATIONS)
            require(name in OPERATIONS, "probabilities", name, f"a mapping of {allowed}")
            require(0 <= value <= 1, f"probabilities.{name}", value, "a number from 0 to 1")
        for name in ("species", "interstitial_species"):
            symbols = getattr(self, name)
            require(symbols != (), name, symbols, "null or a list of chemical symbols")
            require_symbols(name, symbols or ())

    def _check_use(self) -> None:
        """Raise SettingError if a value is given for an operation that is never done."""
        usual = {field.name: field.default for field in dataclasses.fields(self)}
        for name, operation in WANTED_BY.items():
            value = getattr(self, name)
            require(
                value == usual[name] or self.probability(operation) > 0,
                name,
                value,
                f"left out where 'probabilities' has no {operation}, as {{{operation}: 0.2}}",
            )

    def probability(self, operation: str) -> float:
        """Return with what probability an operation is done."""
        return (self.probabilities or {}).get(operation, OPERATIONS[operation])


class DerivedStructures:
    """Make structures of each start by operations that are drawn at random.

    Frames: the start (step 0), then the structures made of it.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: DerivedStructuresSettings) -> None:
        self.settings = settings
        self._limits = make_limits(settings.min_distance_factor, settings.min_distances)
        displacement, share = PROTOCOLS[settings.protocol]
        self._deviation = displacement if settings.displacement is None else settings.displacement
        self._share = share if settings.substitution is None else settings.substitution

    def __str__(self) -> str:
        done = [name for name in OPERATIONS if self.settings.probability(name) > 0]
        return f"{self.settings.structures} structures derived by {', '.join(done)}"

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if what is no crystal is to be cut, or has no room between atoms."""
        cuts = [name for name in ("surface", "cluster") if self.settings.probability(name) > 0]
        for index, start in enumerate(starts):
            if cuts and not (start.pbc.all() and start.cell.rank == 3):
                raise GeometryError(
                    f"Start {start.info.get('identifier', index)} is not periodic in three "
                    f"directions, so that no {cuts[0]} can be cut of it; take it out of "
                    "'probabilities'."
                )
            if self.settings.probability("interstitials") > 0 and start.cell.rank < 3:
                raise GeometryError(
                    f"Start {start.info.get('identifier', index)} has no cell with a volume, in "
                    "which interstitials could be put; take them out of 'probabilities'."
                )

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and the structures made of it."""
        return frames_of_made(starts, calculator, rng, self.settings.structures, self.make)

    def make(self, start: Atoms, rng: np.random.Generator) -> Made:
        """Return a derived structure, or why none was found."""
        given = self.settings
        bare = Atoms(numbers=start.numbers, positions=start.positions, cell=start.cell)
        bare.pbc = start.pbc
        why = ""
        for _ in range(given.tries):
            made: Atoms | None = bare.copy()
            for operation in OPERATIONS:
                if made is not None and rng.random() < given.probability(operation):
                    why = operation
                    made = getattr(self, f"_{operation}")(made, rng)
            if made is not None and self._limits.keeps(made):
                return made
        return (
            f"atoms too near to one another, or none left, in {given.tries} tries, last after "
            f"{why} (lower the amplitudes, min_distance_factor or min_distances)"
        )

    def _species(self, atoms: Atoms) -> tuple[str, ...]:
        return self.settings.species or tuple(sorted(set(atoms.symbols)))

    def _substitution(self, atoms: Atoms, rng: np.random.Generator) -> Atoms:
        return substitute(atoms, self._share, self._species(atoms), rng)

    def _interstitials(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        species = self.settings.interstitial_species or self._species(atoms)
        return put_between(atoms, self.settings.interstitials, species, self._limits, rng)

    def _surface(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        given = self.settings
        indices = given.miller[rng.integers(len(given.miller))]
        slab = cut_slab(atoms, indices, thickness=given.thickness, vacuum=given.vacuum, rng=rng)
        return slab if len(slab) <= given.max_atoms else None

    def _cluster(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        low, high = self.settings.cluster_atoms
        n_atoms = int(rng.integers(low, high + 1))
        return cut_cluster(atoms, n_atoms, vacuum=self.settings.vacuum / 2, rng=rng)

    def _deletion(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        return delete(atoms, self.settings.deletion, rng)

    def _vacancies(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        return take_out(atoms, self.settings.vacancies, rng)

    def _volume_strain(self, atoms: Atoms, rng: np.random.Generator) -> Atoms:
        strain_volume(atoms, *self.settings.volume_strain, rng)
        return atoms

    def _von_mises_strain(self, atoms: Atoms, rng: np.random.Generator) -> Atoms:
        strain_shape(atoms, self.settings.von_mises_strain, rng)
        return atoms

    def _displacement(self, atoms: Atoms, rng: np.random.Generator) -> Atoms | None:
        tries = self.settings.tries_per_atom
        return displace(atoms, self._deviation, self._limits, rng, tries=tries)
