# SPDX-License-Identifier: MIT
"""Normal equations of a fit: sums over all labels of products of derivatives.

With J the weighted Jacobian and r the weighted residuals (label minus prediction) they hold
A = J^T J, J^T r and r^T r. They are summed block after block of configurations, so that memory does
not grow with the number of labels: each thread holds the Jacobian of one block and one matrix.
Chunks of blocks follow from the configurations alone and their sums are added in order, so the
numbers are the same, bit for bit, for any number of threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from aiida_alpot.fitting.loss import Targets
from aiida_alpot.mtp.jacobian import (
    BlockJacobian,
    Environment,
    JacobianBuffers,
    block_jacobian,
    lay_out,
)
from aiida_alpot.mtp.kernels.lanes import LANES
from aiida_alpot.mtp.potential import MomentTensorPotential

Array = np.ndarray
Block = tuple[int, int]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MOST_CHUNKS = 64


@dataclass(frozen=True)
class NormalEquations:
    """Sums over all labels at one point.

    Parameters
    ----------
    matrix : (n, n) float64
        J^T J for the parameters that were asked for.
    gradient : (n,) float64
        J^T r; minus half of the gradient of the loss.
    loss : float
        r^T r, without the penalty.
    """

    matrix: Array
    gradient: Array
    loss: float


def normal_equations(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    with_radial: bool = True,
    threads: int = 1,
) -> NormalEquations:
    """Sum the normal equations of all labels.

    Parameters
    ----------
    potential : MomentTensorPotential
        Point of linearisation.
    environment : Environment
        Of the configurations of ``targets``.
    targets : Targets
        Weighted labels. Rows and columns of parameters that their restraints freeze are zero.
    with_radial : bool
        Whether the radial coefficients, first, belong to the parameters.
    threads : int
        Chunks of blocks are shared among so many threads; the sums are the same.
    """
    layout = lay_out(potential, with_radial=with_radial)
    lanes, residual = layout.lanes, layout.residual_lane
    if environment.shared is None:
        total = sum_products(
            potential, environment, targets, with_radial=with_radial, threads=threads
        )
    else:
        total = environment.shared.products(potential, with_radial=with_radial, threads=threads)
    # complete below the diagonal only
    total = np.tril(total) + np.tril(total, -1).T
    return _restrain(
        NormalEquations(
            total[np.ix_(lanes, lanes)], total[lanes, residual], float(total[residual, residual])
        ),
        potential,
        targets,
    )


def sum_products(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    with_radial: bool,
    threads: int,
) -> Array:
    """Return the scalar products of all rows and of the residuals, for the labels on this process.

    Returns
    -------
    (n_lanes, n_lanes) float64
        By lane, see :func:`aiida_alpot.mtp.jacobian.lay_out`; complete below the diagonal only.
    """
    n_lanes = lay_out(potential, with_radial=with_radial).n_planes * LANES
    linear = linear_coefficients(potential)

    def of_chunk(blocks: Sequence[Block]) -> Array:
        products = np.zeros((n_lanes, n_lanes))
        buffers = JacobianBuffers(potential, environment)
        for first, end in blocks:
            atoms = slice(int(environment.offsets[first]), int(environment.offsets[end]))
            jacobian = block_jacobian(
                potential,
                environment,
                (first, end),
                with_radial=with_radial,
                with_forces=targets.has_forces(first, end, atoms),
                buffers=buffers,
            )
            labels, scales = label_columns(targets, first, end, atoms)
            n_columns = jacobian.planes.shape[1]
            add_weighted_products(
                jacobian, linear, labels[:n_columns], scales[:n_columns], products
            )
        return products

    total: Array | None = None
    for part in in_order(of_chunk, _split(environment.blocks()), threads):
        if total is None:
            total = part
        else:
            total += part
    return np.zeros((n_lanes, n_lanes)) if total is None else total


def _split(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    size = -(-len(blocks) // _MOST_CHUNKS)
    return [blocks[start : start + size] for start in range(0, len(blocks), max(size, 1))]


def in_order(
    function: Callable[[_Item], _Result], items: Sequence[_Item], threads: int
) -> Iterator[_Result]:
    """Yield the results in the order of the items; hold only a few that are not taken yet."""
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[_Result]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def label_columns(targets: Targets, first: int, end: int, atoms: slice) -> tuple[Array, Array]:
    """Return labels and scales in the order of the columns of a block."""
    labels = (targets.energy[first:end], targets.strain[first:end], targets.forces[atoms])
    scales = (
        targets.energy_scale[first:end],
        targets.strain_scale[first:end],
        targets.force_scale[atoms],
    )
    return (
        np.concatenate([values.ravel() for values in labels]),
        np.concatenate([values.ravel() for values in scales]),
    )


def add_weighted_products(
    jacobian: BlockJacobian, linear: Array, labels: Array, scales: Array, products: Array
) -> None:
    """Add the scalar products of the weighted rows of a Jacobian and the weighted residuals.

    Parameters
    ----------
    jacobian : BlockJacobian
        Rows of parameters, those of the linear coefficients last; overwritten by weighted ones.
    linear : (n_linear,) float64
        Linear coefficients, which times their rows give the predictions.
    labels, scales : (n_columns,) float64
        Labels and the square roots of their weights.
    products : (n_lanes, n_lanes) float64
        Added to, by lane; complete below the diagonal only.
    """
    from aiida_alpot.mtp.kernels.normal_equations import add_products, weigh_columns

    n_columns = jacobian.planes.shape[1]
    flat = jacobian.planes.reshape(-1)
    by_lane = np.zeros(jacobian.n_lanes)
    by_lane[jacobian.lanes[len(jacobian.lanes) - len(linear) :]] = linear
    weigh_columns(
        flat,
        n_columns,
        by_lane,
        jacobian.first_linear_plane,
        jacobian.residual_lane,
        np.ascontiguousarray(labels),
        np.ascontiguousarray(scales),
        np.zeros(n_columns * LANES),
    )
    add_products(flat, n_columns, products)


def _restrain(
    equations: NormalEquations, potential: MomentTensorPotential, targets: Targets
) -> NormalEquations:
    """Add what the restraints of the targets ask for, after the sum over all labels."""
    restraints = targets.restraints
    if restraints is None:
        return equations
    parameters = potential.parameters
    matrix, gradient = restraints.hold(equations.matrix, equations.gradient, parameters)
    return NormalEquations(matrix, gradient, equations.loss + restraints.loss(parameters))


def linear_coefficients(potential: MomentTensorPotential) -> Array:
    """Return the coefficients of species and moments, in the order of the parameters."""
    return np.concatenate([potential.species_coefficients, potential.moment_coefficients])
