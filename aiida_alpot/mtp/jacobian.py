# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and strain derivatives by all parameters of a potential.

A fit needs them for every label, in every step. They are computed for one block of configurations
at a time, so that memory does not grow with the number of labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.kernel_arguments import aligned_zeros
from aiida_alpot.mtp.kernels.lanes import LANES
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.zbl import fade_limits
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
ATOMS_PER_BLOCK = 128


class SumsElsewhere(Protocol):
    """Sums over the labels of a set that several processes share."""

    def products(
        self, potential: MomentTensorPotential, *, with_radial: bool, threads: int
    ) -> Array:
        """Return the products of :func:`aiida_alpot.fitting.normal_equations.sum_products`."""

    def loss_and_gradient(
        self, potential: MomentTensorPotential, *, threads: int
    ) -> tuple[float, Array]:
        """Return what the labels add to the loss and to its gradient."""

    def curvature_product(
        self, potential: MomentTensorPotential, direction: Array, *, threads: int
    ) -> Array:
        """Return what the labels add to J^T J v for a direction v."""


@dataclass(frozen=True)
class Environment:
    """Types and neighbours of the atoms of many configurations, which a fit computes once.

    Parameters
    ----------
    offsets : (n + 1,) int64
        First atom of each configuration.
    types : (n_atoms,) int32
        Types in the order of the potential's species.
    neighbors : NeighborList
        Pairs within the cutoff.
    shared : SumsElsewhere, optional
        Who sums over the labels of these configurations, if not this process alone.
    """

    offsets: Array
    types: Array
    neighbors: NeighborList
    shared: SumsElsewhere | None = None

    def select(self, indices: Array) -> Environment:
        """Return some configurations, in their order; all of it stays on this process."""
        n_atoms = np.diff(self.offsets)
        is_kept = np.zeros(len(n_atoms), dtype=bool)
        is_kept[indices] = True
        atoms = np.flatnonzero(np.repeat(is_kept, n_atoms))
        place = np.zeros(len(self.types), dtype=np.int32)
        place[atoms] = np.arange(len(atoms))
        n_pairs = np.diff(self.neighbors.first)
        pairs = np.flatnonzero(np.repeat(np.repeat(is_kept, n_atoms), n_pairs))
        neighbors = NeighborList(
            np.concatenate([[0], np.cumsum(n_pairs[atoms])]),
            place[self.neighbors.neighbor[pairs]],
            self.neighbors.vectors[pairs],
            self.neighbors.shifts[pairs],
        )
        offsets = np.concatenate([[0], np.cumsum(n_atoms[is_kept])])
        return Environment(offsets, self.types[atoms], neighbors)

    def blocks(self, atoms_per_block: int = ATOMS_PER_BLOCK) -> list[tuple[int, int]]:
        """Return first and end configuration of blocks of at most so many atoms, one at least."""
        blocks, start = [], 0
        for index in range(1, len(self.offsets)):
            if index - start > 1 and self.offsets[index] - self.offsets[start] > atoms_per_block:
                blocks.append((start, index - 1))
                start = index - 1
        return [*blocks, (start, len(self.offsets) - 1)] if len(self.offsets) > 1 else blocks


