# SPDX-License-Identifier: MIT
"""All ways to decorate a lattice with species, up to a size of the cell.

The inequivalent structures are enumerated by icet with the algorithm of Hart and Forcade, Phys.
Rev. B 77, 224115 (2008) and 80, 014120 (2009). For an alloy they are what a convex hull is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.settings import (
    require,
    require_symbols,
    required_setting,
    setting,
)
from aiida_alpot.sampling.structures.generation import frames_of_made

_MISSING = (
    "Decorations need icet and spglib; install them with: pip install 'aiida-alpot[samplers]'."
)


@dataclass(frozen=True)
class DecorationsSettings:
    """Settings of :class:`Decorations`."""

    species: tuple[str, ...] = required_setting("Species that the sites are decorated with.")
    sites: tuple[str, ...] | None = setting(
        None,
        "Species of the start whose sites are decorated; the others stay. null: those of species "
        "that the start has, or all sites if it has none of them.",
    )
    sizes: tuple[int, int] = setting(
        (1, 4), "Range of the number of primitive cells in a structure."
    )
    concentrations: Mapping[str, tuple[float, float]] | None = setting(
        None,
        "Range of the share of a species among all atoms, such as {Au: [0, 0.5]}.",
    )
    structures: int | None = setting(
        None, "Draw at most so many of the decorations of each start, all alike. null: take all."
    )
    volumes: Mapping[str, float] | None = setting(
        None,
        "Volume per atom of each species, A^3, such as {Cu: 11.8, Au: 17.0}: cells get the sum of "
        "them (Vegard's law). null: cells keep the lattice of the start.",
    )
    symmetry_tolerance: float = setting(
        0.01, "Distance up to which sites of the start count as equivalent, A."
    )

    def __post_init__(self) -> None:
        different = len(set(self.species))
        require(
            different >= 2 and different == len(self.species),
            "species",
            self.species,
            "a list of two or more different species",
        )
        for name in ("species", "sites", "concentrations", "volumes"):
            require_symbols(name, getattr(self, name) or ())
        fewest, most = self.sizes
        require(1 <= fewest <= most, "sizes", self.sizes, "[fewest, most], from 1")
        require(
            self.structures is None or self.structures >= 1,
            "structures",
            self.structures,
            "at least 1",
        )
        for symbol, (low, high) in (self.concentrations or {}).items():
            require(
                0 <= low <= high <= 1, f"concentrations.{symbol}", [low, high], "within 0 and 1"
            )
        for symbol, volume in (self.volumes or {}).items():
            require(volume > 0, f"volumes.{symbol}", volume, "a positive number")
        require(
            0 < self.symmetry_tolerance <= 1,
            "symmetry_tolerance",
            self.symmetry_tolerance,
            "a positive number, at most 1 A",
        )


class Decorations:
    """Decorate the lattice of each start in all inequivalent ways.

    Frames: the start (step 0), then the decorations, from the smallest cells on.
    """

    joint: ClassVar[bool] = False
    independent: ClassVar[bool] = True

    def __init__(self, settings: DecorationsSettings) -> None:
        self.settings = settings

    def __str__(self) -> str:
        given = self.settings
        fewest, most = given.sizes
        which = "all" if given.structures is None else f"at most {given.structures}"
        return (
            f"{which} decorations of the lattice with {', '.join(given.species)} in {fewest} to "
            f"{most} primitive cells"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise if a start is no crystal or has no site, or a volume or a package is missing."""
        given = self.settings
        for index, start in enumerate(starts):
            name = start.info.get("identifier", index)
            if not start.pbc.all() or start.cell.rank < 3:
                raise GeometryError(f"Start {name} is no crystal, whose sites could be decorated.")
            decorated = self._decorated(start)
            if not decorated.any():
                raise GeometryError(
                    f"Start {name} has no atom of {', '.join(given.sites or ())}; change 'sites'."
                )
            present = {*given.species, *start.symbols[~decorated]}
            lacking = sorted(present - set(present if given.volumes is None else given.volumes))
            if lacking:
                raise SettingError(f"'volumes' lacks {', '.join(lacking)}, which {name} can hold.")
        if any(find_spec(package) is None for package in ("icet", "spglib")):
            raise SettingError(_MISSING)

    def frames(
        self, starts: Sequence[Atoms], calculator: Any, rng: np.random.Generator
    ) -> Iterator[Frame]:
        """Yield each start and its decorations."""
        for chain, start in enumerate(starts):
            made = iter(chosen := self._choose(start, rng))
            frames = frames_of_made(
                [start],
                calculator,
                rng,
                max(len(chosen), 1),
                lambda *_, made=made: next(made, "no decoration has the concentrations asked for"),
            )
            for frame in frames:
                yield frame._replace(chain=chain)

    def enumerated(self, start: Atoms) -> Iterator[Atoms]:
        """Yield all inequivalent decorations of the lattice of ``start``."""
        try:
            from icet.tools import enumerate_structures
        except ImportError as error:
            raise SettingError(_MISSING) from error
        given = self.settings
        alike = start.copy()
        decorated = self._decorated(start)
        alike.symbols[decorated] = given.species[0]
        cell = _primitive(alike, given.symmetry_tolerance)
        # a site that stays may hold the species by which decorated sites were made alike
        stays = set(start.symbols[~decorated])
        choices = [
            list(given.species) if symbol == given.species[0] else [symbol]
            for symbol in cell.symbols
        ]
        if given.species[0] in stays:
            raise SettingError(
                f"'species' begins with {given.species[0]}, which stands on sites that stay, too; "
                "begin it with another one."
            )
        fewest, most = given.sizes
        limits = {name: tuple(both) for name, both in (given.concentrations or {}).items()}
        for structure in enumerate_structures(
            structure=cell,
            sizes=range(fewest, most + 1),
            chemical_symbols=choices,
            concentration_restrictions=limits or None,
        ):
            yield self._scaled(structure)

    def _choose(self, start: Atoms, rng: np.random.Generator) -> list[Atoms]:
        everything = list(self.enumerated(start))
        most = self.settings.structures
        if most is None or most >= len(everything):
            return everything
        chosen = np.sort(rng.choice(len(everything), size=most, replace=False))
        return [everything[index] for index in chosen]

    def _decorated(self, start: Atoms) -> np.ndarray:
        """Return which atoms stand on sites that are decorated."""
        symbols = start.get_chemical_symbols()
        wanted = self.settings.sites
        if wanted is None:
            wanted = tuple(set(symbols) & set(self.settings.species)) or tuple(set(symbols))
        chosen: np.ndarray = np.isin(symbols, wanted)
        return chosen

    def _scaled(self, structure: Atoms) -> Atoms:
        volumes = self.settings.volumes
        scaled = Atoms(
            numbers=structure.numbers,
            positions=structure.positions,
            cell=structure.cell,
            pbc=True,
        )
        if volumes is not None:
            wanted = sum(volumes[symbol] for symbol in scaled.symbols)
            factor = (wanted / scaled.get_volume()) ** (1 / 3)
            scaled.set_cell(scaled.cell.array * factor, scale_atoms=True)
        return scaled


def _primitive(atoms: Atoms, tolerance: float) -> Atoms:
    """Return the primitive cell of a crystal, as it lies in space."""
    try:
        import spglib
    except ImportError as error:
        raise SettingError(_MISSING) from error
    cell = (atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
    found = spglib.standardize_cell(cell, to_primitive=True, no_idealize=True, symprec=tolerance)
    if found is None:
        return atoms
    lattice, fractional, numbers = found
    return Atoms(numbers=numbers, scaled_positions=fractional, cell=lattice, pbc=True)
