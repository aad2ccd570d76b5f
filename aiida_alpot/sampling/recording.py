# SPDX-License-Identifier: MIT
"""Which frames of a chain are kept.

With grades: every excursion above ``gamma_select``, thinned so that neighbouring steps do not fill
the set with copies of one another, and at most ``max_frames``, the highest grades. Thinning keeps
the highest grade of those it compares, so the largest grade of a chain is always among its frames.
Without grades: frames at equal intervals over the whole chain, however long it gets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from ase import Atoms

from aiida_alpot.sampling.settings import require, setting


@dataclass(frozen=True)
class RecordRules:
    """Which frames are kept.

    An excursion above ``gamma_select`` is cut into windows: a new one begins with the excursion,
    ``every`` steps after the last one began, or when the grade has grown by the factor ``growth``
    over the highest of the window. Of each window the frame of the highest grade is kept. A frame
    that stops its chain by its grade is kept always.
    """

    gamma_select: float = setting(2.0, "Extrapolation grade above which a frame is kept.")
    every: int = setting(
        10,
        "Steps between kept frames: the interval where nothing grades, the length of the windows "
        "of which the highest grade is kept where something does.",
    )
    growth: float = setting(1.5, "Factor by which the grade must grow to begin a window sooner.")
    max_frames: int = setting(50, "Most frames kept of one chain.")

    def __post_init__(self) -> None:
        require(self.gamma_select > 0, "gamma_select", self.gamma_select, "positive")
        require(self.every >= 1, "record_every", self.every, "a whole number of at least 1")
        require(self.growth >= 1, "growth", self.growth, "at least 1")
        require(self.max_frames >= 1, "max_frames", self.max_frames, "a whole number of at least 1")


class KeptFrame(NamedTuple):
    """A copy of a frame without its calculator, and its grade (NaN where nothing grades)."""

    atoms: Atoms
    step: int
    grade: float


class Recorder:
    """Keep frames of one chain by :class:`RecordRules`."""

    def __init__(self, rules: RecordRules) -> None:
        self.rules = rules
        self.frames: list[KeptFrame] = []
        self._interval = rules.every
        self._window_start = -math.inf
        self._highest: KeptFrame | None = None

    def offer(self, atoms: Atoms, step: int, grade: float, *, breaking: bool = False) -> bool:
        """Keep the frame if the rules say so; return whether it was kept.

        Parameters
        ----------
        atoms : Atoms
            Copied if kept.
        step : int
            Its place in the chain.
        grade : float
            NaN where nothing grades.
        breaking : bool
            Whether the frame stops its chain by its grade.
        """
        wanted = step % self._interval == 0 if math.isnan(grade) else self._wants(step, grade)
        if not (wanted or breaking):
            return False
        # results predicted by the sampling potential must not pass for labels: no calculator
        copy = Atoms(
            numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc
        )
        self._highest = KeptFrame(copy, step, grade)
        self.frames.append(self._highest)
        if len(self.frames) > self.rules.max_frames:
            self._make_room()
        return True

    def _wants(self, step: int, grade: float) -> bool:
        """Return whether the frame begins a window or is the highest of its window so far."""
        if grade <= self.rules.gamma_select:
            self._highest = None
            return False
        if self._highest is None or step - self._window_start >= self.rules.every:
            self._window_start = step
            return True
        if grade >= self.rules.growth * self._highest.grade:
            self._window_start = step
            return True
        if grade <= self._highest.grade:
            return False
        self.frames = [frame for frame in self.frames if frame is not self._highest]
        return True

    def _make_room(self) -> None:
        if math.isnan(self.frames[0].grade):
            self._interval *= 2
            self.frames = [frame for frame in self.frames if frame.step % self._interval == 0]
        else:
            lowest = min(range(len(self.frames)), key=lambda index: self.frames[index].grade)
            del self.frames[lowest]
