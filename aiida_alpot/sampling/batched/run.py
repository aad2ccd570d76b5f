# SPDX-License-Identifier: MIT
"""One set of structures that relax together, step by step.

The coordinates of a structure are its positions x in the frame of the start and, if the cell
changes, the deformation F: positions are x F, cell vectors h F. The enthalpy E + p V goes downhill
at every step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from ase import units

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import NeighborSearch
from aiida_alpot.sampling.batched.minimizer import BatchedMinimizer
from aiida_alpot.sampling.batched.results import (
    COLLAPSED,
    CONVERGED,
    EXTRAPOLATING,
    TOO_CLOSE,
    UNCONVERGED,
    BatchedRelaxationSettings,
    RelaxedStructures,
)
from aiida_alpot.sampling.batched.state import BatchGrades, BatchState, CloseWatch

if TYPE_CHECKING:
    from aiida_alpot.grading import ActiveSet

Array = np.ndarray
_VOIGT = np.array([[0, 5, 4], [5, 1, 3], [4, 3, 2]])
_STRAIN_OF_STEP = 0.2  # strain of a step as long as 1 A
_SMALLEST_RADIUS = 1e-7  # A
_LARGEST_CHANGE_OF_VOLUME = 8.0
_REMEMBERED = ("outcome", "n_steps", "largest_force", "index", "coordinates")


class BatchedRelaxation:
    """One set of structures that relax together; arrays over those that still move.

    ``index`` says which structures these are, ``owner`` to which of them each atom belongs.
    """

    def __init__(
        self,
        potential: MomentTensorPotential,
        starts: Configurations,
        settings: BatchedRelaxationSettings,
        active_set: ActiveSet | None,
        threads: int,
    ) -> None:
        self.potential, self.settings = potential, settings
        self.active_set, self.threads = active_set, threads
        self.starts = starts
        self.pressure = settings.pressure_GPa * units.GPa
        n = len(starts)
        self.outcome = np.full(n, UNCONVERGED, dtype="<U13")
        self.n_steps = np.zeros(n, np.int64)
        self.largest_force = np.full(n, np.inf)
        self.final = {
            "positions": starts.positions.copy(),
            "cells": starts.cells.copy(),
            "forces": np.full(starts.positions.shape, np.nan),
            "energy": np.full(n, np.nan),
            "stress": np.full((n, 6), np.nan),
            "grade": np.full(n, np.nan),
        }
        self.index = np.arange(n)
        self._is_dropped = np.zeros(n, bool)
        self._resumed: tuple[BatchState, Array] | None = None
        self.sizes = starts.n_atoms
        self.types = potential.types_of(starts.numbers)
        # a strain has about the curvature of a displacement in these units
        volume = np.where(starts.volumes > 0.0, starts.volumes, 1.0)
        self.cell_scale = np.sqrt(self.sizes) * np.cbrt(volume / self.sizes)
        self.minimizer = BatchedMinimizer(3 * self.sizes + 9, longest_step=settings.max_step)
        self._describe_coordinates()
        self.coordinates = np.empty(len(self.minimizer.segments.owner))
        self.coordinates[self.is_atomic] = starts.positions.ravel()
        unit = self.cell_scale[:, None, None] * np.eye(3)
        self.coordinates[~self.is_atomic] = unit.ravel()

    def run(self) -> RelaxedStructures:
        """Go on until every structure has stopped."""
        for _ in self.steps():
            pass
        relaxed = self.starts.without_labels().replace(**self.final)
        return RelaxedStructures(relaxed, self.outcome, self.n_steps, self.largest_force)

    def drop(self, structure: int) -> None:
        """Spend nothing more on a structure."""
        self._is_dropped[structure] = True

    def state(self, now: BatchState, has_moved: Array) -> dict[str, dict[str, Array]]:
        """Return all that the structures go on from, from what :meth:`steps` has just yielded."""
        of_run = {name: getattr(self, name) for name in _REMEMBERED}
        return {
            "run": {**of_run, "is_dropped": self._is_dropped, "has_moved": has_moved},
            "minimizer": self.minimizer.state(),
            "now": dict(vars(now)),
        }

    def restore(self, state: Mapping[str, Mapping[str, Array]]) -> None:
        """Let :meth:`steps` of a new run yield once more what the state was told after.

        Raises
        ------
        ValueError, IndexError, KeyError
            If the state is one of other structures.
        """
        told = state["run"]
        chosen = np.zeros(len(self.starts), bool)
        chosen[told["index"]] = True
        if not np.array_equal(np.flatnonzero(chosen), told["index"]):
            raise ValueError("structures are out of order")
        of_atoms = np.repeat(chosen, self.starts.n_atoms)
        self.index, self.sizes = self.index[chosen], self.sizes[chosen]
        self.types, self.cell_scale = self.types[of_atoms], self.cell_scale[chosen]
        self.minimizer = BatchedMinimizer(3 * self.sizes + 9, longest_step=self.settings.max_step)
        self._describe_coordinates()
        self.minimizer.restore(state["minimizer"])
        for name in _REMEMBERED:
            setattr(self, name, told[name])
        of_structures = (self.outcome, self.n_steps, self.largest_force, told["is_dropped"])
        fits = all(len(one) == len(self.starts) for one in of_structures)
        now = BatchState(**state["now"])
        fits = fits and now.fits(len(self.index), len(self.is_atomic), len(self.owner))
        if not fits or self.coordinates.shape != self.is_atomic.shape:
            raise ValueError("it is of other structures")
        self._is_dropped = told["is_dropped"]
        self._resumed = now, told["has_moved"]

    def steps(self) -> Iterator[tuple[BatchState, Array, Array]]:
        """Yield after each evaluation the structures that still move, ``index`` says which.

        With the state of all of them, which have moved since the last time (True at the start) and
        which stop here.
        """
        if self._resumed is None:
            now = self._evaluate(self.coordinates)
            is_accepted = np.ones(len(self.index), bool)
        else:
            now, is_accepted = self._resumed
        while True:
            is_over = self._stop(now)
            yield now, is_accepted, is_over
            now = self._keep(~(is_over | self._is_dropped[self.index]), now)
            if len(self.index) == 0:
                break
            step = self.minimizer.propose(now.gradient, self.measure)
            new = self._evaluate(self.coordinates + step)
            noise = 1e-9 * self.sizes
            is_accepted = new.enthalpy <= now.enthalpy + noise  # False for NaN
            where = is_accepted[self.minimizer.segments.owner]
            change = np.where(where, new.gradient - now.gradient, 0.0)
            self.minimizer.learn(step, change, is_accepted)
            self.coordinates += np.where(where, step, 0.0)
            now = now.replaced_by(new, is_accepted, where, is_accepted[self.owner])

    def _describe_coordinates(self) -> None:
        """Say which coordinates are those of atoms, and how long a unit of each is."""
        segments = self.minimizer.segments
        place = np.arange(len(segments.owner)) - segments.starts[segments.owner]
        self.is_atomic = place < 3 * self.sizes[segments.owner]
        self.owner = np.repeat(np.arange(len(self.sizes)), self.sizes)
        of_strain = 1.0 / (_STRAIN_OF_STEP * self.cell_scale)
        self.measure = np.where(self.is_atomic, 1.0, of_strain[segments.owner])

    def _evaluate(self, coordinates: Array) -> BatchState:
        """Evaluate the structures that still move, at any coordinates."""
        from aiida_alpot.mtp.site_evaluator import SiteEvaluator

        self.n_steps[self.index] += 1
        positions, cells, deformation, is_usable = self._place(coordinates)
        offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        pbc = self.starts.pbc[self.index]
        search = NeighborSearch(positions, offsets, cells, pbc, self.potential.cutoff)
        watch = CloseWatch(search, offsets, self.potential.uncontrolled_below)
        grades = BatchGrades(self.active_set, self.owner, self.sizes)
        sink = None if self.active_set is None else grades.take
        evaluator = SiteEvaluator(self.potential, self.types)
        sites = evaluator.evaluate(watch, row_sink=sink, threads=self.threads)
        energy = np.add.reduceat(sites.energies, offsets[:-1])
        virial = np.add.reduceat(sites.strains, offsets[:-1])
        is_fine = is_usable & np.isfinite(energy + virial.sum(axis=1))
        energy = np.where(is_fine, energy, np.nan)
        # of a cell that is fixed the pressure is zero
        external = self.pressure * np.abs(np.linalg.det(cells))
        work = virial[:, _VOIGT] + external[:, None, None] * np.eye(3)
        gradient = self._gradient(sites.forces, work, deformation)
        gradient[~is_fine[self.minimizer.segments.owner]] = 0.0
        return BatchState(
            enthalpy=energy + external,
            energy=energy,
            gradient=gradient,
            positions=positions,
            cells=cells,
            forces=sites.forces,
            virial=virial,
            residual=self._residual(sites.forces, work),
            is_close=watch.is_close,
            grade=grades.of_structures(),
        )

    def _place(self, coordinates: Array) -> tuple[Array, Array, Array, Array]:
        """Return positions, cells, deformations, and which structures are usable.

        Those that are not stand as they did at the start.
        """
        deformation = coordinates[~self.is_atomic].reshape(-1, 3, 3)
        deformation = deformation / self.cell_scale[:, None, None]
        reference = coordinates[self.is_atomic].reshape(-1, 3)
        positions = np.einsum("ia,iab->ib", reference, deformation[self.owner])
        is_usable = self._is_usable(positions, deformation)
        if not is_usable.all():
            deformation[~is_usable] = np.eye(3)
            is_bad = ~is_usable[self.owner]
            positions[is_bad] = self.starts.positions[self._rows()][is_bad]
        return positions, self.starts.cells[self.index] @ deformation, deformation, is_usable

    def _gradient(self, forces: Array, work: Array, deformation: Array) -> Array:
        """Return the derivative of the enthalpy by all coordinates."""
        gradient = np.empty(len(self.is_atomic))
        of_atoms = np.einsum("ia,iba->ib", forces, deformation[self.owner])
        of_cells = self._cell_gradient(work, deformation) / self.cell_scale[:, None, None]
        gradient[self.is_atomic] = -of_atoms.ravel()
        gradient[~self.is_atomic] = of_cells.ravel()
        return gradient

    def _is_usable(self, positions: Array, deformation: Array) -> Array:
        """(n,) bool: whether positions are finite and the volume is of the order it was."""
        change = np.linalg.det(deformation)
        finite = np.ones(len(self.index), bool)
        np.logical_and.at(finite, self.owner, np.isfinite(positions).all(axis=1))
        limit = _LARGEST_CHANGE_OF_VOLUME
        usable: Array = finite & (change > 1.0 / limit) & (change < limit)
        return usable

    def _cell_gradient(self, work: Array, deformation: Array) -> Array:
        """dH/dF = F^-T W with W = dH/dstrain, restricted to the changes that are allowed."""
        if self.settings.cell == "fixed":
            return np.zeros_like(work)
        gradient: Array = np.linalg.inv(deformation).transpose(0, 2, 1) @ work
        if self.settings.cell == "isotropic":
            trace = np.einsum("nii->n", gradient)
            gradient = trace[:, None, None] / 3.0 * np.eye(3)
        return gradient

    def _residual(self, forces: Array, work: Array) -> Array:
        """(n,): largest force on an atom, or virial per atom of a cell that changes."""
        starts = np.cumsum(self.sizes) - self.sizes
        largest: Array = np.maximum.reduceat(np.sqrt((forces**2).sum(axis=1)), starts)
        if self.settings.cell == "fixed":
            return largest
        of_cell = np.abs(work).max(axis=(1, 2))
        if self.settings.cell == "isotropic":
            of_cell = np.abs(np.einsum("nii->n", work)) / 3.0
        larger: Array = np.maximum(largest, of_cell / self.sizes)
        return larger

    def _stop(self, now: BatchState) -> Array:
        """Note what ends here, and return (n,) bool: which structures those are."""
        ends = {
            UNCONVERGED: (self.n_steps[self.index] >= self.settings.steps)
            | (self.minimizer.radius < _SMALLEST_RADIUS),
            CONVERGED: now.residual < self.settings.fmax,
            TOO_CLOSE: now.is_close,
            EXTRAPOLATING: now.grade >= self.settings.gamma_break,
            COLLAPSED: ~np.isfinite(now.enthalpy),
        }
        is_over = np.zeros(len(self.index), bool)
        for outcome, holds in ends.items():
            self.outcome[self.index[holds]] = outcome
            is_over |= holds
        self._record(now, is_over)
        return is_over

    def _record(self, now: BatchState, chosen: Array) -> None:
        """Write the results of the structures that end."""
        index = self.index[chosen]
        rows = self._rows()[chosen[self.owner]]
        self.largest_force[index] = now.residual[chosen]
        self.final["energy"][index] = now.energy[chosen]
        self.final["cells"][index] = now.cells[chosen]
        self.final["grade"][index] = now.grade[chosen]
        self.final["positions"][rows] = now.positions[chosen[self.owner]]
        self.final["forces"][rows] = now.forces[chosen[self.owner]]
        volume = np.abs(np.linalg.det(now.cells[chosen]))
        stress = now.virial[chosen] / np.where(volume > 0.0, volume, 1.0)[:, None]
        is_solid = self.starts.pbc[index].all(axis=1) & (volume > 0.0)
        self.final["stress"][index] = np.where(is_solid[:, None], stress, np.nan)

    def _rows(self) -> Array:
        """Rows of the atoms that still move among all."""
        first = self.starts.offsets[self.index]
        within = np.arange(len(self.owner)) - (np.cumsum(self.sizes) - self.sizes)[self.owner]
        rows: Array = first[self.owner] + within
        return rows

    def _keep(self, chosen: Array, now: BatchState) -> BatchState:
        if chosen.all():
            return now
        of_atoms = chosen[self.owner]
        of_coordinates = chosen[self.minimizer.segments.owner]
        self.minimizer.keep(chosen)
        self.coordinates = self.coordinates[of_coordinates]
        self.types = self.types[of_atoms]
        self.index, self.sizes = self.index[chosen], self.sizes[chosen]
        self.cell_scale = self.cell_scale[chosen]
        self._describe_coordinates()
        return now.kept(chosen, of_coordinates, of_atoms)
