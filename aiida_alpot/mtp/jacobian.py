# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and strain derivatives by all parameters of a potential.

A fit needs them for every label, in every step. They are computed for one block of configurations
at a time, so that memory does not grow with the number of labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import NeighborList, batch_neighbor_list

Array = np.ndarray
ATOMS_PER_BLOCK = 256


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
    """

    offsets: Array
    types: Array
    neighbors: NeighborList

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
    """Derivatives for a block of configurations.

    Parameters
    ----------
    rows : (n_rows, n_columns) float64
        A row for each parameter; the columns are the energies, then the strain derivatives, then
        the forces, component by component.
    n_configurations : int
        Number of configurations.
    """

    rows: Array
    n_configurations: int

    @property
    def energies(self) -> Array:
        """(n_rows, n) of the energies."""
        return self.rows[:, : self.n_configurations]

    @property
    def strains(self) -> Array:
        """(n_rows, n, 6) of dE/dstrain = volume x stress, xx yy zz yz xz xy."""
        strains = self.rows[:, self.n_configurations : 7 * self.n_configurations]
        return strains.reshape(len(self.rows), -1, 6)

    @property
    def forces(self) -> Array:
        """(n_rows, 3, n_atoms) of the forces."""
        return self.rows[:, 7 * self.n_configurations :].reshape(len(self.rows), 3, -1)


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
    """
    from aiida_alpot.mtp.kernels import jacobian as kernels
    from aiida_alpot.mtp.kernels.jacobian_tables import jacobian_tables

    first, end = block
    n_configurations = end - first
    atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
    n_atoms = atoms.stop - atoms.start
    n_rows = potential.n_species + len(potential.moment_coefficients)
    n_rows += potential.n_radial_parameters if with_radial else 0
    n_columns = n_configurations + (6 * n_configurations + 3 * n_atoms if with_forces else 0)
    jacobian = np.zeros((n_rows, n_columns))
    tables = jacobian_tables(potential.basis)
    neighbors = environment.neighbors
    n_neighbors = np.diff(neighbors.first[atoms.start : atoms.stop + 1])
    size = potential.radial_coefficients.shape[-1]
    kernels.accumulate_block(
        tables,
        (first, end),
        with_radial,
        with_forces,
        kernels.Surroundings(
            environment.offsets,
            neighbors.first,
            neighbors.neighbor,
            neighbors.vectors,
            environment.types,
        ),
        kernels.RadialForm(
            np.ascontiguousarray(potential.radial_coefficients),
            float(potential.min_distance),
            float(potential.cutoff),
            float(potential.scaling),
        ),
        np.ascontiguousarray(potential.moment_coefficients),
        kernels.make_work_space(tables, int(n_neighbors.max(initial=0)), potential.n_species, size),
        kernels.Target(jacobian, atoms.start, n_atoms, n_configurations, 7 * n_configurations),
    )
    return BlockJacobian(jacobian, n_configurations)