@dataclass(frozen=True)
class BlockJacobian:
    """Derivatives for a block of configurations, in planes of 8 parameters.

    Parameters
    ----------
    planes : (n_planes, n_columns, 8) float64
        The columns are the energies, then the strain derivatives, then the forces, atom by atom.
        An even number of planes; lanes that no parameter has are zero. May be a buffer that the
        next block overwrites.
    lanes : (n_rows,) int64
        Lane of each parameter, counted from the first plane.
    first_linear_plane : int
        Where the planes of scalars and species begin.
    residual_lane : int
        A lane that no parameter has.
    n_configurations : int
        Number of configurations.
    """

    planes: Array
    lanes: Array
    first_linear_plane: int
    residual_lane: int
    n_configurations: int

    @property
    def n_lanes(self) -> int:
        """Number of lanes, those without a parameter included."""
        return len(self.planes) * LANES

    @property
    def rows(self) -> Array:
        """(n_rows, n_columns) A row for each parameter, in their order."""
        rows: Array = self.planes[self.lanes // LANES, :, self.lanes % LANES]
        return rows

    @property
    def energies(self) -> Array:
        """(n_rows, n) of the energies."""
        return self.rows[:, : self.n_configurations]

    @property
    def strains(self) -> Array:
        """(n_rows, n, 6) of dE/dstrain = volume x stress, xx yy zz yz xz xy."""
        strains = self.rows[:, self.n_configurations : 7 * self.n_configurations]
        return strains.reshape(len(self.lanes), -1, 6)

    @property
    def forces(self) -> Array:
        """(n_rows, 3, n_atoms) of the forces."""
        forces = self.rows[:, 7 * self.n_configurations :]
        by_component: Array = forces.reshape(len(self.lanes), -1, 3).swapaxes(1, 2)
        return by_component


class JacobianBuffers:
    """Memory for one block at a time, kept from block to block; one for each thread.

    Parameters
    ----------
    potential : MomentTensorPotential
        Gives the form; its coefficients are not looked at.
    environment : Environment
        Whose blocks are to be differentiated.
    """

    def __init__(self, potential: MomentTensorPotential, environment: Environment) -> None:
        from aiida_alpot.mtp.kernels.jacobian_arrays import make_work_space
        from aiida_alpot.mtp.kernels.jacobian_tables import jacobian_tables

        size = potential.radial_coefficients.shape[-1]
        self.work = make_work_space(
            jacobian_tables(potential.basis),
            environment.neighbors.largest_count,
            potential.n_species,
            size,
        )
        self._planes = np.zeros(0)

    def zeros(self, size: int) -> Array:
        """Return so many zeros, which the next call overwrites."""
        if size > len(self._planes):
            self._planes = aligned_zeros(size)
        else:
            self._planes[:size] = 0.0
        return self._planes[:size]


def make_environment(
    potential: MomentTensorPotential, configurations: Configurations
) -> Environment:
    """Return types and neighbours for a potential; they change with its cutoff and species only."""
    return Environment(
        configurations.offsets,
        potential.types_of(configurations.numbers).astype(np.int32),
        batch_neighbor_list(configurations, potential.cutoff),
    )


def block_jacobian(
    potential: MomentTensorPotential,
    environment: Environment,
    block: tuple[int, int],
    *,
    with_radial: bool = True,
    with_forces: bool = True,
    buffers: JacobianBuffers | None = None,
) -> BlockJacobian:
    """Differentiate what the potential predicts for some configurations by its parameters.

    Parameters
    ----------
    potential : MomentTensorPotential
        Point at which to differentiate. The rows of species and moments do not depend on them.
    environment : Environment
        Of :func:`make_environment`.
    block : (first, end)
        Configurations, see :meth:`Environment.blocks`.
    with_radial : bool
        Whether rows of the radial coefficients come before those of species and moments.
    with_forces : bool
        Whether strains and forces are wanted; else only energies are there.
    buffers : JacobianBuffers, optional
        Where the result is written; memory of its own if absent.
    """
    from aiida_alpot.mtp.kernels.jacobian import accumulate_block
    from aiida_alpot.mtp.kernels.jacobian_arrays import RadialForm, Surroundings, Target
    from aiida_alpot.mtp.kernels.jacobian_tables import jacobian_tables

    first, end = block
    n_configurations = end - first
    atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
    n_atoms = atoms.stop - atoms.start
    n_columns = n_configurations + (6 * n_configurations + 3 * n_atoms if with_forces else 0)
    tables = jacobian_tables(potential.basis)
    layout = lay_out(potential, with_radial=with_radial)
    buffers = buffers or JacobianBuffers(potential, environment)
    jacobian = buffers.zeros(layout.n_planes * n_columns * LANES)
    neighbors = environment.neighbors
    accumulate_block(
        tables,
        (first, end),
        with_radial,
        with_forces,
        Surroundings(
            environment.offsets,
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            environment.types,
        ),
        RadialForm(
            np.ascontiguousarray(potential.radial_coefficients),
            float(potential.min_distance),
            float(potential.cutoff),
            float(potential.scaling),
            fade_limits(potential.core, potential.species),
        ),
        np.ascontiguousarray(potential.moment_coefficients),
        buffers.work,
        Target(
            jacobian,
            n_columns,
            atoms.start,
            n_configurations,
            7 * n_configurations,
            layout.first_linear_plane,
        ),
    )
    return BlockJacobian(
        jacobian.reshape(layout.n_planes, n_columns, LANES),
        layout.lanes,
        layout.first_linear_plane,
        layout.residual_lane,
        n_configurations,
    )


class Layout(NamedTuple):
    """Which parameter lies in which lane of the planes of a Jacobian."""

    lanes: Array
    first_linear_plane: int
    residual_lane: int
    n_planes: int


def lay_out(potential: MomentTensorPotential, *, with_radial: bool = True) -> Layout:
    """Give lanes to radial coefficients, polynomials padded to 8, scalars by group, species."""
    from aiida_alpot.mtp.kernels.jacobian_tables import jacobian_tables

    lane_scalar = jacobian_tables(potential.basis).lane_scalar
    radial = np.zeros(0, dtype=np.int64)
    n_planes = 0
    if with_radial:
        size = potential.radial_coefficients.shape[-1]
        n_functions = potential.radial_coefficients.size // size
        planes_each = -(-size // LANES)
        radial = (np.arange(n_functions)[:, None] * planes_each * LANES + np.arange(size)).ravel()
        n_planes = n_functions * planes_each
    first_linear = n_planes
    taken = np.flatnonzero(lane_scalar >= 0)
    scalars = np.empty(len(taken), dtype=np.int64)
    scalars[lane_scalar[taken]] = n_planes * LANES + taken
    n_planes += len(lane_scalar) // LANES
    species = n_planes * LANES + np.arange(potential.n_species)
    residual = n_planes * LANES + potential.n_species
    n_planes = residual // LANES + 1
    return Layout(
        np.concatenate([radial, species, scalars]), first_linear, residual, n_planes + n_planes % 2
    )
