# SPDX-License-Identifier: MIT
"""How the loss curves along radial coefficients, estimated from a part of the configurations.

S, see :mod:`aiida_alpot.fitting.nonlinear`, is summed for one of some configurations, with the
linear coefficients eliminated by what the same configurations say, so that the estimate is close to
S in every direction that the labels determine. It consists of blocks of pairs with the same or
neighbouring types of the central atom, as many as are cheap; what couples different blocks is left
out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from aiida_alpot.fitting.linear import PositiveSystem
from aiida_alpot.fitting.loss import Targets, penalty_residuals
from aiida_alpot.fitting.nonlinear import LEAST_DIAGONAL
from aiida_alpot.fitting.normal_equations import in_order, label_columns
from aiida_alpot.fitting.parts import part_step, take_part
from aiida_alpot.mtp.jacobian import Environment, block_jacobian
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
LARGEST_BLOCK = 2000
"""Radial coefficients of one block, unless a single type of the central atom has more."""


@dataclass(frozen=True)
class Preconditioner:
    """The estimate of S around a point.

    Parameters
    ----------
    slices : sequence of slice
        Free radial coefficients of each block.
    blocks : sequence of (m, m) float64
        Of S.
    diagonal : (n,) float64
        D, the diagonal of S, kept away from zero.
    """

    slices: list[slice]
    blocks: list[Array]
    diagonal: Array

    def factorise(self, damping: float) -> Callable[[Array], Array]:
        """Return what solves (S + lambda D) x = b, block by block."""
        systems = [
            PositiveSystem(block + np.diag(damping * self.diagonal[part]))
            for part, block in zip(self.slices, self.blocks, strict=True)
        ]

        def solve(right: Array) -> Array:
            parts = zip(self.slices, systems, strict=True)
            return np.concatenate([system.solve(right[part]) for part, system in parts])

        return solve


class CurvatureSample:
    """A part of a training set, in which S is estimated again and again.

    Parameters
    ----------
    potential : MomentTensorPotential
        Gives the form; its coefficients are not looked at.
    environment, targets
        Of the whole set.
    """

    def __init__(
        self, potential: MomentTensorPotential, environment: Environment, targets: Targets
    ) -> None:
        self.free = _free_coefficients(potential, environment, targets)
        """Radial coefficients that are not frozen, of pairs that occur."""
        n_radial = potential.n_radial_parameters
        n_linear = potential.n_parameters - n_radial
        self._linear = n_radial + np.arange(n_linear)
        if targets.restraints is not None:
            self._linear = self._linear[~targets.restraints.frozen[n_radial:]]
        self._slices = _slice_by_centre(self.free, potential)
        largest = max((part.stop - part.start for part in self._slices), default=0)
        step = part_step(targets.n_rows, largest + n_linear, len(environment.offsets) - 1)
        self._environment, self._targets = take_part(environment, targets, step)

    def precondition(self, potential: MomentTensorPotential, *, threads: int = 1) -> Preconditioner:
        """Estimate S at a potential; the threads share the Jacobian, the sums stay the same."""
        linear, mixed, squares = self._sum_products(potential, threads)
        penalty = penalty_residuals(potential)[1][:, self.free]
        pull = np.zeros(len(self.free))
        if self._targets.restraints is not None:
            strength = self._targets.restraints.strength
            linear[np.diag_indices(len(linear))] += strength[self._linear]
            pull = strength[self.free]
        system = PositiveSystem(linear)
        blocks = []
        for part, square in zip(self._slices, squares, strict=True):
            block = square - mixed[part] @ system.solve(mixed[part].T)
            block = 0.5 * (block + block.T) + np.diag(pull[part])
            blocks.append(block + penalty[:, part].T @ penalty[:, part])
        diagonal = np.concatenate([np.zeros(0), *map(np.diag, blocks)])
        least = LEAST_DIAGONAL * diagonal.max(initial=math.ulp(0.0))
        return Preconditioner(self._slices, blocks, np.maximum(diagonal, least))

    def _sum_products(
        self, potential: MomentTensorPotential, threads: int
    ) -> tuple[Array, Array, list[Array]]:
        """Return A_xx, A_cx and the blocks of A_cc of the part."""
        n_linear = len(self._linear)
        linear = np.zeros((n_linear, n_linear))
        mixed = np.zeros((len(self.free), n_linear))
        squares = [np.zeros((part.stop - part.start,) * 2) for part in self._slices]
        for rows in self._weighted_rows(potential, threads):
            of_radial, of_linear = rows[self.free], rows[self._linear]
            linear += of_linear @ of_linear.T
            mixed += of_radial @ of_linear.T
            for index, part in enumerate(self._slices):
                squares[index] += of_radial[part] @ of_radial[part].T
        return linear, mixed, squares

    def _weighted_rows(self, potential: MomentTensorPotential, threads: int) -> Iterator[Array]:
        """Yield (n_parameters, n_labels) derivatives for one block of configurations at a time."""
        environment, targets = self._environment, self._targets

        def of_block(block: tuple[int, int]) -> Array:
            first, end = block
            atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
            with_forces = targets.has_forces(first, end, atoms)
            jacobian = block_jacobian(potential, environment, block, with_forces=with_forces)
            _, scales = label_columns(targets, first, end, atoms)
            rows: Array = jacobian.rows * scales[: jacobian.planes.shape[1]]
            return rows

        return in_order(of_block, environment.blocks(), threads)


def _free_coefficients(
    potential: MomentTensorPotential, environment: Environment, targets: Targets
) -> Array:
    neighbors = environment.neighbors
    centre = np.repeat(environment.types, np.diff(neighbors.first))
    occurs = np.zeros(potential.radial_coefficients.shape[:2], dtype=bool)
    occurs[centre, environment.types[neighbors.neighbor]] = True
    each = potential.n_radial_parameters // occurs.size
    is_free = np.repeat(occurs.ravel(), each)
    if targets.restraints is not None:
        is_free &= ~targets.restraints.frozen[: len(is_free)]
    return np.flatnonzero(is_free)


def _slice_by_centre(free: Array, potential: MomentTensorPotential) -> list[slice]:
    """Cut the free coefficients where the type of the central atom changes, not too often."""
    each = potential.n_radial_parameters // potential.n_species
    ends = np.searchsorted(free, each * np.arange(1, potential.n_species + 1)).tolist()
    slices, start = [], 0
    for end, following in zip(ends, [*ends[1:], math.inf], strict=True):
        if end > start and following - start > LARGEST_BLOCK:
            slices.append(slice(start, end))
            start = end
    return slices
