# SPDX-License-Identifier: MIT
"""The relaxation of many starts together, as a sampler.

All structures that still move are evaluated in one call; each has its own end. For small cells this
takes a fraction of the time of relaxing one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.base import Ending, Frame
from aiida_alpot.sampling.batched.results import (
    CONVERGED,
    TOO_CLOSE,
    UNCONVERGED,
    BatchedRelaxationSettings,
)
from aiida_alpot.sampling.continuation import pack, refusing_damage, unpack
from aiida_alpot.sampling.own_results import OwnResults
from aiida_alpot.sampling.relaxation_settings import CommonRelaxationSettings
from aiida_alpot.sampling.settings import setting


@dataclass(frozen=True)
class BatchedSamplerSettings(CommonRelaxationSettings):
    """Settings of :class:`BatchedRelaxationSampler`."""

    steps: int = setting(200, "Most evaluations of a structure.")

    def batched(self) -> BatchedRelaxationSettings:
        """Return the settings of the relaxation; the driver looks at the grades."""
        return BatchedRelaxationSettings(**asdict(self), gamma_break=np.inf)


class BatchedRelaxationSampler:
    """Go downhill from all starts at once; frames are the steps that each structure takes."""

    joint: ClassVar[bool] = True
    independent: ClassVar[bool] = False

    def __init__(self, settings: BatchedSamplerSettings) -> None:
        self.settings = settings
        self.is_resting = False
        self._left: set[int] = set()
        self._pause: Callable[[], dict[str, Any]] | None = None

    def __str__(self) -> str:
        given = self.settings
        return (
            f"relaxation of {given.what_moves} of all starts together to {given.fmax:g} eV/A: "
            f"at most {given.steps} evaluations of each"
        )

    def check(self, starts: Sequence[Atoms]) -> None:
        """Raise GeometryError if cells shall relax and a start has no volume."""
        self.settings.require_cells(starts)

    def leave(self, chain: int) -> None:
        """Spend nothing more on a chain that was stopped."""
        self._left.add(chain)

    def frames(
        self,
        starts: Sequence[Atoms],
        calculator: Any,
        rng: np.random.Generator,
        *,
        moving: Mapping[str, Any] | None = None,
    ) -> Iterator[Frame]:
        """Yield the steps of all structures, those of one step one after the other.

        With ``moving``, the :meth:`state` of an earlier run, those from that step on.

        Raises
        ------
        SettingError
            If the calculator is no moment tensor potential with an active set or without grades.
        """
        from aiida_alpot.sampling.batched.relaxation import parts_of

        require_potential(calculator)
        self._left = set()
        first = 0
        with refusing_damage():
            resumed = None if moving is None else int(moving["first"])
            if moving is not None:
                self._left = {int(chain) for chain in moving["left"]}
        for part in parts_of(Configurations.from_atoms(_bare(starts))):
            chosen = starts[first : first + len(part)]
            if resumed is None or first >= resumed:
                yield from self._relax(
                    first, chosen, part, calculator, moving=moving if first == resumed else None
                )
            first += len(part)

    def state(self) -> dict[str, Any] | None:
        """Return the state before the latest step as JSON."""
        return None if self._pause is None else self._pause()

    def _describe(
        self, first: int, run: Any, moved: tuple[Any, np.ndarray], steps: np.ndarray
    ) -> dict[str, Any]:
        arrays = {**run.state(*moved), "sampler": {"steps": steps}}
        return {
            "first": first,
            "left": sorted(self._left),
            "arrays": {
                name: {key: pack(array) for key, array in group.items()}
                for name, group in arrays.items()
            },
        }

    def _relax(
        self,
        first: int,
        starts: Sequence[Atoms],
        part: Configurations,
        calculator: Any,
        *,
        moving: Mapping[str, Any] | None,
    ) -> Iterator[Frame]:
        from aiida_alpot.sampling.batched.run import BatchedRelaxation

        run = BatchedRelaxation(
            calculator.potential,
            part,
            self.settings.batched(),
            calculator.active_set,
            calculator.threads,
        )
        steps = np.full(len(part), -1)
        if moving is not None:
            with refusing_damage():
                arrays = {
                    name: {key: unpack(packed) for key, packed in group.items()}
                    for name, group in moving["arrays"].items()
                }
                steps[:] = arrays["sampler"]["steps"]
                run.restore(arrays)
        for state, has_moved, is_over in run.steps():
            now = (state, has_moved)
            self.is_resting = True
            self._pause = partial(self._describe, first, run, now, steps.copy())
            ends = np.cumsum(run.sizes)
            for place in np.flatnonzero(has_moved | is_over):
                structure = int(run.index[place])
                if first + structure in self._left:
                    continue
                rows = slice(ends[place] - run.sizes[place], ends[place])
                atoms = starts[structure].copy()
                atoms.set_cell(state.cells[place])
                atoms.positions = state.positions[rows]
                atoms.calc = _known(atoms, state, int(place), rows, calculator)
                steps[structure] += 1
                ending = self._ending(run, structure) if is_over[place] else None
                yield Frame(atoms, first + structure, int(steps[structure]), ending)
                self.is_resting = False
                if first + structure in self._left:
                    run.drop(structure)

    def _ending(self, run: Any, structure: int) -> Ending:
        given, outcome = self.settings, str(run.outcome[structure])
        n_steps, largest = int(run.n_steps[structure]), float(run.largest_force[structure])
        if outcome == CONVERGED:
            return Ending(
                "converged", f"forces below {given.fmax:g} eV/A after {n_steps} evaluations"
            )
        told = {
            UNCONVERGED: f"largest force {largest:.3g} eV/A > {given.fmax:g}",
            TOO_CLOSE: "atoms are nearer than the potential knows",
        }.get(outcome, f"the structure {outcome}")
        return Ending("unconverged", f"{told} after {n_steps} evaluations")


def require_potential(calculator: Any) -> None:
    """Raise SettingError unless the calculator is a moment tensor potential and nothing more."""
    from aiida_alpot.mtp.calculator import MTP

    if type(calculator) is not MTP:
        raise SettingError(
            f"Starts are relaxed together by a moment tensor potential that an active set grades, "
            f"not by {type(calculator).__name__}. Choose the sampler 'relaxation'."
        )


def _bare(starts: Sequence[Atoms]) -> list[Atoms]:
    return [
        Atoms(numbers=one.numbers, positions=one.positions, cell=one.cell, pbc=one.pbc)
        for one in starts
    ]


def _known(atoms: Atoms, state: Any, place: int, rows: slice, calculator: Any) -> OwnResults:
    """Return a calculator that knows the results of a structure that has been evaluated."""
    energy = float(state.energy[place])
    known = OwnResults(calculator)
    known.atoms = atoms.copy()
    known.results = {
        "energy": energy,
        "free_energy": energy,
        "forces": state.forces[rows].copy(),
    }
    if np.isfinite(state.grade[place]):
        known.results["grade"] = float(state.grade[place])
    return known
