# SPDX-License-Identifier: MIT
"""Rows of what a label teaches: of chunks the derivatives of one force, else of energies.

A chunk (:mod:`aiida_alpot.carving`) teaches the force on its central atom and nothing else. Its
site energies are not labelled, so none of its site-energy rows may enter an active set: a structure
that is like the surface of a chunk would seem known. What enters are the three rows df_i/dtheta of
the force on each atom that is trained on, times :data:`LENGTH`, so that they have the unit of
energies. They lie in the space of the site-energy rows, whose derivatives by positions they are.
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
            yield _force_block(potential, part, first)
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
        times = np.where(carved[owner], 3 * configurations.force_mask, atom == 0)
        atom = np.where(carved[owner], atom, WHOLE_CONFIGURATION)
    else:
        times = np.where(carved[owner], 3 * configurations.force_mask, 1)
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


def _force_block(potential: MomentTensorPotential, chunks: Configurations, first: int) -> RowBlock:
    owner, atom = label_row_owners(chunks, "neighborhood")
    return RowBlock(LENGTH * force_rows(potential, chunks), owner + first, atom)
