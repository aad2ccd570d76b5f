# SPDX-License-Identifier: MIT
"""Site energies, their gradients and their derivatives by the parameters, atom by atom."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from aiida_alpot.mtp.blocks import Portion, partition_atoms, run_chunks
from aiida_alpot.mtp.kernel_arguments import (
    aligned_zeros,
    make_work_arrays,
    moment_seeds,
    radial_limits,
)
from aiida_alpot.mtp.kernels.energy import energy_work_size, evaluate_blocks
from aiida_alpot.mtp.kernels.lanes import LANES
from aiida_alpot.mtp.kernels.tables import contraction_tables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.repulsion import repulsion_of
from aiida_alpot.neighbors import NeighborList, PairMemory, PairSource

Array = np.ndarray
RowSink = Callable[[Array, Array], None]
"""Called with blocks of atoms, (m, 8) with -1 for none, and their rows.

Rows are (m or more, n_parameters, 8) and are overwritten afterwards.
"""

_NO_ROWS = np.zeros((0, 0, LANES))
_BLOCKS_OF_ROWS = 16  # even; their rows stay in the cache of a core


class SiteResults(NamedTuple):
    """Per-atom results; forces and strains have no rows where they were not asked for."""

    energies: Array
    """(n_atoms,) V_i, eV."""
    forces: Array
    """(n_atoms, 3) eV/A."""
    strains: Array
    """(n_atoms, 6) Part of each site in dE/dstrain, eV, xx yy zz yz xz xy."""


class _WorkSpace:
    """What one thread works in."""

    def __init__(self) -> None:
        self.pairs = PairMemory()
        self.work = np.zeros(0)
        self.places = np.zeros(0, np.int64)
        self.rows = np.zeros(0)
        self._n_neighbors = -1

    def reserve(self, evaluator: SiteEvaluator, n_neighbors: int) -> None:
        """Make space for atoms of so many neighbours at least."""
        if n_neighbors > self._n_neighbors:
            self._n_neighbors = n_neighbors
            self.work, self.places = evaluator.make_work_arrays(n_neighbors)

    def reserve_rows(self, size: int) -> Array:
        """Return space for so many numbers of rows."""
        if len(self.rows) != size:
            self.rows = aligned_zeros(size)
        return self.rows


def rows_by_atom(blocks: Array, rows: Array) -> tuple[Array, Array]:
    """Return what a sink is called with as atoms (m,) and their rows (m, n_parameters)."""
    atoms = blocks.ravel()
    by_atom = rows[: len(blocks)].transpose(0, 2, 1).reshape(len(atoms), -1)
    is_taken = atoms >= 0
    return atoms[is_taken], by_atom[is_taken]


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

    _work_size = staticmethod(energy_work_size)

    def __init__(self, potential: MomentTensorPotential, types: Array) -> None:
        self.potential = potential
        self.types = np.ascontiguousarray(types, dtype=np.int32)
        self.tables = contraction_tables(potential.basis)
        self._partition = partition_atoms(self.types, potential.n_species)
        self.blocks = self._partition.blocks
        self._seeds = moment_seeds(self.tables, potential.moment_coefficients)
        self._limits = radial_limits(potential)
        self._coefficients = np.ascontiguousarray(potential.radial_coefficients)
        self._spaces: list[_WorkSpace] = []
        self._repulsion = repulsion_of(potential)

    def evaluate(
        self,
        neighbors: PairSource,
        *,
        wants_forces: bool = True,
        row_sink: RowSink | None = None,
        threads: int = 1,
    ) -> SiteResults:
        """Evaluate all atoms.

        Parameters
        ----------
        neighbors : PairSource
            A list, or what makes one for about a thousand atoms at a time; the numbers are the
            same. Pairs beyond the cutoff of the potential are left out and leave no trace in them.
        wants_forces : bool
            Whether to compute forces and strain derivatives.
        row_sink : callable, optional
            Is given dV_i/d(parameters) of some atoms at a time; see :func:`rows_by_atom`.
        threads : int
            Groups of atoms are shared among so many threads; the numbers do not depend on it.
        """
        n_atoms = len(self.types)
        groups = self._partition.groups
        energies = np.zeros(n_atoms)
        strains = np.zeros((n_atoms if wants_forces else 0, 6))
        # pages that a group leaves alone are never taken from the system
        partial_forces = [np.zeros((n_atoms if wants_forces else 0, 3)) for _ in groups]
        touched = [(n_atoms, 0)] * len(groups)

        def run(index: int) -> None:
            results = SiteResults(energies, partial_forces[index], strains)
            space = self._borrow_space()
            for portion in groups[index]:
                pairs = neighbors.rows(portion.start, portion.stop, space.pairs)
                self._run_portion(portion, pairs, space, results, row_sink)
                if index > 0:  # the first part is what the others are added to
                    touched[index] = _join(touched[index], portion, pairs)
            self._spaces.append(space)

        run_chunks(run, len(groups), threads)
        return SiteResults(energies, _add_touched(partial_forces, touched), strains)

    def _run_portion(
        self,
        portion: Portion,
        pairs: NeighborList,
        space: _WorkSpace,
        results: SiteResults,
        row_sink: RowSink | None,
    ) -> None:
        first = pairs.first[portion.start : portion.stop + 1]
        space.reserve(self, int((first[1:] - first[:-1]).max(initial=0)))
        if row_sink is None:
            self._run_blocks(self.blocks[portion.blocks], pairs, space, results)
        else:
            self._run_with_rows(portion.blocks, pairs, space, results, row_sink)
        if self._repulsion is not None and pairs.closest < self._repulsion.reach:
            self._repulsion.add_to_rows(portion.start, portion.stop, results, pairs, self.types)

    def _run_with_rows(
        self,
        chunk: slice,
        neighbors: NeighborList,
        space: _WorkSpace,
        results: SiteResults,
        row_sink: RowSink,
    ) -> None:
        n_parameters = self.potential.n_parameters
        rows = space.reserve_rows(_BLOCKS_OF_ROWS * n_parameters * LANES)
        rows = rows.reshape(_BLOCKS_OF_ROWS, n_parameters, LANES)
        for start in range(chunk.start, chunk.stop, _BLOCKS_OF_ROWS):
            blocks = self.blocks[start : min(start + _BLOCKS_OF_ROWS, chunk.stop)]
            self._run_blocks(blocks, neighbors, space, results, rows)
            row_sink(blocks, rows)

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
            space.work,
            space.places,
            *results,
            rows,
        )

    def _borrow_space(self) -> _WorkSpace:
        """Lend work space to one thread, used before if there is any."""
        try:
            return self._spaces.pop()
        except IndexError:
            return _WorkSpace()

    def make_work_arrays(self, n_neighbors: int) -> tuple[Array, Array]:
        """Return what the kernel needs for atoms of so many neighbours."""
        return make_work_arrays(self._work_size, n_neighbors, self._coefficients, self.tables)


def _join(touched: tuple[int, int], portion: Portion, pairs: NeighborList) -> tuple[int, int]:
    """Extend a range of atoms to those that get a force from a portion."""
    first, last = pairs.first[portion.start], pairs.first[portion.stop]
    low, high = min(touched[0], portion.start), max(touched[1], portion.stop)
    if first == last:
        return low, high
    others = pairs.neighbor[first:last]
    return min(low, int(others.min())), max(high, int(others.max()) + 1)


def _add_touched(parts: list[Array], touched: list[tuple[int, int]]) -> Array:
    """Return the sum of the parts, one after the other; rows outside of ``touched`` are zero."""
    if not parts:
        return np.zeros((0, 3))
    total = parts[0]
    for part, (low, high) in zip(parts[1:], touched[1:], strict=True):
        total[low:high] += part[low:high]
    return total
