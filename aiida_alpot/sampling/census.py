# SPDX-License-Identifier: MIT
"""What all frames of chains say of a potential: how many are independent, and a random few of them.

Consecutive frames of a chain are correlated, so frames are counted in blocks of ``every`` steps:
each block that holds a graded frame counts as one independent frame, and as an extrapolating one
if any grade in it is above ``known``. Beside the count a few frames are drawn at random for an
audit: of the frames at the ends of blocks, those are kept whose pseudo-random key (SHA-256 of
seed, sampler, chain and step) is smallest. Keys do not depend on what else runs, so the smallest
keys of several jobs together are a uniform sample of all their frames (bottom-k sampling; Cohen &
Kaplan, PODC 2007), and a repeated or continued job draws the same frames.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from ase import Atoms

from aiida_alpot.configurations import Configurations, Origin
from aiida_alpot.sampling.draw_keys import draw_key
from aiida_alpot.sampling.settings import require
from aiida_alpot.sampling.stopping import Observation


@dataclass
class _Count:
    independent: int = 0
    extrapolating: int = 0
    block: int = -1
    is_beyond: bool = False

    def take(self, block: int, *, is_beyond: bool) -> None:
        """Count the block if it is new, and once more if it is found to extrapolate."""
        if block != self.block:
            self.block, self.is_beyond = block, False
            self.independent += 1
        if is_beyond and not self.is_beyond:
            self.is_beyond = True
            self.extrapolating += 1


@dataclass
class FrameCensus:
    """Count the independent frames of each chain, and draw some that the grade vouches for.

    Parameters
    ----------
    sampler : str
        Its name, for keys and origins.
    turn : int
        For the origins.
    every : int
        Steps of a block.
    known : float
        Grade up to which a frame counts as known.
    n_drawn : int
        Most frames that are drawn, all chains together.
    seed : int
        The same for all jobs whose frames are drawn from together.
    first_steps : mapping
        Steps of the first frames of chains that go on from an earlier run, which is no news.
    """

    sampler: str
    turn: int
    every: int
    known: float
    n_drawn: int = 0
    seed: int = 0
    first_steps: Mapping[str, int] = field(default_factory=dict)
    _counts: dict[str, _Count] = field(default_factory=dict)
    _drawn: list[tuple[int, str, int, float, Atoms]] = field(default_factory=list)

    def __post_init__(self) -> None:
        require(self.every >= 1, "record_every", self.every, "a whole number of at least 1")
        require(self.known > 0, "gamma_known", self.known, "positive")
        require(self.n_drawn >= 0, "audit_frames", self.n_drawn, "a whole number from 0")

    def observe(self, seen: Observation) -> None:
        """Take note of a frame; one without a grade is no evidence."""
        if math.isnan(seen.grade):
            return
        count = self._counts.setdefault(seen.chain, _Count())
        count.take(seen.step // self.every, is_beyond=seen.grade > self.known)
        is_new = seen.step > self.first_steps.get(seen.chain, 0)  # a start is no news
        is_due = is_new and seen.step % self.every == 0
        if self.n_drawn and is_due and seen.grade <= self.known:
            self._offer(seen)

    def _offer(self, seen: Observation) -> None:
        key = draw_key(self.seed, self.sampler, seen.chain, seen.step)
        if len(self._drawn) == self.n_drawn and key > self._drawn[-1][0]:
            return
        bare = Atoms(
            numbers=seen.atoms.numbers,
            positions=seen.atoms.positions,
            cell=seen.atoms.cell,
            pbc=seen.atoms.pbc,
        )
        self._drawn.append((key, seen.chain, seen.step, seen.grade, bare))
        self._drawn.sort(key=lambda one: one[0])
        del self._drawn[self.n_drawn :]

    def counts(self, chain: str) -> dict[str, int]:
        """Return the independent frames of a chain, and how many of them extrapolate."""
        count = self._counts.get(chain, _Count())
        return {
            "independent_frames": count.independent,
            "extrapolating_frames": count.extrapolating,
        }

    def drawn(self) -> Configurations:
        """Return the frames drawn, by the size of their keys."""
        return Configurations.from_atoms(
            [atoms for *_, atoms in self._drawn],
            identifiers=[
                f"turn_{self.turn:03d}/{self.sampler}/{chain}/{step:06d}"
                for _, chain, step, _, _ in self._drawn
            ],
            origins=[
                Origin(self.turn, self.sampler, chain, step, grade)
                for _, chain, step, grade, _ in self._drawn
            ],
        )
