# SPDX-License-Identifier: MIT
"""What is known of a chain while it runs, and how it went in the end."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from aiida_alpot.sampling.base import Frame
from aiida_alpot.sampling.found import FoundStructure, found_at_end
from aiida_alpot.sampling.recording import Recorder
from aiida_alpot.sampling.restarting import KnownFrame, LastKnownFrame
from aiida_alpot.sampling.stopping import (
    ENDINGS,
    Observation,
    Stop,
    StopCondition,
    kinetic_temperature,
)


@dataclass(frozen=True)
class ChainResult:
    """How one chain went.

    Parameters
    ----------
    chain : str
        Identifier of its start.
    steps : int
        Last step reached; the start is step 0.
    frames : int
        Frames seen, the start included.
    graded : int
        Frames that carried a grade.
    kept : int
        Frames recorded.
    discarded : int
        Frames of no use (atoms too near, numbers that are not finite) of a sampler whose frames are
        independent, so that the chain went on after them.
    stop, reason : str
        Kind of :class:`~aiida_alpot.sampling.stopping.Stop`, and the reason in words.
    completed : bool
        Whether the chain ran its whole length.
    largest_grade : float
        NaN where nothing graded.
    final_temperature : float
        Kinetic temperature of the last frame, K.
    final_volume : float
        Volume of the last cell, A^3; NaN without one.
    final_energy : float
        Energy of the last frame, eV.
    first_step : int
        Step of the first frame: above 0 where the chain went on from a frame of an earlier run.
    """

    chain: str
    steps: int
    frames: int
    graded: int
    kept: int
    discarded: int
    stop: str
    reason: str
    completed: bool
    largest_grade: float
    final_temperature: float
    final_volume: float
    final_energy: float
    first_step: int = 0


@dataclass
class Chain:
    """What the driver knows of a chain while it runs."""

    name: str
    conditions: list[StopCondition]
    recorder: Recorder
    observer: Callable[[Observation], None] | None
    fresh: Callable[[], list[StopCondition]] | None = None  # conditions that remember no frame
    memory: LastKnownFrame | None = None
    first_step: int = 0
    frames: int = 0
    discarded: int = 0
    graded: int = 0
    largest_grade: float = math.nan
    stop: Stop | None = None
    last: Observation | None = None
    last_step: int = 0
    final: dict[str, float] = field(default_factory=dict)
    found: FoundStructure | None = None

    def take(self, frame: Frame, results: dict[str, Any]) -> Stop | None:
        """Record the frame, and return what held of it, whether or not the chain ends with it."""
        grade = float(results.get("grade", math.nan))
        # a bias changes what moves the atoms, not what is known of them
        energy = float(results.get("unbiased_energy", results.get("energy", math.nan)))
        forces = results["forces"]
        seen = Observation(frame.atoms, frame.step, energy, forces, grade, self.name)
        self.frames += 1
        if not math.isnan(grade):
            self.graded += 1
            self.largest_grade = float(np.fmax(self.largest_grade, grade))
        if self.memory is not None:
            self.memory.take(frame.atoms, frame.step, grade)
        if self.fresh is not None:
            self.conditions = self.fresh()
        checks = (condition(seen) for condition in self.conditions)
        self.stop = found = next((stop for stop in checks if stop is not None), None)
        # a frame that cannot be labelled is not worth keeping
        useless = self.stop is not None and self.stop.kind in ("not_finite", "collision")
        if not useless:
            breaking = self.stop is not None and self.stop.kind == "gamma_break"
            self.recorder.offer(frame.atoms, frame.step, grade, breaking=breaking)
        if self.fresh is not None and self.stop is not None and self.stop.kind != "budget":
            self.discarded += useless
            self.stop = None
        if self.stop is None and frame.ending is not None:
            self.stop = Stop(*frame.ending)
        self.last = seen
        if self.observer is not None and not (useless and self.stop is None):
            self.observer(seen)
        if self.stop is not None:
            self.close()
        return found

    def fail(self, error: Exception) -> None:
        """End the chain with the failure of its calculator."""
        step = self.last.step + 1 if self.last else self.last_step + (self.frames > 0)
        text = " ".join(str(error).split())
        self.stop = Stop("calculator", f"no result at step {step}: {type(error).__name__}: {text}")
        self.close()

    def close(self) -> None:
        """Remember the state of the last frame, which its sampler is free to change afterwards."""
        self.final = self.describe_last()
        if self.last is not None and self.stop is not None and self.stop.kind == "converged":
            self.found = found_at_end(self.name, self.last.atoms, self.last.energy)

    def describe_last(self) -> dict[str, float]:
        """Return temperature, volume and energy of the last frame; what is known without one."""
        if self.last is None:
            return self.final
        atoms = self.last.atoms
        has_volume = bool(atoms.pbc.all()) and atoms.cell.rank == 3
        return {
            "final_temperature": kinetic_temperature(atoms),
            "final_volume": float(atoms.get_volume()) if has_volume else math.nan,
            "final_energy": self.last.energy,
        }

    def result(self) -> ChainResult:
        """Return how the chain went."""
        stop = self.stop or Stop("finished", "the sampler yielded no more frames")
        nothing = dict.fromkeys(("final_temperature", "final_volume", "final_energy"), math.nan)
        return ChainResult(
            chain=self.name,
            steps=self.last.step if self.last else self.last_step,
            frames=self.frames,
            graded=self.graded,
            kept=len(self.recorder.frames),
            discarded=self.discarded,
            stop=stop.kind,
            reason=stop.reason,
            completed=stop.kind in ENDINGS,
            largest_grade=self.largest_grade,
            first_step=self.first_step,
            **(nothing | self.final),
        )

    def known_frame(self) -> KnownFrame | None:
        """Return where the chain can go on if it was stopped by its grade, None otherwise."""
        stopped = self.stop is not None and self.stop.kind == "gamma_break"
        frame = None if self.memory is None else self.memory.frame
        return frame if stopped and frame is not None and frame.step > 0 else None
