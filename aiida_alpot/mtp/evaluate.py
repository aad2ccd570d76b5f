# SPDX-License-Identifier: MIT
"""Energies, forces, stresses of many configurations, and their derivatives by the parameters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError
from aiida_alpot.mtp.kernels.energy import energy_work_size, evaluate_blocks
from aiida_alpot.mtp.kernels.lanes import LANES, SLOTS, WIDE
from aiida_alpot.mtp.kernels.tables import ContractionTables, contraction_tables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
RowSink = Callable[[Array, Array], None]
"""Called with atoms (m,) and their rows (m, n_parameters), which are overwritten afterwards."""

_NO_ROWS = np.zeros((0, 0))
_MOST_CHUNKS = 16
_SMALLEST_CHUNK = 64
_BLOCKS_OF_ROWS = 256


@dataclass(frozen=True)
class Evaluation:
    """What a potential predicts, in the layout of :class:`Configurations`.

    Parameters
    ----------
    energy : (n_configurations,) float64
        eV.
    site_energies : (n_atoms,) float64
        V_i; their sum is the energy, eV.
    forces : (n_atoms, 3) float64
        eV/A.
    stress : (n_configurations, 6) float64
        Voigt order xx yy zz yz xz xy, sign of ASE, eV/A^3; NaN where the cell is not periodic in
        all three directions.
    """

    energy: Array
    site_energies: Array
    forces: Array
    stress: Array


def evaluate(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    neighbors: NeighborList | None = None,
    threads: int = 1,
) -> Evaluation:
    """Return energies, forces and stresses of all configurations.

    Parameters
    ----------
    potential : MomentTensorPotential
        Anything from :func:`read_potential` or a fit.
    configurations : Configurations
        Labels are not looked at.
    neighbors : NeighborList, optional
        Of :func:`aiida_alpot.neighbors.batch_neighbor_list`; its cutoff is that of the potential
        or larger.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.

    Raises
    ------
    SpeciesError
        If a species is not in the potential.
    GeometryError
        If positions are not finite or atoms coincide.
    """
    if len(configurations) == 0:
        return Evaluation(np.zeros(0), np.zeros(0), np.zeros((0, 3)), np.zeros((0, 6)))
    types = potential.types_of(configurations.numbers)
    if neighbors is None:
        neighbors = batch_neighbor_list(configurations, potential.cutoff)
    sites = SiteEvaluator(potential, types).evaluate(neighbors, threads=threads)
    starts = configurations.offsets[:-1]
    energy = np.add.reduceat(sites.energies, starts)
    strain = np.add.reduceat(sites.strains, starts)
    _require_finite(energy + strain.sum(axis=1), configurations)
    is_periodic, volume = periodic_volumes(configurations)
    stress = np.full((len(starts), 6), np.nan)
    stress[is_periodic] = strain[is_periodic] / volume[is_periodic, None]
    return Evaluation(energy, sites.energies, sites.forces, stress)


def energy_rows(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    neighbors: NeighborList | None = None,
    threads: int = 1,
) -> Array:
    """Return (n_atoms, n_parameters): the derivative of every site energy by every parameter.

    Columns in the order of :attr:`MomentTensorPotential.parameters`. Arguments and errors as for
    :func:`evaluate`.
    """
    rows = np.empty((configurations.offsets[-1], potential.n_parameters))
    if len(rows) == 0:
        return rows
    types = potential.types_of(configurations.numbers)
    if neighbors is None:
        neighbors = batch_neighbor_list(configurations, potential.cutoff)

    def keep(atoms: Array, block: Array) -> None:
        rows[atoms] = block

    SiteEvaluator(potential, types).evaluate(
        neighbors, wants_forces=False, row_sink=keep, threads=threads
    )
    return rows


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
        return SiteResults(energies, add_in_order(partial_forces), strains)

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


def radial_limits(potential: MomentTensorPotential) -> Array:
    """Return (3,): min_distance, cutoff, scaling."""
    return np.array([potential.min_distance, potential.cutoff, potential.scaling])


def blocks_of_species(types: Array, n_species: int) -> Array:
    """Return (n_blocks, 8) int64: all atoms in blocks of one species, filled up with -1."""
    parts = []
    for species in range(n_species):
        atoms = np.flatnonzero(types == species)
        block = np.full(-(-len(atoms) // LANES) * LANES, -1, dtype=np.int64)
        block[: len(atoms)] = atoms
        parts.append(block)
    return np.concatenate(parts).reshape(-1, LANES)


def moment_seeds(tables: ContractionTables, moment_coefficients: Array) -> Array:
    """Return the coefficients of the scalars spread over all moments."""
    seeds = np.zeros(tables.n_moments)
    np.add.at(seeds, tables.scalar, moment_coefficients)
    return seeds


def aligned_zeros(size: int) -> Array:
    """Return zeros that start at a multiple of 64 bytes, the width of the widest registers."""
    padded = np.zeros(size + 8)
    start = (-padded.ctypes.data // 8) % 8
    return padded[start : start + size]


def n_places(n_groups: int) -> int:
    """Return the integers of work space that ``place_neighbors`` needs for so many groups."""
    return LANES + n_groups * (2 + WIDE)


def split_blocks(n_blocks: int) -> list[slice]:
    """Split the blocks by their number alone, so that threads do not change the order of sums."""
    size = max(_SMALLEST_CHUNK, -(-n_blocks // _MOST_CHUNKS))
    return [slice(start, min(start + size, n_blocks)) for start in range(0, n_blocks, size)]


def run_chunks(run: Callable[[int], None], n_chunks: int, threads: int) -> None:
    """Call ``run(index)`` for every chunk, in up to ``threads`` threads."""
    if threads <= 1 or n_chunks <= 1:
        for index in range(n_chunks):
            run(index)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(n_chunks)))


def add_in_order(parts: Array) -> Array:
    """Return the sum over the first axis, part after part; the first part is overwritten."""
    if len(parts) == 0:
        return np.zeros(parts.shape[1:])
    total: Array = parts[0]
    for part in parts[1:]:
        total += part
    return total


def periodic_volumes(configurations: Configurations) -> tuple[Array, Array]:
    """Return which configurations have a stress, and the volume of all cells."""
    volume = np.abs(np.linalg.det(configurations.cells))
    return configurations.pbc.all(axis=1) & (volume > 0.0), volume


def _require_finite(results: Array, configurations: Configurations) -> None:
    if not np.isfinite(results).all():
        index = int(np.argmin(np.isfinite(results)))
        raise GeometryError(
            f"The forces in configuration {configurations.describe(index)} are not finite: atoms "
            "coincide. Repair the structure or leave it out."
        )
