# SPDX-License-Identifier: MIT
"""Site energies, their gradients and their derivatives by the parameters, atom by atom."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.blocks import add_in_order, blocks_of_species, run_chunks, split_blocks
from aiida_alpot.mtp.kernel_arguments import aligned_zeros, moment_seeds, n_places, radial_limits
from aiida_alpot.mtp.kernels.energy import energy_work_size, evaluate_blocks
from aiida_alpot.mtp.kernels.lanes import LANES, SLOTS
from aiida_alpot.mtp.kernels.tables import contraction_tables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.repulsion import repulsion_of
from aiida_alpot.neighbors import NeighborList

Array = np.ndarray
RowSink = Callable[[Array, Array], None]
"""Called with atoms (m,) and their rows (m, n_parameters), which are overwritten afterwards."""

_NO_ROWS = np.zeros((0, 0))
_BLOCKS_OF_ROWS = 256


class SiteResults(NamedTuple):
    """Per-atom results; forces and strains have no rows where they were not asked for."""

    energies: Array
    """(n_atoms,) V_i, eV."""
    forces: Array
    """(n_atoms, 3) eV/A."""
    strains: Array
    """(n_atoms, 6) Part of each site in dE/dstrain, eV, xx yy zz yz xz xy."""


class _WorkSpace(NamedTuple):
    work: Array
    places: Array


class SiteEvaluator:
    """Evaluates one potential for atoms of fixed species, whatever configurations they belong to.

    Keeps what does not change with the positions, and the work space, between calls.

    Parameters
    ----------
    potential : MomentTensorPotential
        Its arrays are read, not copied.
    types : (n_atoms,) int32
        Of :meth:`MomentTensorPotential.types_of`.
    """

    def __init__(self, potential: MomentTensorPotential, types: Array) -> None:
        self.potential = potential
        self.types = np.ascontiguousarray(types, dtype=np.int32)
        self.tables = contraction_tables(potential.basis)
        self.blocks = blocks_of_species(self.types, potential.n_species)
        self._seeds = moment_seeds(self.tables, potential.moment_coefficients)
        self._limits = radial_limits(potential)
        self._coefficients = np.ascontiguousarray(potential.radial_coefficients)
        self._spaces: list[_WorkSpace] = []
        self._repulsion = repulsion_of(potential)

    def evaluate(
        self,
        neighbors: NeighborList,
        *,
        wants_forces: bool = True,
        row_sink: RowSink | None = None,
        threads: int = 1,
    ) -> SiteResults:
        """Evaluate all atoms.

        Parameters
        ----------
        neighbors : NeighborList
            Pairs beyond the cutoff of the potential are left out and leave no trace in the numbers.
        wants_forces : bool
            Whether to compute forces and strain derivatives.
        row_sink : callable, optional
            Is given dV_i/d(parameters) of some atoms at a time.
        threads : int
            Chunks of atoms are shared among so many threads.
        """
        n_atoms = len(self.types)
        energies = np.zeros(n_atoms)
        strains = np.zeros((n_atoms if wants_forces else 0, 6))
        chunks = split_blocks(len(self.blocks))
        partial_forces = np.zeros((len(chunks), n_atoms if wants_forces else 0, 3))
        n_groups = max(1, -(-neighbors.largest_count // SLOTS))

        def run(index: int) -> None:
            space = self._borrow_space(n_groups)
            results = SiteResults(energies, partial_forces[index], strains)
            if row_sink is None:
                self._run_blocks(self.blocks[chunks[index]], neighbors, space, results)
            else:
                self._run_with_rows(chunks[index], neighbors, space, results, row_sink)
            self._spaces.append(space)

        run_chunks(run, len(chunks), threads)
        results = SiteResults(energies, add_in_order(partial_forces), strains)
        if self._repulsion is not None:
            self._repulsion.add_to(results, neighbors, self.types, threads=threads)
        return results

    def _run_with_rows(
        self,
        chunk: slice,
        neighbors: NeighborList,
        space: _WorkSpace,
        results: SiteResults,
        row_sink: RowSink,
    ) -> None:
        n_blocks = min(_BLOCKS_OF_ROWS, chunk.stop - chunk.start)
        rows = np.empty((n_blocks * LANES, self.potential.n_parameters))
        for start in range(chunk.start, chunk.stop, n_blocks):
            blocks = self.blocks[start : min(start + n_blocks, chunk.stop)]
            self._run_blocks(blocks, neighbors, space, results, rows)
            is_taken = blocks.ravel() >= 0
            some = rows[: len(is_taken)]
            row_sink(blocks.ravel()[is_taken], some if is_taken.all() else some[is_taken])

    def _run_blocks(
        self,
        blocks: Array,
        neighbors: NeighborList,
        space: _WorkSpace,
        results: SiteResults,
        rows: Array = _NO_ROWS,
    ) -> None:
        evaluate_blocks(
            blocks,
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            self.types,
            self._coefficients,
            self._limits,
            self.potential.species_coefficients,
            self.potential.moment_coefficients,
            self._seeds,
            self.tables,
            *space,
            *results,
            rows,
        )

    def _borrow_space(self, n_groups: int) -> _WorkSpace:
        """Return work space for so many groups, used before if there is any."""
        with suppress(IndexError):  # another thread may have taken the last one
            space = self._spaces.pop()
            if len(space.places) == n_places(n_groups):
                return space
        size = energy_work_size(
            n_groups, self._coefficients.shape, self.tables.degree, self.tables.n_moments
        )
        return _WorkSpace(aligned_zeros(size), np.zeros(n_places(n_groups), np.int64))
