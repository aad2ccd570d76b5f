# SPDX-License-Identifier: MIT
"""Moment tensor potentials as ASE calculators, with extrapolation grades on the way."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.mtp.kernels.grades import grade_blocks
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator, rows_by_atom
from aiida_alpot.mtp.verlet import VerletList

if TYPE_CHECKING:
    from aiida_alpot.grading import ActiveSet

Array = np.ndarray
logger = logging.getLogger(__name__)


class MTP(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a moment tensor potential.

    With an active set each evaluation also grades: ``results["grade"]`` is the extrapolation grade
    of the structure in the mode of the active set, and in neighbourhood mode ``results["grades"]``
    holds that of every atom.

    Parameters
    ----------
    potential : MomentTensorPotential, str or Path
        The potential, or its ``.mtp`` or ``.almtp`` file.
    active_set : ActiveSet, str or Path, optional
        Of this potential, or its ``.npz`` file, or the ``.almtp`` file that holds it.
    species : sequence of str, optional
        Chemical symbols in the order of the types, for files that do not record them.
    skin : float
        Neighbours up to this distance beyond the cutoff are listed, A, so that the list can be used
        again until an atom has moved half of it. Results do not depend on it, to the last bit.
    threads : int
        Results do not depend on it, to the last bit.

    Raises
    ------
    SettingError
        If the skin is negative.
    ActiveSetError
        If the active set was built with another potential.
    SpeciesError
        On evaluation, if the structure has a species that the potential lacks.
    GeometryError
        On evaluation, if positions or cell are not finite, or atoms coincide.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self,
        potential: MomentTensorPotential | str | Path,
        *,
        active_set: ActiveSet | str | Path | None = None,
        species: Sequence[str] | None = None,
        skin: float = 0.5,
        threads: int = 1,
    ) -> None:
        super().__init__()
        if skin < 0.0:
            raise SettingError(f"The skin is {skin:g} A; give zero or more.")
        if not isinstance(potential, MomentTensorPotential):
            potential = read_potential(potential, species)
        elif species is not None:
            potential = potential.with_species(species)
        self.potential = potential
        self.active_set = _load_active_set(active_set, potential)
        if self.active_set is not None:
            self.implemented_properties = [*self.implemented_properties, "grade"]
            if self.active_set.mode == "neighborhood":
                self.implemented_properties.append("grades")
        self.threads = threads
        self.neighbors = VerletList(potential.cutoff, skin)
        self.parameters.update(
            potential=potential.name, species=list(potential.species), skin=float(skin)
        )
        self.strain_derivative = np.zeros(6)
        """dE/dstrain of the last evaluation, eV, xx yy zz yz xz xy; also where no stress is."""
        self._evaluator: SiteEvaluator | None = None
        self._numbers = np.zeros(0, dtype=np.int64)
        self._last: Atoms | None = None
        self._has_warned = False

    @property
    def uncontrolled_below(self) -> float:
        """Distance below which results mean nothing, Angstrom; 0 where a core holds atoms apart."""
        return self.potential.uncontrolled_below

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """Return which of positions, numbers, cell and pbc differ from the last evaluation.

        The comparison is exact and ignores ``tol``: comparing all arrays of two structures within a
        tolerance, as ASE does by default, takes a third of a step of molecular dynamics.
        """
        known = self.atoms
        if known is None:
            return list(all_changes)
        pairs = {
            "positions": (known.positions, atoms.positions),
            "numbers": (known.numbers, atoms.numbers),
            "cell": (known.cell.array, atoms.cell.array),
            "pbc": (known.pbc, atoms.pbc),
        }
        return [name for name, (old, new) in pairs.items() if not np.array_equal(old, new)]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything at once, as energies and forces share nearly all of the work."""
        known: Atoms = self.atoms if atoms is None else self._remember(atoms)
        evaluator = self._evaluator_of(known.numbers)
        self.neighbors.update(known)
        grades = self._collector_of_grades(len(known))
        sites = evaluator.evaluate(
            self.neighbors, row_sink=grades.take if grades else None, threads=self.threads
        )
        self._warn_of_close_pairs()
        energy = float(sites.energies.sum())
        strain = sites.strains.sum(axis=0)
        if not (np.isfinite(energy) and np.isfinite(strain).all()):
            raise GeometryError(
                "The forces are not finite: atoms coincide (smallest distance "
                f"{self.neighbors.smallest_distance:.3g} A). Repair the structure."
            )
        self.strain_derivative = strain
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "energies": sites.energies,
            "forces": sites.forces,
        }
        volume = _volume(known.cell.array)
        if volume > 0.0 and known.pbc.all():
            self.results["stress"] = strain / volume
        if grades:
            self.results.update(grades.results())

    def _collector_of_grades(self, n_atoms: int) -> GradeCollector | None:
        """Return what looks at rows as they are computed, if anything does."""
        return None if self.active_set is None else GradeCollector(self.active_set, n_atoms)

    def _remember(self, atoms: Atoms) -> Atoms:
        """Keep a copy of the atoms; of the same atoms elsewhere only what has changed.

        A copy as the base class makes it takes as long as evaluating ten atoms.
        """
        known = self._last
        if (
            known is None
            or not np.array_equal(known.numbers, atoms.numbers)
            or not np.array_equal(known.pbc, atoms.pbc)
        ):
            known = self._last = atoms.copy()
        else:
            known.positions[:] = atoms.positions
            known.cell.array[:] = atoms.cell.array
        self.atoms = known
        return known

    def _evaluator_of(self, numbers: Array) -> SiteEvaluator:
        if self._evaluator is None or not np.array_equal(numbers, self._numbers):
            self._evaluator = SiteEvaluator(self.potential, self.potential.types_of(numbers))
            self._numbers = numbers.copy()
        return self._evaluator

    def _warn_of_close_pairs(self) -> None:
        smallest = self.neighbors.smallest_distance
        if smallest < self.potential.uncontrolled_below and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Atoms are %.3f A apart, closer than min_distance %.3f A of the potential, below "
                "which its radial functions are not controlled. Fit it with a ZBL core if atoms "
                "are to come so close. Further pairs are not reported.",
                smallest,
                self.potential.min_distance,
            )


