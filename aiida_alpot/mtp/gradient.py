# SPDX-License-Identifier: MIT
"""Gradients of any loss of energies, forces and stresses with respect to all parameters."""

from __future__ import annotations

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.blocks import add_in_order, blocks_of_species, run_chunks, split_blocks
from aiida_alpot.mtp.evaluate import periodic_volumes
from aiida_alpot.mtp.kernel_arguments import make_work_arrays, moment_seeds, radial_limits
from aiida_alpot.mtp.kernels.gradient import add_loss_gradient, gradient_work_size
from aiida_alpot.mtp.kernels.tables import contraction_tables
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray


def loss_gradient(
    potential: MomentTensorPotential,
    configurations: Configurations,
    *,
    energy_residual: Array | None = None,
    force_residual: Array | None = None,
    stress_residual: Array | None = None,
    neighbors: NeighborList | None = None,
    threads: int = 1,
) -> Array:
    """Return dL/d(parameters) of a loss L of energies, forces and stresses.

    One pass, whatever the number of parameters (see :mod:`aiida_alpot.mtp.kernels.gradient`). A
    residual with a single one and zeros else gives the gradient of that energy, force or stress.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the gradient is taken.
    configurations : Configurations
        Labels are not looked at.
    energy_residual : (n_configurations,) float64, optional
        dL/dE. Residuals that are not given are zero.
    force_residual : (n_atoms, 3) float64, optional
        dL/dF.
    stress_residual : (n_configurations, 6) float64, optional
        dL/dsigma for the six numbers xx yy zz yz xz xy that :func:`evaluate` gives; looked at only
        where the cell is periodic in all three directions.
    neighbors : NeighborList, optional
        Of :func:`aiida_alpot.neighbors.batch_neighbor_list`.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.

    Returns
    -------
    (n_parameters,) float64
        In the order of :attr:`MomentTensorPotential.parameters`.

    Raises
    ------
    SpeciesError
        If a species is not in the potential.
    GeometryError
        If positions are not finite.
    """
    if len(configurations) == 0:
        return np.zeros(potential.n_parameters)
    types = potential.types_of(configurations.numbers)
    if neighbors is None:
        neighbors = batch_neighbor_list(configurations, potential.cutoff)
    n_of = np.diff(configurations.offsets)
    residuals = np.zeros(len(types))
    if energy_residual is not None:
        residuals = np.repeat(np.asarray(energy_residual, dtype=np.float64), n_of)
    # F = -dE/dr, so atoms are displaced along -dL/dF, and v_ij = dL/dF_i - dL/dF_j
    displacements = np.zeros((len(types), 3))
    if force_residual is not None:
        displacements = np.ascontiguousarray(force_residual, dtype=np.float64)
    strains = np.zeros((len(types), 6))
    if stress_residual is not None:
        strains = np.repeat(_strain_directions(configurations, stress_residual), n_of, axis=0)
    return site_gradient(
        potential, types, neighbors, (residuals, displacements, strains), threads=threads
    )


def _strain_directions(configurations: Configurations, stress_residual: Array) -> Array:
    """Return (n_configurations, 6): the symmetric strain along which dE is the part of dL."""
    is_periodic, volume = periodic_volumes(configurations)
    directions = np.zeros((len(volume), 6))
    directions[is_periodic] = np.asarray(stress_residual)[is_periodic] / volume[is_periodic, None]
    directions[:, 3:] /= 2.0  # one number stands for two components of the strain
    return directions


def site_gradient(
    potential: MomentTensorPotential,
    types: Array,
    neighbors: NeighborList,
    residuals: tuple[Array, Array, Array],
    *,
    threads: int = 1,
) -> Array:
    """Return dL/d(parameters) of a loss of site energies and of their derivatives.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where the gradient is taken.
    types : (n_atoms,) int32
        Types in the order of the potential's species.
    neighbors : NeighborList
        Pairs within the cutoff.
    residuals : (n_atoms,), (n_atoms, 3), (n_atoms, 6) float64
        dL/dV_i; dL/dF_i; a symmetric strain xx yy zz yz xz xy for each site, whose product with
        dV_i/dstrain (nine components) is the part of the strain derivatives in dL.
    threads : int
        The numbers are the same, bit for bit, for any number of threads.
    """
    tables = contraction_tables(potential.basis)
    blocks = blocks_of_species(types, potential.n_species)
    chunks = split_blocks(len(blocks))
    gradients = np.zeros((len(chunks), potential.n_parameters))
    coefficients = np.ascontiguousarray(potential.radial_coefficients)
    limits = radial_limits(potential)
    seeds = moment_seeds(tables, potential.moment_coefficients)
    n_neighbors = neighbors.largest_count

    def run(index: int) -> None:
        add_loss_gradient(
            blocks[chunks[index]],
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            types,
            coefficients,
            limits,
            seeds,
            tables,
            *residuals,
            *make_work_arrays(gradient_work_size, n_neighbors, coefficients, tables),
            gradients[index],
        )

    run_chunks(run, len(chunks), threads)
    return add_in_order(gradients)
