# SPDX-License-Identifier: MIT
"""Many atomic configurations, with or without labels, as flat arrays.

``Configurations`` is what the jobs exchange: one deterministic ``.npz`` file holds any number of
configurations of any size. Arrays over atoms are concatenated; the atoms of configuration ``c`` are
the rows ``offsets[c]:offsets[c + 1]``. Labels that are absent are NaN;
a set may be labelled in part.

Units are ASE's: Angstrom, eV, eV/A, eV/A^3; stress has ASE's sign and Voigt order
(xx, yy, zz, yz, xz, xy).
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from aiida_alpot.array_files import ArrayFile
from aiida_alpot.array_headers import Layout
from aiida_alpot.ase_structures import Origin, arrays_of_structures, structure_at
from aiida_alpot.errors import LevelOfTheoryError

__all__ = ["Configurations", "Origin", "concatenate"]

Array = np.ndarray

ATOM_ARRAYS = ("numbers", "positions", "forces", "magnetic_moments", "force_mask")
"""Names of the arrays over atoms."""
_PER_CONFIGURATION = (
    "cells",
    "pbc",
    "energy",
    "energy_extrapolated",
    "stress",
    "weight",
    "identifier",
    "turn",
    "sampler",
    "chain",
    "step",
    "grade",
)


@dataclass(frozen=True)
class Configurations(ArrayFile):
    """Configurations as flat arrays; see the module for conventions.

    Parameters
    ----------
    numbers : (n_atoms,) int32
        Atomic numbers.
    positions : (n_atoms, 3) float64
        Angstrom.
    cells : (n, 3, 3) float64
        Rows are cell vectors, Angstrom; zero vectors along directions that are not periodic.
    pbc : (n, 3) bool
        Periodic directions.
    offsets : (n + 1,) int64
        First atom of each configuration.
    energy : (n,) float64
        Force-consistent (free) energy, eV; NaN where absent.
    energy_extrapolated : (n,) float64
        Energy extrapolated to zero smearing, eV, kept beside the label; NaN where absent.
    forces : (n_atoms, 3) float64
        eV/A; NaN where absent.
    stress : (n, 6) float64
        eV/A^3, ASE's sign and Voigt order; NaN where absent.
    magnetic_moments : (n_atoms,) float64
        Bohr magnetons; NaN where absent.
    force_mask : (n_atoms,) bool
        False where the force of an atom must not be trained on.
    weight : (n,) float64
        Weight of each configuration in the loss.
    identifier : (n,) str
        Name of each configuration, unique within a campaign.
    turn, sampler, chain, step, grade : (n,) arrays
        The columns of :class:`Origin`.
    level_of_theory : str
        Canonical JSON of what decides the values of the labels; empty when unlabelled.
    """

    TEXTS: ClassVar[tuple[str, ...]] = ("level_of_theory",)
    LAYOUT: ClassVar[Layout] = {
        "numbers": ("i4", ("n_atoms",)),
        "positions": ("f8", ("n_atoms", 3)),
        "cells": ("f8", ("n", 3, 3)),
        "pbc": ("b1", ("n", 3)),
        "offsets": ("i8", ("n+1",)),
        "energy": ("f8", ("n",)),
        "energy_extrapolated": ("f8", ("n",)),
        "forces": ("f8", ("n_atoms", 3)),
        "stress": ("f8", ("n", 6)),
        "magnetic_moments": ("f8", ("n_atoms",)),
        "force_mask": ("b1", ("n_atoms",)),
        "weight": ("f8", ("n",)),
        "identifier": ("U", ("n",)),
        "turn": ("i8", ("n",)),
        "sampler": ("U", ("n",)),
        "chain": ("U", ("n",)),
        "step": ("i8", ("n",)),
        "grade": ("f8", ("n",)),
        "level_of_theory": ("U", ()),
    }
    CONTENT: ClassVar[str] = "configurations"
    REMEDY: ClassVar[str] = "copy or write it again"

    numbers: Array
    positions: Array
    cells: Array
    pbc: Array
    offsets: Array
    energy: Array
    energy_extrapolated: Array
    forces: Array
    stress: Array
    magnetic_moments: Array
    force_mask: Array
    weight: Array
    identifier: Array
    turn: Array
    sampler: Array
    chain: Array
    step: Array
    grade: Array
    level_of_theory: str = ""

    @classmethod
    def check_arrays(cls, arrays: Mapping[str, Any]) -> None:
        """Raise ValueError where offsets or atomic numbers cannot be used."""
        offsets, numbers, pbc = arrays["offsets"], arrays["numbers"], arrays["pbc"]
        if offsets[0] != 0 or offsets[-1] != len(numbers) or (np.diff(offsets) < 0).any():
            raise ValueError("offsets do not divide the atoms into configurations")
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(chemical_symbols):
            raise ValueError("numbers are no atomic numbers")
        if (pbc.view(np.uint8) > 1).any() or (arrays["force_mask"].view(np.uint8) > 1).any():
            raise ValueError("a flag is neither true nor false")

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def n_atoms(self) -> Array:
        """(n,) int64: number of atoms of each configuration."""
        return np.diff(self.offsets)

    @property
    def volumes(self) -> Array:
        """(n,) float64: volume of each cell in A^3, zero unless periodic in three directions."""
        volumes: Array = np.abs(np.linalg.det(self.cells)) if len(self) else np.zeros(0)
        volumes[~self.pbc.all(axis=1)] = 0.0
        return volumes

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols that occur, by atomic number."""
        return tuple(chemical_symbols[number] for number in np.unique(self.numbers))

    @property
    def labelled(self) -> Array:
        """(n,) bool: whether each configuration has an energy or any force."""
        has_force = np.isfinite(self.forces).all(axis=1)
        any_force = np.add.reduceat(np.append(has_force, False), self.offsets[:-1]) > 0
        labelled: Array = np.isfinite(self.energy) | any_force
        return labelled

    def atoms_slice(self, index: int) -> slice:
        """Rows of the per-atom arrays that belong to configuration ``index``."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def origin(self, index: int) -> Origin:
        """Return where configuration ``index`` came from."""
        return Origin(
            int(self.turn[index]),
            str(self.sampler[index]),
            str(self.chain[index]),
            int(self.step[index]),
            float(self.grade[index]),
        )

    @classmethod
    def empty(cls) -> Configurations:
        """Return a set without configurations."""
        return cls.from_atoms([])

    @classmethod
    def from_atoms(
        cls,
        structures: Iterable[Atoms],
        *,
        identifiers: Sequence[str] | None = None,
        origins: Sequence[Origin] | None = None,
        level_of_theory: str = "",
    ) -> Configurations:
        """Collect ASE structures, with the labels that their calculators hold already.

        The force-consistent energy is preferred to the extrapolated one. ``atoms.info`` may hold
        ``weight``, ``identifier`` and ``energy_extrapolated``, ``atoms.arrays`` a ``force_mask``.

        Parameters
        ----------
        structures : iterable of Atoms
            Any number of structures, none is allowed.
        identifiers : sequence of str, optional
            Defaults to ``atoms.info["identifier"]``, else a running number.
        origins : sequence of Origin, optional
            Where each came from; given from outside by default.
        level_of_theory : str
            Canonical JSON, one for the whole set.
        """
        arrays = arrays_of_structures(structures, identifiers=identifiers, origins=origins)
        return cls(**arrays, level_of_theory=level_of_theory)

    def atoms(self, index: int) -> Atoms:
        """Return configuration ``index`` as Atoms, its labels in a SinglePointCalculator."""
        return structure_at(self, index)

    def __iter__(self) -> Iterator[Atoms]:
        return (self.atoms(index) for index in range(len(self)))

    def select(self, indices: Sequence[int] | Array) -> Configurations:
        """Return the configurations at ``indices`` (integers or a boolean mask), in that order."""
        chosen = np.arange(len(self))[np.asarray(indices, dtype=None if len(indices) else int)]
        rows = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in chosen]
        atoms = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
        changes: dict[str, Any] = {name: getattr(self, name)[atoms] for name in ATOM_ARRAYS}
        changes |= {name: getattr(self, name)[chosen] for name in _PER_CONFIGURATION}
        changes["offsets"] = np.concatenate([[0], np.cumsum(self.n_atoms[chosen])]).astype(np.int64)
        return dataclasses.replace(self, **changes)

    def parts(self, atoms_per_part: int) -> Iterator[Configurations]:
        """Yield runs of configurations of at most so many atoms, each of at least one."""
        first = 0
        for end in range(1, len(self) + 1):
            is_last = end == len(self)
            if is_last or self.offsets[end + 1] - self.offsets[first] > atoms_per_part:
                yield self.select(range(first, end))
                first = end

    def replace(self, **changes: Any) -> Configurations:
        """Return a copy with some arrays exchanged."""
        return dataclasses.replace(self, **changes)

    def without_labels(self) -> Configurations:
        """Return the same configurations with every label absent."""
        nan = np.full
        return self.replace(
            energy=nan(len(self), np.nan),
            energy_extrapolated=nan(len(self), np.nan),
            forces=nan(self.forces.shape, np.nan),
            stress=nan(self.stress.shape, np.nan),
            magnetic_moments=nan(self.magnetic_moments.shape, np.nan),
            level_of_theory="",
        )

    def hashes(self) -> list[str]:
        """Return a SHA-256 of species, positions, cell and periodicity of each configuration.

        Labels, names and origins do not enter: it is the key by which a label is looked up.
        """
        digests = []
        for index in range(len(self)):
            rows = self.atoms_slice(index)
            digest = hashlib.sha256()
            for part, dtype in (
                (self.numbers[rows], "<i4"),
                (self.positions[rows], "<f8"),
                (self.cells[index], "<f8"),
                (self.pbc[index], "u1"),
            ):
                # adding zero turns -0.0 into 0.0, which is the same place
                digest.update((np.ascontiguousarray(part, dtype=dtype) + 0).astype(dtype).tobytes())
            digests.append(digest.hexdigest())
        return digests

    def describe(self, index: int) -> str:
        """Return how messages name configuration ``index``; see :func:`name_in_messages`."""
        return name_in_messages(index, str(self.identifier[index]))


def name_in_messages(index: int, identifier: str) -> str:
    """Return the place of a configuration and its identifier, once where both are the same."""
    return str(index) if identifier == str(index) else f"{index} ({identifier})"


def concatenate(sets: Sequence[Configurations]) -> Configurations:
    """Join several sets into one, in the order given.

    Raises
    ------
    LevelOfTheoryError
        If labelled sets have different levels of theory. Sets that are empty or without labels
        go with any.
    """
    filled = [one for one in sets if len(one)]
    if not filled:
        return Configurations.empty()
    levels = {one.level_of_theory for one in filled if one.labelled.any()}
    if len(levels) > 1:
        shown = " and ".join(sorted(level or "(not recorded)" for level in levels))
        raise LevelOfTheoryError(
            f"The data sets have different levels of theory: {shown}. Energies of two levels "
            "cannot be fitted together; keep them in two campaigns or label one of them again."
        )
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(one, name) for one in filled])
        for name in ATOM_ARRAYS + _PER_CONFIGURATION
    }
    counts = np.concatenate([one.n_atoms for one in filled])
    joined["offsets"] = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return Configurations(**joined, level_of_theory=levels.pop() if levels else "")
