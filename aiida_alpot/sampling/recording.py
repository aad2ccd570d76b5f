# SPDX-License-Identifier: MIT
"""Which frames of a chain are kept.

With grades: every excursion above ``gamma_select``, thinned so that neighbouring steps do not fill
the set with copies of one another, and at most ``max_frames``, the highest grades. Without grades:
frames at equal intervals over the whole chain, however long it gets.
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

    A graded frame above ``gamma_select`` is kept if it is the first of its excursion, if ``every``
    steps have passed since the last one kept, or if the grade has grown by the factor ``growth``
    since then. A frame that stops its chain by its grade is kept always.
    """

    gamma_select: float = setting(2.0, "Extrapolation grade above which a frame is kept.")
    every: int = setting(
        10,
        "Steps between kept frames: the interval where nothing grades, the longest pause within an "
        "excursion above gamma_select where something does.",
    )
    growth: float = setting(1.5, "Factor by which the grade must grow to keep a frame sooner.")
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
        self._last_step = -math.inf
        self._last_grade = 0.0

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
        wanted = self._wants_ungraded(step) if math.isnan(grade) else self._wants(step, grade)
        if not (wanted or breaking):
            return False
        # results predicted by the sampling potential must not pass for labels: no calculator
        copy = Atoms(
            numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc
        )
        self.frames.append(KeptFrame(copy, step, grade))
        self._last_step, self._last_grade = step, grade
        if len(self.frames) > self.rules.max_frames:
            self._make_room()
        return True

    def _wants(self, step: int, grade: float) -> bool:
        if grade <= self.rules.gamma_select:
            self._last_step, self._last_grade = -math.inf, 0.0
            return False
        pause_over = step - self._last_step >= self.rules.every
        return pause_over or grade >= self.rules.growth * self._last_grade

    def _wants_ungraded(self, step: int) -> bool:
        return step % self._interval == 0

    def _make_room(self) -> None:
        if math.isnan(self.frames[0].grade):
            self._interval *= 2
            self.frames = [frame for frame in self.frames if frame.step % self._interval == 0]
        else:
            lowest = min(range(len(self.frames)), key=lambda index: self.frames[index].grade)
            del self.frames[lowest]
