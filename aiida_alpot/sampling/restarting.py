# SPDX-License-Identifier: MIT
"""Chains that go on where they were stopped: the last frame that was known, and going on from it.

A chain that left what a potential knows is stopped by its grade. Once the potential has learnt from
it, another run of the chain may go on from the last frame whose grade vouched for it, in place of
walking the same way again. Frames are looked at every ``every`` steps, so that a run pays for a
copy of its positions now and then, not at each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SettingError

Array = np.ndarray
START, LAST_GOOD_FRAME = "start", "last_good_frame"


class Restart(NamedTuple):
    """Where a chain goes on: the atoms, and the step of the chain at which they stood so."""

    atoms: Atoms
    step: int


class KnownFrame(NamedTuple):
    """A frame that its grade vouches for; copies of its arrays."""

    positions: Array
    cell: Array
    step: int
    grade: float


class LastKnownFrame:
    """Remembers the last frame of a chain whose grade is at most ``known``.

    Parameters
    ----------
    known : float
        Grade up to which a frame counts as known.
    every : int
        Only steps that are multiples of it are looked at.
    """

    def __init__(self, known: float, every: int) -> None:
        self.known, self.every = known, every
        self.frame: KnownFrame | None = None

    def take(self, atoms: Atoms, step: int, grade: float) -> None:
        """Remember the frame if its step is due and its grade, which may be NaN, is known."""
        if step % self.every == 0 and grade <= self.known:
            arrays = atoms.arrays["positions"].copy(), atoms.cell.array.copy()
            self.frame = KnownFrame(*arrays, step, grade)


def can_go_on(sampler: Any) -> bool:
    """Return whether chains of a sampler, or of a class of samplers, can begin in their middle."""
    return bool(getattr(sampler, "goes_on", False))


def require_restarts(sampler: Any, kind: str) -> None:
    """Raise unless chains of a sampler can begin in their middle.

    Raises
    ------
    SettingError
        If they cannot: their frames do not come of one another, or of several structures.
    """
    if not can_go_on(sampler):
        raise SettingError(
            f"Chains of the sampler '{kind}' cannot go on from a frame in their middle: their "
            f"frames come of no single geometry that moves. Leave 'restart' at '{START}'."
        )


def read_restarts(
    frames: Configurations, starts: Sequence[Atoms], *, steps: int
) -> dict[str, Restart]:
    """Return where chains go on, by the names of their starts.

    Parameters
    ----------
    frames : Configurations
        At most one for each start; the origin says of which chain and step it is.
    starts : sequence of Atoms
        With their names in ``info["identifier"]``.
    steps : int
        Length of the chains.

    Raises
    ------
    SettingError
        If a frame is of no start or of a step beyond the end, or two are of one start.
    GeometryError
        If a frame has other atoms than its start.
    """
    by_name = {str(one.info.get("identifier", n)): one for n, one in enumerate(starts)}
    found: dict[str, Restart] = {}
    for index, atoms in enumerate(frames):
        name, step = str(frames.chain[index]), int(frames.step[index])
        if name not in by_name or name in found or not 0 <= step <= steps:
            raise SettingError(
                f"A chain cannot go on from {frames.describe(index)}: it is of step {step} of the "
                f"chain {name!r}. Give at most one frame of each of {', '.join(by_name)}, of at "
                f"most step {steps}."
            )
        start = by_name[name]
        if len(start) != len(atoms) or (start.numbers != atoms.numbers).any():
            raise GeometryError(
                f"The chain {name!r} cannot go on from {frames.describe(index)}, which has other "
                f"atoms ({atoms.symbols}) than its start ({start.symbols}). Begin it at its start."
            )
        found[name] = Restart(atoms, step)
    return found


def place(atoms: Atoms, restart: Restart | None) -> int:
    """Move ``atoms`` to where their chain goes on, and return the step of the chain; 0 without."""
    if restart is None:
        return 0
    atoms.set_cell(restart.atoms.cell, scale_atoms=False, apply_constraint=False)
    atoms.set_positions(restart.atoms.positions, apply_constraint=False)
    return restart.step


def frame_state(memory: LastKnownFrame | None) -> dict[str, Any] | None:
    """Return what is remembered as JSON."""
    if memory is None or memory.frame is None:
        return None
    frame = memory.frame
    return {**frame._asdict(), "positions": frame.positions.tolist(), "cell": frame.cell.tolist()}


def restore_frame(memory: LastKnownFrame | None, state: Mapping[str, Any] | None) -> None:
    """Remember what another run remembered."""
    if memory is None or state is None:
        return
    memory.frame = KnownFrame(
        np.array(state["positions"], dtype=float).reshape(-1, 3),
        np.array(state["cell"], dtype=float).reshape(3, 3),
        int(state["step"]),
        float(state["grade"]),
    )
