# SPDX-License-Identifier: MIT
r"""The space that the rows of a potential can span at all.

The columns of a row dV_i/dtheta are linearly dependent whatever the environment: mixing the radial
functions f_mu with each other is undone by other linear coefficients, and some derivatives coincide
for reasons of symmetry. A matrix of such rows is singular; only their r-dimensional space matters
(r = 114 of 125 parameters at level 16, one species). It is found here from random environments of
all species, never from training data, so that a pair of species that no training configuration
holds still has its own directions.

The singular values of the rows of random environments fall to about 1e-6 of the largest within the
space and to 1e-16 outside: the gap leaves no doubt about r. With rows B = U Sigma V^T diag(s), s
the norms of the columns, the coordinates of a row b are b diag(1/s) V Sigma^-1 sqrt(m): over random
environments their mean square is one along every direction.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
RANK_TOLERANCE = 1e-12
"""Singular values below this fraction of the largest are rounding errors."""
SEED = 20_160_714
LARGEST_COORDINATION = 13
CLUSTERS_PER_BATCH = 512


class RowSpace(NamedTuple):
    """The space of the rows of a potential; see the module for the symbols."""

    scale: Array
    """(n_parameters,) s"""
    singular: Array
    """(rank,) Sigma of the space."""
    vectors: Array
    """(n_parameters, n_parameters) V, those of the space first, as columns."""
    n_rows: int
    """m"""

    @property
    def rank(self) -> int:
        """Dimension of the space."""
        return len(self.singular)

    @property
    def projection(self) -> Array:
        """(n_parameters, rank): from rows to coordinates."""
        whitening = np.sqrt(self.n_rows) / self.singular
        projection: Array = self.vectors[:, : self.rank] * whitening / self.scale[:, None]
        return projection

    def lift(self, projection: Array) -> Array:
        """(rank, n_parameters): from coordinates that ``projection`` gives back to rows."""
        to_rows = self.vectors[:, : self.rank].T * self.scale
        lifted: Array = np.linalg.solve(to_rows @ projection, to_rows)
        return lifted

    @property
    def absent_rows(self) -> Array:
        """(n_parameters - rank, n_parameters): rows that no environment has."""
        absent: Array = self.vectors[:, self.rank :].T * self.scale
        return absent

    @property
    def absent_directions(self) -> Array:
        """(n_parameters, n_parameters - rank): their inverse, which takes all others to zero."""
        directions: Array = self.vectors[:, self.rank :] / self.scale[:, None]
        return directions


def structural_projection(potential: MomentTensorPotential) -> Array:
    """Return the matrix that takes rows to coordinates in the space they can span.

    Parameters
    ----------
    potential : MomentTensorPotential
        Its parameters decide the space, which has to be found again after a fit.

    Returns
    -------
    (n_parameters, rank) float64
        ``rows @ projection`` are the coordinates, see the module. The same for the same potential:
        the random environments come from a generator with a fixed seed.
    """
    return row_space(potential).projection


def row_space(potential: MomentTensorPotential) -> RowSpace:
    """Find the space of the rows of a potential, the same one for the same potential."""
    rows = _rows_of_random_environments(potential)
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0.0] = 1.0
    rows = rows / scale
    # dense environments have much larger rows than sparse ones; all are to count alike
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows /= np.where(lengths > 0.0, lengths, 1.0)
    _, singular, vectors = np.linalg.svd(rows, full_matrices=False)
    rank = int((singular > RANK_TOLERANCE * singular[0]).sum())
    return RowSpace(scale, singular[:rank], vectors.T, len(rows))


def structural_rank(potential: MomentTensorPotential) -> int:
    """Return the dimension of the space of rows: the number of rows that an active set can hold.

    A potential without linear coefficients yet is given some at random, see
    :func:`with_generic_coefficients`.
    """
    return int(structural_projection(with_generic_coefficients(potential)).shape[1])


def with_generic_coefficients(potential: MomentTensorPotential) -> MomentTensorPotential:
    """Return the potential itself if it is trained, else with random coefficients.

    Where all moment coefficients are zero no energy depends on a radial coefficient, and rows would
    tell one half of what they can. Configurations are compared by the span of their rows, for which
    any generic values will do; they come from a generator with a fixed seed.
    """
    if is_trained(potential):
        return potential
    rng = np.random.default_rng(SEED)
    linear = rng.standard_normal(len(potential.moment_coefficients))
    radial = potential.radial_coefficients
    if not radial.any():
        radial = rng.standard_normal(radial.shape)
    return dataclasses.replace(potential, moment_coefficients=linear, radial_coefficients=radial)


def is_trained(potential: MomentTensorPotential) -> bool:
    """Whether any moment coefficient differs from zero."""
    return bool(np.any(potential.moment_coefficients))


def _rows_of_random_environments(potential: MomentTensorPotential) -> Array:
    """Rows of the central atoms of random clusters, half as many again as there are parameters."""
    from aiida_alpot.mtp.evaluate import energy_rows

    if not potential.species:
        # the types are all that counts, so any names will do
        potential = potential.with_species(_stand_in_species(potential.n_species))
    rng = np.random.default_rng(SEED)
    n_clusters = 3 * potential.n_parameters // 2 + 32
    parts = []
    for first in range(0, n_clusters, CLUSTERS_PER_BATCH):
        count = min(CLUSTERS_PER_BATCH, n_clusters - first)
        clusters = _random_clusters(potential, count, first, rng)
        parts.append(energy_rows(potential, clusters)[clusters.offsets[:-1]])
    return np.concatenate(parts)


def _random_clusters(
    potential: MomentTensorPotential, count: int, first: int, rng: np.random.Generator
) -> Configurations:
    """Atoms of random species at random places about a central atom of each species in turn."""
    from ase import Atoms

    structures = []
    for index in range(first, first + count):
        coordination = int(rng.integers(2, LARGEST_COORDINATION + 1))
        directions = rng.standard_normal((coordination, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        distances = rng.uniform(potential.min_distance, potential.cutoff, coordination)
        positions = np.concatenate([np.zeros((1, 3)), directions * distances[:, None]])
        symbols = rng.choice(potential.species, coordination + 1).tolist()
        symbols[0] = potential.species[index % potential.n_species]
        structures.append(Atoms(symbols, positions=positions))
    return Configurations.from_atoms(structures)


def _stand_in_species(n_species: int) -> tuple[str, ...]:
    from ase.data import chemical_symbols

    if n_species >= len(chemical_symbols):
        raise SettingError(f"A potential with {n_species} species is beyond the periodic table.")
    return tuple(chemical_symbols[1 : n_species + 1])
