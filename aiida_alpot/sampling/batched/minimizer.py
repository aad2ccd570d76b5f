# SPDX-License-Identifier: MIT
"""Many independent minimisations side by side, as operations on flat arrays.

Each problem has coordinates of its own in one flat array. All take steps of limited-memory BFGS
(Nocedal, Math. Comput. 35, 773 (1980)) at the same time, each with its own curvature, step length
and history. A step that raises the value is taken back, the history of that problem forgotten and
its trust radius cut, so that a problem stays in the basin where it began.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

Array = np.ndarray
_MEMORY = 8
_FIRST_CURVATURE = 50.0  # eV/A^2, between soft modes and bonds
_SMALLEST_CURVATURE = 1e-3
_GROWTH, _CUT = 1.3, 0.3
_REMEMBERED = ("radius", "steps", "changes", "weights", "scale", "lengths")


@dataclass
class Segments:
    """Where the coordinates of each problem lie in flat arrays.

    Parameters
    ----------
    sizes : (n,) int64
        Number of coordinates of each problem, at least one.
    """

    sizes: Array
    starts: Array = field(init=False)
    owner: Array = field(init=False)

    def __post_init__(self) -> None:
        self.starts = np.cumsum(self.sizes) - self.sizes
        self.owner = np.repeat(np.arange(len(self.sizes)), self.sizes)

    def sum(self, values: Array) -> Array:
        """(n,): sums of flat values over each problem."""
        total: Array = np.add.reduceat(values, self.starts)
        return total

    def dot(self, left: Array, right: Array) -> Array:
        """(n,): scalar products."""
        return self.sum(left * right)

    def largest(self, values: Array) -> Array:
        """(n,): largest of flat values of each problem."""
        found: Array = np.maximum.reduceat(values, self.starts)
        return found


class BatchedMinimizer:
    """State of many minimisations.

    Parameters
    ----------
    sizes : (n,) int64
        Number of coordinates of each problem.
    longest_step : float
        No step is longer, in the measure that is given to :meth:`propose`.
    """

    def __init__(self, sizes: Array, *, longest_step: float) -> None:
        self.segments = Segments(np.asarray(sizes))
        n = len(sizes)
        size = int(self.segments.sizes.sum())
        self._longest_step = longest_step
        self._radius = np.full(n, longest_step)
        self._steps = np.zeros((_MEMORY, size))
        self._changes = np.zeros((_MEMORY, size))
        self._weights = np.zeros((_MEMORY, n))  # 1 / (step . change), 0 where there is none
        self._scale = np.full(n, 1.0 / _FIRST_CURVATURE)
        self._newest = 0
        self._lengths = np.zeros(n)

    @property
    def radius(self) -> Array:
        """(n,): how long the next step may be."""
        return self._radius

    def propose(self, gradient: Array, measure: Array) -> Array:
        """Return the next step of every problem.

        Parameters
        ----------
        gradient : (n_coordinates,) float64
        measure : (n_coordinates,) float64
            A step is as long as its largest element times this.
        """
        direction = self._apply_inverse(gradient)
        is_uphill = self.segments.dot(direction, gradient) <= 0.0
        if is_uphill.any():
            self._forget(is_uphill)
            steepest = gradient * self._scale[self.segments.owner]
            direction = np.where(is_uphill[self.segments.owner], steepest, direction)
        length = self.segments.largest(np.abs(direction) * measure)
        factor = np.minimum(1.0, self._radius / np.maximum(length, 1e-300))
        step: Array = -direction * factor[self.segments.owner]
        self._lengths = length * factor
        return step

    def learn(self, step: Array, change: Array, is_accepted: Array) -> None:
        """Take up how the gradient changed along the last step where it was accepted.

        Parameters
        ----------
        step, change : (n_coordinates,) float64
            Of coordinates and gradient.
        is_accepted : (n,) bool
            Problems whose step is taken back forget their history and step less far.
        """
        curvature = self.segments.dot(step, change)
        square = self.segments.dot(step, step)
        is_kept = is_accepted & (curvature > _SMALLEST_CURVATURE * square) & (square > 0.0)
        self._newest = (self._newest + 1) % _MEMORY
        self._steps[self._newest] = step
        self._changes[self._newest] = change
        safe = np.where(is_kept, curvature, 1.0)
        self._weights[self._newest] = np.where(is_kept, 1.0 / safe, 0.0)
        change_square = self.segments.dot(change, change)
        self._scale = np.where(is_kept, safe / np.maximum(change_square, 1e-300), self._scale)
        self._radius = np.where(
            is_accepted,
            np.minimum(_GROWTH * self._radius, self._longest_step),
            _CUT * self._lengths,
        )
        self._forget(~is_accepted)

    def keep(self, chosen: Array) -> None:
        """Go on with some of the problems; ``chosen`` is (n,) bool."""
        of_coordinates = chosen[self.segments.owner]
        self.segments = Segments(self.segments.sizes[chosen])
        self._radius = self._radius[chosen]
        self._scale = self._scale[chosen]
        self._weights = self._weights[:, chosen]
        self._steps = self._steps[:, of_coordinates]
        self._changes = self._changes[:, of_coordinates]

    def state(self) -> dict[str, Array]:
        """Return all that the next steps depend on, but for the sizes of the problems."""
        return {
            **{name: getattr(self, f"_{name}") for name in _REMEMBERED},
            "newest": np.array(self._newest),
        }

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on from a :meth:`state` of problems of the same sizes; ValueError for others."""
        for name in _REMEMBERED:
            before = getattr(self, f"_{name}")
            if state[name].shape != before.shape:
                raise ValueError(f"{name} of {state[name].shape} in place of {before.shape}")
            setattr(self, f"_{name}", np.array(state[name], dtype=float))
        self._newest = int(state["newest"]) % _MEMORY

    def _forget(self, problems: Array) -> None:
        self._weights[:, problems] = 0.0
        self._scale[problems] = 1.0 / _FIRST_CURVATURE

    def _apply_inverse(self, gradient: Array) -> Array:
        """Return the inverse Hessian times the gradient by the recursion of two loops."""
        owner = self.segments.owner
        result: Array = gradient.copy()
        order = [(self._newest - age) % _MEMORY for age in range(_MEMORY)]
        order = [slot for slot in order if self._weights[slot].any()]
        factors = {}
        for slot in order:
            factors[slot] = self._weights[slot] * self.segments.dot(self._steps[slot], result)
            result -= factors[slot][owner] * self._changes[slot]
        result *= self._scale[owner]
        for slot in reversed(order):
            back = self._weights[slot] * self.segments.dot(self._changes[slot], result)
            result += (factors[slot] - back)[owner] * self._steps[slot]
        return result
