# SPDX-License-Identifier: MIT
r"""MAXVOL: the square submatrix of (locally) largest volume among many rows.

From candidate rows B (m x n) a square matrix A (n x n) is put together whose |det A| no exchange of
one of its rows for a candidate can enlarge by more than a threshold (Goreinov, Oseledets,
Savostyanov, Tyrtyshnikov and Zamarashkin, "How to find a good submatrix" (2010); for interatomic
potentials Podryabinkin and Shapeev, Comput. Mater. Sci. 140, 171 (2017)). With C = B A^-1,
exchanging row j of A for row i of B multiplies |det A| by \|C_ij\|, so the pair with the largest
\|C_ij\| is exchanged until none exceeds the threshold. One exchange is a change of rank one::

    A^-1 <- A^-1 - (A^-1)_{:,j} (C_{i,:} - e_j) / C_ij                  Sherman-Morrison, O(n^2)
    C    <- C    - (C_{:,j} + e_i) (C_{i,:} - e_j) / C_ij               O(m n)

The start is ``scale * I``: fictitious rows that real ones push out. Directions along which no
candidate has a component keep their fictitious row, which makes A invertible whatever the
candidates are, and makes anything new along such a direction stand out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from scipy.linalg.blas import dger

Array = np.ndarray

SWAP_THRESHOLD = 1.0 + 1e-7
"""Exchanges that gain less volume than this factor are not worth making (MLIP-2's default)."""
START_SCALE = 1e-5
"""Length of the fictitious rows of the start (MLIP-2's default)."""
SWAPS_BETWEEN_REFRESHES = 100
INVERSE_TOLERANCE = 1e-8
MAX_SWAPS = 100_000
UNFILLED = -1
"""Mark of a place that still holds a row of the start."""


@dataclass(frozen=True)
class MaxvolResult:
    """Square matrix of locally largest volume.

    Parameters
    ----------
    matrix : (n, n) float64
        A, chosen candidates and rows of the start that stayed.
    inverse : (n, n) float64
        A^-1.
    places : (n,) int64
        Index of the candidate row in each place of the matrix, -1 where the start's row stayed.
    entered : tuple of int
        Candidate of each exchange, in the order of the exchanges; the first ones gain most.
    log_det : float
        log |det A|.
    dominant : bool
        Whether no exchange is left that gains more than the threshold; False only if ``max_swaps``
        was hit.
    """

    matrix: Array
    inverse: Array
    places: Array
    entered: tuple[int, ...]
    log_det: float
    dominant: bool

    @property
    def n_swaps(self) -> int:
        """Number of exchanges made."""
        return len(self.entered)

    @property
    def chosen(self) -> Array:
        """Indices of the candidates in the matrix, increasing."""
        return np.unique(self.places[self.places != UNFILLED])


def maxvol(
    rows: Array,
    *,
    start: tuple[Array, Array] | None = None,
    scale: float = START_SCALE,
    threshold: float = SWAP_THRESHOLD,
    block_rows: int | None = None,
    max_swaps: int = MAX_SWAPS,
) -> MaxvolResult:
    """Choose rows that span the largest volume.

    Parameters
    ----------
    rows : (m, n) float64
        Candidates; not changed.
    start : pair of (n, n) arrays, optional
        Matrix and its inverse to improve on; ``scale * I`` by default.
    scale : float
        Length of the fictitious rows of the default start.
    threshold : float
        Smallest factor on |det A| for which an exchange is made, > 1; larger where the inverse of
        an ill-conditioned matrix is not known so well.
    block_rows : int, optional
        Process that many candidates at a time, see :func:`maxvol_in_blocks`; all at once by
        default, where each exchange is the best among all candidates, as in MLIP-2.
    max_swaps : int
        Upper bound on exchanges.

    Examples
    --------
    The largest volume of straight lines a + b x on an interval is at its ends:

    >>> x = np.linspace(-1.0, 1.0, 21)
    >>> maxvol(np.stack([np.ones(21), x], axis=1)).chosen.tolist()
    [0, 20]
    """
    rows = np.asarray(rows, dtype=np.float64)
    block_rows = len(rows) if block_rows is None else block_rows

    def blocks() -> Iterable[Array]:
        return (rows[k : k + block_rows] for k in range(0, len(rows), max(block_rows, 1)))

    start = scaled_identity(rows.shape[1], scale) if start is None else start
    keep_all = block_rows >= len(rows)
    return maxvol_in_blocks(
        blocks, start=start, threshold=threshold, max_swaps=max_swaps, keep_all=keep_all
    )


def scaled_identity(n: int, scale: float = START_SCALE) -> tuple[Array, Array]:
    """Return the regularised start ``scale * I`` and its inverse."""
    return scale * np.eye(n), np.eye(n) / scale


def maxvol_in_blocks(
    blocks: Callable[[], Iterable[Array]],
    *,
    start: tuple[Array, Array],
    threshold: float = SWAP_THRESHOLD,
    max_swaps: int = MAX_SWAPS,
    keep_all: bool = False,
) -> MaxvolResult:
    r"""Choose rows that span the largest volume, reading the candidates block by block.

    Sweeps over the blocks are repeated until one finds no row that gains more than the threshold,
    so the result is dominant over all candidates although only one block is in memory at a time. Of
    each block only the rows that extrapolate (some \|C_ij\| above the threshold) are kept.

    Parameters
    ----------
    blocks : callable
        Called once for each sweep; yields (m_k, n) arrays, the same ones each time.
    start : pair of (n, n) arrays
        Matrix and its inverse to improve on.
    threshold, max_swaps
        As in :func:`maxvol`.
    keep_all : bool
        Keep interpolating rows of a block in the pool: with a single block this is the algorithm of
        MLIP-2 to the letter.
    """
    submatrix = _Submatrix(*start)
    while len(submatrix.entered) < max_swaps:
        swaps_before = len(submatrix.entered)
        first = 0
        for block in blocks():
            _improve_with_block(
                submatrix, block, first, threshold=threshold, max_swaps=max_swaps, keep_all=keep_all
            )
            first += len(block)
        if len(submatrix.entered) == swaps_before:
            break
    submatrix.refresh()
    return MaxvolResult(
        matrix=submatrix.matrix,
        inverse=submatrix.inverse,
        places=submatrix.places,
        entered=tuple(submatrix.entered),
        log_det=float(np.linalg.slogdet(submatrix.matrix)[1]),
        dominant=len(submatrix.entered) < max_swaps,
    )


class _Submatrix:
    """The matrix under construction with its inverse, refreshed before rounding errors matter."""

    def __init__(self, matrix: Array, inverse: Array) -> None:
        self.matrix = np.array(matrix, dtype=np.float64)
        self.inverse = np.array(inverse, dtype=np.float64)
        self.places = np.full(len(self.matrix), UNFILLED, dtype=np.int64)
        self.entered: list[int] = []
        self._swaps_since_refresh = 0
        self._attainable = INVERSE_TOLERANCE

    def exchange(
        self, place: int, row: Array, coefficients: Array, label: int
    ) -> tuple[Array, int]:
        """Put ``row``, coefficients C_i, in a place; return the row that leaves and its label."""
        leaving = self.matrix[place].copy(), int(self.places[place])
        step = coefficients.copy()
        step[place] -= 1.0
        self.inverse -= np.outer(self.inverse[:, place] / coefficients[place], step)
        self.matrix[place] = row
        self.places[place] = label
        self.entered.append(label)
        self._swaps_since_refresh += 1
        return leaving

    def smallest_gain(self, threshold: float) -> float:
        """Return the threshold, or what rounding may feign where the matrix is ill conditioned.

        Without it a row could replace itself for ever, by coefficients 1 + 2e-7 for instance.
        """
        return max(threshold, 1.0 + self._attainable)

    def needs_refresh(self, place: int) -> bool:
        """Whether the inverse is old or the row just entered shows that it has lost its digits."""
        if self._swaps_since_refresh >= SWAPS_BETWEEN_REFRESHES:
            return True
        product = self.matrix[place] @ self.inverse
        product[place] -= 1.0
        return bool(np.abs(product).max() > self._attainable)

    def refresh(self) -> None:
        """Invert the matrix anew by its LU factors."""
        if self._swaps_since_refresh == 0:
            return
        self.inverse = np.asarray(np.linalg.inv(self.matrix), dtype=np.float64)
        residual = np.abs(self.matrix @ self.inverse - np.eye(len(self.matrix))).max()
        # a matrix that is ill conditioned by nature cannot be inverted better than this
        self._attainable = max(INVERSE_TOLERANCE, 10.0 * float(residual))
        self._swaps_since_refresh = 0


def _improve_with_block(
    submatrix: _Submatrix,
    block: Array,
    first: int,
    *,
    threshold: float,
    max_swaps: int,
    keep_all: bool,
) -> None:
    """Exchange rows of one block until none gains more than the threshold."""
    coefficients = block @ submatrix.inverse
    labels = np.arange(first, first + len(block))
    if not keep_all:
        kept = np.abs(coefficients).max(axis=1, initial=0.0) > threshold
        if not kept.any():
            return
        coefficients, block, labels = coefficients[kept], block[kept], labels[kept]
    pool = np.array(block, dtype=np.float64)
    coefficients = np.ascontiguousarray(coefficients)
    fresh = True
    while len(pool) and len(submatrix.entered) < max_swaps:
        i, place = _largest_entry(coefficients)
        if not abs(coefficients[i, place]) > submatrix.smallest_gain(threshold):
            if fresh:
                return
            submatrix.refresh()
            np.matmul(pool, submatrix.inverse, out=coefficients)
            fresh = True
            continue
        pool[i], labels[i] = submatrix.exchange(
            place, pool[i].copy(), coefficients[i], int(labels[i])
        )
        if submatrix.needs_refresh(place):
            submatrix.refresh()
            np.matmul(pool, submatrix.inverse, out=coefficients)
        else:
            _update_coefficients(coefficients, i, place)
        fresh = False


def _largest_entry(coefficients: Array) -> tuple[int, int]:
    """Return row and column of the largest absolute value, without a temporary of that size."""
    high, low = int(coefficients.argmax()), int(coefficients.argmin())
    flat = coefficients.reshape(-1)
    largest = high if flat[high] >= -flat[low] else low
    i, place = divmod(largest, coefficients.shape[1])
    return i, place


def _update_coefficients(coefficients: Array, i: int, place: int) -> None:
    """Update C in place after row ``i`` of the pool and row ``place`` of A were exchanged."""
    pivot = coefficients[i, place]
    column = coefficients[:, place].copy()
    column[i] += 1.0
    row = coefficients[i].copy()
    row[place] -= 1.0
    # BLAS updates the transpose of a C-contiguous array without a copy
    dger(-1.0 / pivot, row, column, a=coefficients.T, overwrite_a=1)
