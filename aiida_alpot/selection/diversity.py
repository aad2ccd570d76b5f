# SPDX-License-Identifier: MIT
r"""Selection by what configurations look like, whatever a potential knows about them.

A configuration is described by its row of D-optimality, the mean over its atoms of dV_i/dtheta, or
by the rows of its atoms (:mod:`aiida_alpot.grading.rows`). Every column is shifted and scaled to
mean zero and variance one over training set and candidates, so that neither units nor the few large
moments decide alone.

``farthest_points``
    Next comes the candidate that is farthest from all that is known or selected already (Gonzalez,
    Theor. Comput. Sci. 38, 293 (1985)). By neighbourhood a candidate is as far as that of its atoms
    which is farthest from every known atom. Without a training set the candidate farthest from the
    mean comes first.
``cur``
    Next comes the candidate with the largest leverage, its squared component along the leading
    right singular vector of the rows; what its row spans is then taken out of all rows (CUR by
    deterministic deflation: Imbalzano, Anelli, Giofre, Klees, Behler and Ceriotti, J. Chem. Phys.
    148, 241730 (2018)). What the training set spans is taken out first. Once nothing is left a new
    round begins with the whole rows of those that remain.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.grading.rows import check_mode, iterate_rows
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.picking import ALIKE_WITHIN, Picked, check_limit, pick_in_order

Array = np.ndarray
_SPANNED = 1e-8
"""Share of the squared length of the rows below which nothing is left to span."""


@dataclass(frozen=True)
class _Points:
    """Descriptions of configurations as points.

    Parameters
    ----------
    values : (m, n_columns) float64
        One row for each configuration, or for each atom.
    owner : (m,) int64
        Configuration of each row, increasing; the known ones come first.
    n_known : int
        Number of rows of known configurations.
    """

    values: Array
    owner: Array
    n_known: int


@dataclass(frozen=True)
class FarthestPointSelector:
    """Selects by farthest points; see the module.

    Parameters
    ----------
    potential : MomentTensorPotential
        Its rows describe configurations; trained or not.
    training : Configurations
        What is known already.
    mode : {"configuration", "neighborhood"}
        Whether a configuration is one point, or each of its atoms is.
    alike_within : float
        See :func:`~aiida_alpot.selection.picking.pick_in_order`.

    Raises
    ------
    SettingError
        If there is no such mode.
    """

    potential: MomentTensorPotential
    training: Configurations
    mode: str = "configuration"
    alike_within: float = ALIKE_WITHIN

    def __post_init__(self) -> None:
        check_mode(self.mode)

    def select(
        self, candidates: Configurations, *, limit: int | None, rng: np.random.Generator
    ) -> Picked:
        """Select; see :class:`~aiida_alpot.selection.picking.Selector`."""
        check_limit(limit, needed_by="farthest_points")
        points = _describe(self.potential, self.training, candidates, self.mode)
        return pick_in_order(
            _farthest_first(points, len(candidates)),
            candidates,
            known=self.training,
            limit=limit,
            alike_within=self.alike_within,
        )


@dataclass(frozen=True)
class LeverageSelector:
    """Selects by leverage scores (CUR) of whole configurations; see the module.

    Parameters
    ----------
    potential, training, alike_within
        As those of :class:`FarthestPointSelector`.
    """

    potential: MomentTensorPotential
    training: Configurations
    alike_within: float = ALIKE_WITHIN

    def select(
        self, candidates: Configurations, *, limit: int | None, rng: np.random.Generator
    ) -> Picked:
        """Select; see :class:`~aiida_alpot.selection.picking.Selector`."""
        check_limit(limit, needed_by="cur")
        points = _describe(self.potential, self.training, candidates, "configuration")
        known, rows = np.split(points.values, [points.n_known])
        return pick_in_order(
            _largest_leverage_first(known, rows),
            candidates,
            known=self.training,
            limit=limit,
            alike_within=self.alike_within,
        )


def _describe(
    potential: MomentTensorPotential,
    training: Configurations,
    candidates: Configurations,
    mode: str,
) -> _Points:
    together = concatenate([training.without_labels(), candidates.without_labels()])
    generic = with_generic_coefficients(potential)
    blocks = list(iterate_rows(generic, together, mode=mode))
    if not blocks:
        return _Points(np.zeros((0, 0)), np.zeros(0, dtype=np.int64), 0)
    values = np.concatenate([block.rows for block in blocks])
    owner = np.concatenate([block.configuration for block in blocks])
    values -= values.mean(axis=0)
    spread = values.std(axis=0)
    is_constant = spread <= 1e-12 * spread.max(initial=0.0)
    values = values[:, ~is_constant]
    values /= spread[~is_constant]
    return _Points(values, owner - len(training), int((owner < len(training)).sum()))


def _farthest_first(points: _Points, n_candidates: int) -> Iterator[int]:
    """Yield all candidates, each the farthest from what is known and those before it."""
    if n_candidates == 0:
        return
    known, values = np.split(points.values, [points.n_known])
    owner = points.owner[points.n_known :]
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    squares = np.einsum("ij,ij->i", values, values)
    left = np.ones(n_candidates, dtype=bool)
    distances = squares.copy()  # from the mean
    if len(known):
        distances = _nearest(values, squares, known, np.full(len(values), np.inf))
    is_first = not len(known)
    for _ in range(n_candidates):
        reach = np.maximum.reduceat(distances, starts)
        best = int(np.argmax(np.where(left, reach, -np.inf)))
        left[best] = False
        yield best
        end = starts[best + 1] if best + 1 < n_candidates else len(values)
        before = np.full(len(values), np.inf) if is_first else distances
        distances = _nearest(values, squares, values[starts[best] : end], before)
        is_first = False


def _nearest(values: Array, squares: Array, others: Array, before: Array) -> Array:
    """Return the squared distance of each row to the nearest of ``others``, or ``before``."""
    nearest = before.copy()
    for one in np.array_split(others, -(-len(others) // 64)):
        products = values @ one.T
        products *= -2.0
        products += np.einsum("ij,ij->i", one, one)
        np.minimum(nearest, np.maximum(products.min(axis=1) + squares, 0.0), out=nearest)
    return np.asarray(nearest)


def _largest_leverage_first(known: Array, rows: Array) -> Iterator[int]:
    """Yield all rows, each the one with the largest leverage after deflation by those before."""
    left = np.ones(len(rows), dtype=bool)
    deflated = _take_out(rows.copy(), known)
    if len(rows) and (deflated**2).sum() <= _SPANNED * (rows**2).sum():
        deflated = rows.copy()
    while left.any():
        whole = (rows[left] ** 2).sum()
        if whole == 0.0:  # all that is left lies at the mean
            yield from np.flatnonzero(left).tolist()
            return
        while (deflated[left] ** 2).sum() > _SPANNED * whole:
            direction = _leading_direction(deflated[left])
            leverage = np.where(left, (deflated @ direction) ** 2, -1.0)
            best = int(np.argmax(leverage))
            left[best] = False
            yield best
            axis = deflated[best] / np.linalg.norm(deflated[best])
            deflated -= np.outer(deflated @ axis, axis)
        deflated = rows.copy()


def _leading_direction(rows: Array) -> Array:
    """Return the right singular vector of the largest singular value."""
    gram = rows.T @ rows
    last = len(gram) - 1
    return np.asarray(eigh(gram, subset_by_index=(last, last))[1][:, 0])


def _take_out(rows: Array, known: Array) -> Array:
    """Return rows without their components along what ``known`` spans."""
    if not len(known) or not len(rows):
        return rows
    _, singular, vectors = np.linalg.svd(known, full_matrices=False)
    spanned = vectors[singular > 1e-6 * singular.max(initial=0.0)]
    remaining: Array = rows - (rows @ spanned.T) @ spanned
    return remaining