def _volume(cell: Array) -> float:
    """Return the volume of a cell; a general determinant takes as long as several atoms."""
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = cell.tolist()
    product = ax * (by * cz - bz * cy) + ay * (bz * cx - bx * cz) + az * (bx * cy - by * cx)
    return abs(float(product))


class GradeCollector:
    """Grades rows of atoms as they are computed."""

    def __init__(self, active_set: ActiveSet, n_atoms: int) -> None:
        self._active_set = active_set
        self._by_atom = active_set.mode == "neighborhood"
        self._grades = np.zeros(n_atoms)
        self._parts: list[tuple[int, Array]] = []
        self._n_atoms = n_atoms

    def take(self, blocks: Array, rows: Array) -> None:
        """Grade the atoms of some blocks, or add up their rows."""
        if self._by_atom:
            grade_blocks(blocks, rows, self._active_set.packed_coefficients, self._grades)
        else:
            # threads may finish in any order, the sum must not depend on it
            atoms, by_atom = rows_by_atom(blocks, rows)
            self._parts.append((int(atoms[0]), by_atom.sum(axis=0)))

    def results(self) -> dict[str, Any]:
        """Return the results of a calculator that grades."""
        if self._by_atom:
            return {"grade": float(self._grades.max(initial=0.0)), "grades": self._grades}
        return {"grade": float(self._active_set.grades(self._mean_row())[0])}

    def _mean_row(self) -> Array:
        """Return (1, n_parameters): the row of the configuration."""
        total = sum(part for _, part in sorted(self._parts, key=lambda part: part[0]))
        mean: Array = np.atleast_2d(total / self._n_atoms)
        return mean


def _load_active_set(
    active_set: ActiveSet | str | Path | None, potential: MomentTensorPotential
) -> ActiveSet | None:
    if active_set is None:
        return None
    if isinstance(active_set, str | Path):
        from aiida_alpot.grading.mlip_state import load_active_set

        active_set = load_active_set(active_set, potential.species or None)
    active_set.check_potential(potential)
    return active_set
