# SPDX-License-Identifier: MIT
"""Rows of what a label teaches: of chunks those of one atom, else of energies.

A chunk (:mod:`aiida_alpot.carving`) teaches the force on its central atom and nothing else. What
enters an active set are the three rows df_i/dtheta of the force on each atom that is trained on,
times :data:`LENGTH`, so that they have the unit of energies. They lie in the space of the
site-energy rows, whose derivatives by positions they are. Rows of the rim never enter: a structure
that is like the surface of a chunk would seem known.

By neighbourhood the site-energy row of the atom enters with them. Forces fix energies only up to a
constant for all structures that small steps connect, so that by force rows alone the energy of a
surface atom stays unknown for good: its grade says so at every step, and a chain would never leave
a start whose forces are all learnt. With its row a grade up to one says that the environment is
one in which a force was taught, not that its energy is right.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from aiida_alpot.carving.labels import is_carved
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.rows import WHOLE_CONFIGURATION, RowBlock, iterate_rows
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
LENGTH = 1.0
"""A; a force row counts as the change of an energy row over this displacement."""
_ROWS = {"neighborhood": 4, "configuration": 3}
"""Rows of an atom that a chunk trains on."""


def iterate_label_rows(
    potential: MomentTensorPotential, configurations: Configurations, *, mode: str
) -> Iterator[RowBlock]:
    """Yield rows of what the labels of configurations teach, in their order.

    Arguments and errors as those of :func:`aiida_alpot.grading.rows.iterate_rows`, whose rows those
    of all configurations are but chunks.
    """
    carved = is_carved(configurations)
    if not carved.any():
        yield from iterate_rows(potential, configurations, mode=mode)
        return
    changes = np.flatnonzero(np.diff(carved)) + 1
    for first, end in pairwise([0, *changes.tolist(), len(configurations)]):
        part = configurations.select(np.arange(first, end))
        if carved[first]:
            yield _chunk_block(potential, part, first, mode)
            continue
        for block in iterate_rows(potential, part, mode=mode):
            yield RowBlock(block.rows, block.configuration + first, block.atom)


def label_row_owners(configurations: Configurations, mode: str) -> tuple[Array, Array]:
    """Return configuration, and atom within it (-1 for whole ones), of every label row."""
    n_atoms, carved = configurations.n_atoms, is_carved(configurations)
    owner = np.repeat(np.arange(len(n_atoms)), n_atoms)
    atom = np.arange(len(owner)) - np.repeat(configurations.offsets[:-1], n_atoms)
    if mode == "configuration":
        # one row stands for all atoms of a configuration, but of a chunk
        times = np.where(carved[owner], _ROWS[mode] * configurations.force_mask, atom == 0)
        atom = np.where(carved[owner], atom, WHOLE_CONFIGURATION)
    else:
        times = np.where(carved[owner], _ROWS[mode] * configurations.force_mask, 1)
    return np.repeat(owner, times), np.repeat(atom, times)


def force_rows(potential: MomentTensorPotential, configurations: Configurations) -> Array:
    """Return the derivatives of forces by the parameters, of all atoms that are trained on.

    Parameters
    ----------
    potential : MomentTensorPotential
        Where forces are linearised.
    configurations : Configurations
        Whose ``force_mask`` says which atoms.

    Returns
    -------
    (3 n_masked, n_parameters) float64
        df_i/dtheta, x, y and z of an atom one after the other, eV/A per unit of each parameter.

    Raises
    ------
    SpeciesError
        If the potential lacks a species that occurs.
    """
    from aiida_alpot.mtp.jacobian import JacobianBuffers, block_jacobian, make_environment

    parts = [np.zeros((0, potential.n_parameters))]
    environment = make_environment(potential, configurations)
    buffers = JacobianBuffers(potential, environment)
    for index in range(len(configurations)):
        jacobian = block_jacobian(potential, environment, (index, index + 1), buffers=buffers)
        mask = configurations.force_mask[configurations.atoms_slice(index)]
        of_trained = jacobian.forces[:, :, mask]  # (n_parameters, 3, n_masked)
        parts.append(of_trained.transpose(2, 1, 0).reshape(-1, potential.n_parameters))
    rows: Array = np.concatenate(parts)
    return rows


def _chunk_block(
    potential: MomentTensorPotential, chunks: Configurations, first: int, mode: str
) -> RowBlock:
    """Return the rows of chunks: of each atom that is trained on its force, then its energy."""
    from aiida_alpot.mtp.evaluate import energy_rows

    owner, atom = label_row_owners(chunks, mode)
    rows = LENGTH * force_rows(potential, chunks)
    if mode == "neighborhood":
        sites = energy_rows(potential, chunks)[chunks.force_mask]
        parts = [rows.reshape(len(sites), 3, -1), sites[:, None]]
        rows = np.concatenate(parts, axis=1).reshape(-1, potential.n_parameters)
    return RowBlock(rows, owner + first, atom)
