# SPDX-License-Identifier: MIT
"""Energies, forces, stresses of many configurations, and their derivatives by the parameters."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError
from aiida_alpot.mtp.kernels.tables import ContractionTables, contraction_tables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
_NO_ROWS = np.zeros((0, 0))
_LANES = 8
_SLOTS = 4
_LARGEST_CHUNKS = 16
_SMALLEST_CHUNK = 64  # blocks


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


@dataclass(frozen=True)
class SiteResults:
    """Per-atom results of the kernels; arrays that were not asked for have no rows."""

    energies: Array
    forces: Array
    strains: Array
    """dE/dstrain by site, eV, xx yy zz yz xz xy."""
    rows: Array


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
    configurations : Configurations
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
    types = potential.types_of(configurations.numbers)
    if neighbors is None:
        neighbors = batch_neighbor_list(configurations, potential.cutoff)
    sites = evaluate_sites(potential, types, neighbors, threads=threads)
    starts = configurations.offsets[:-1]
    if len(starts) == 0:
        return Evaluation(np.zeros(0), np.zeros(0), np.zeros((0, 3)), np.zeros((0, 6)))
    energy = np.add.reduceat(sites.energies, starts)
    _require_finite(energy)
    strain = np.add.reduceat(sites.strains, starts)
    volume = np.abs(np.linalg.det(configurations.cells))
    is_periodic = configurations.pbc.all(axis=1) & (volume > 0.0)
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
    types = potential.types_of(configurations.numbers)
    if neighbors is None:
        neighbors = batch_neighbor_list(configurations, potential.cutoff)
    sites = evaluate_sites(
        potential, types, neighbors, wants_forces=False, wants_rows=True, threads=threads
    )
    return sites.rows


def evaluate_sites(
    potential: MomentTensorPotential,
    types: Array,
    neighbors: NeighborList,
    *,
    wants_forces: bool = True,
    wants_rows: bool = False,
    threads: int = 1,
) -> SiteResults:
    """Evaluate all atoms of a neighbour list, whatever configurations they belong to.

    Parameters
    ----------
    potential : MomentTensorPotential
    types : (n_atoms,) int32
        Of :meth:`MomentTensorPotential.types_of`.
    neighbors : NeighborList
        Pairs beyond the cutoff of the potential are ignored.
    wants_forces, wants_rows : bool
        What to compute beside the site energies.
    threads : int
        Blocks of atoms are shared among so many threads.
    """
    from aiida_alpot.mtp.kernels.energy import energy_work_size, evaluate_blocks

    tables = contraction_tables(potential.basis)
    n_atoms = len(types)
    energies = np.zeros(n_atoms)
    strains = np.zeros((n_atoms if wants_forces else 0, 6))
    rows = np.empty((n_atoms, potential.n_parameters)) if wants_rows else _NO_ROWS
    blocks = blocks_of_species(types, potential.n_species)
    chunks = _chunks(len(blocks))
    partial_forces = np.zeros((len(chunks), n_atoms if wants_forces else 0, 3))
    n_groups = max(1, -(-neighbors.largest_count // _SLOTS))
    work_size = energy_work_size(
        n_groups, potential.radial_coefficients.shape, tables.degree, tables.n_moments
    )
    seeds = moment_seeds(tables, potential.moment_coefficients)
    limits = np.array([potential.min_distance, potential.cutoff, potential.scaling])

    def run(index: int) -> None:
        evaluate_blocks(
            blocks[chunks[index]],
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            types,
            potential.radial_coefficients,
            limits,
            potential.species_coefficients,
            potential.moment_coefficients,
            seeds,
            tables,
            aligned_zeros(work_size),
            np.zeros(_LANES + n_groups * (2 + _LANES * _SLOTS), np.int64),
            energies,
            partial_forces[index],
            strains,
            rows,
        )

    run_chunks(run, len(chunks), threads)
    return SiteResults(energies, _add_in_order(partial_forces), strains, rows)


def blocks_of_species(types: Array, n_species: int) -> Array:
    """Return (n_blocks, 8) int64: all atoms in blocks of one species, filled up with -1."""
    parts = []
    for species in range(n_species):
        atoms = np.flatnonzero(types == species)
        block = np.full(-(-len(atoms) // _LANES) * _LANES, -1, dtype=np.int64)
        block[: len(atoms)] = atoms
        parts.append(block)
    return np.concatenate(parts).reshape(-1, _LANES)


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


def run_chunks(run: Callable[[int], None], n_chunks: int, threads: int) -> None:
    """Call ``run(index)`` for every chunk, in up to ``threads`` threads."""
    if threads <= 1 or n_chunks <= 1:
        for index in range(n_chunks):
            run(index)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(n_chunks)))


def _chunks(n_blocks: int) -> list[slice]:
    """Split the blocks by their number alone, so that threads do not change the order of sums."""
    size = max(_SMALLEST_CHUNK, -(-n_blocks // _LARGEST_CHUNKS))
    return [slice(start, min(start + size, n_blocks)) for start in range(0, n_blocks, size)]


def _add_in_order(parts: Array) -> Array:
    if len(parts) == 0:
        return np.zeros(parts.shape[1:])
    total: Array = parts[0]
    for part in parts[1:]:
        total += part
    return total


def _require_finite(energy: Array) -> None:
    if not np.isfinite(energy).all():
        index = int(np.argmin(np.isfinite(energy)))
        raise GeometryError(
            f"The energy of configuration {index} is not finite: positions are not finite or atoms "
            "coincide. Repair the structure or leave it out."
        )
