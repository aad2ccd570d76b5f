# SPDX-License-Identifier: MIT
"""Energies, forces, stresses of many configurations, and their derivatives by the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator, SiteResults, rows_by_atom
from aiida_alpot.neighbors import NeighborList, search_neighbors

Array = np.ndarray


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
        or larger. Where none is given pairs are listed for about a thousand atoms at a time, so
        that memory is bounded by the results.
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
    sites = _evaluate_sites(potential, configurations, types, neighbors, threads)
    starts = configurations.offsets[:-1]
    energy = np.add.reduceat(sites.energies, starts)
    strain = np.add.reduceat(sites.strains, starts)
    _require_finite(energy + strain.sum(axis=1), configurations)
    is_periodic, volume = periodic_volumes(configurations)
    stress = np.full((len(starts), 6), np.nan)
    stress[is_periodic] = strain[is_periodic] / volume[is_periodic, None]
    return Evaluation(energy, sites.energies, sites.forces, stress)


def _evaluate_sites(
    potential: MomentTensorPotential,
    configurations: Configurations,
    types: Array,
    neighbors: NeighborList | None,
    threads: int,
) -> SiteResults:
    """Evaluate all atoms, in an order in which neighbours lie near each other in memory."""
    if neighbors is not None:
        return SiteEvaluator(potential, types).evaluate(neighbors, threads=threads)
    search = search_neighbors(configurations, potential.cutoff)
    order = search.tidy_order()
    if order is None:
        return SiteEvaluator(potential, types).evaluate(search, threads=threads)
    tidy = configurations.replace(positions=configurations.positions[order])
    search = search_neighbors(tidy, potential.cutoff)
    found = SiteEvaluator(potential, types[order]).evaluate(search, threads=threads)
    results = SiteResults(*(np.empty_like(array) for array in found))
    for result, array in zip(results, found, strict=True):
        result[order] = array
    return results


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
    pairs = neighbors or search_neighbors(configurations, potential.cutoff)

    def keep(blocks: Array, rows_of_blocks: Array) -> None:
        atoms, by_atom = rows_by_atom(blocks, rows_of_blocks)
        rows[atoms] = by_atom

    SiteEvaluator(potential, types).evaluate(
        pairs, wants_forces=False, row_sink=keep, threads=threads
    )
    return rows


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
