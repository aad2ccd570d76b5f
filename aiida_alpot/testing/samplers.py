# SPDX-License-Identifier: MIT
"""The contract of samplers, as a class of tests to inherit.

    class TestMySampler(SamplerContract):
        def make_sampler(self):
            return MySampler(MySettings(steps=30))

Everything else has a default: starts, calculator and which promises hold (``is_random``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT

from aiida_alpot.sampling.base import Sampler
from aiida_alpot.sampling.driver import SampleResult, run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.restarting import Restart, can_go_on
from aiida_alpot.sampling.stopping import ENDINGS, StopRules


class SamplerContract:
    """What any sampler promises; inherit and say how the sampler is made.

    Attributes
    ----------
    is_random : bool
        Whether different seeds give different frames. True by default, so that a promise is not
        left untested by accident.
    """

    is_random: bool = True

    def make_sampler(self) -> Sampler:
        """Return the sampler, set up for some tens of steps."""
        raise NotImplementedError("say how the sampler is made")

    def make_calculator(self) -> Any:
        """Return a calculator for the starts; ASE's EMT by default."""
        return EMT()

    def make_starts(self) -> Sequence[Atoms]:
        """Return two different starts."""
        starts = []
        for seed in range(2):
            atoms = bulk("Cu", cubic=True) * (2, 1, 1)
            atoms.rattle(0.05, seed=seed)
            atoms.info["identifier"] = f"start {seed}"
            starts.append(atoms)
        return starts

    def run(self, *, seed: int = 0, **rules: Any) -> SampleResult:
        """Run all starts, recording every frame."""
        return run_sampler(
            self.make_sampler(),
            self.make_starts(),
            self.make_calculator(),
            rng=np.random.default_rng(seed),
            stop_rules=StopRules(**rules),
            record_rules=RecordRules(every=1, max_frames=10_000),
        )

    def test_the_same_seed_gives_the_same_bits(self) -> None:
        """Two runs with one seed record equal bytes."""
        assert self.run().frames.to_bytes() == self.run().frames.to_bytes()

    def test_different_seeds_differ_where_something_is_random(self) -> None:
        """Two seeds record different frames exactly if the sampler is random."""
        differ = self.run().frames.to_bytes() != self.run(seed=1).frames.to_bytes()
        assert differ is self.is_random

    def test_the_starts_are_not_modified(self) -> None:
        """Positions, cell, momenta, constraints and calculator of the starts stay."""
        starts = self.make_starts()
        copies = [start.copy() for start in starts]
        list(self._frames(starts))
        for start, copy in zip(starts, copies, strict=True):
            assert start == copy
            assert start.arrays.keys() == copy.arrays.keys()
            assert not start.constraints
            assert start.calc is None

    def test_each_frame_has_the_results_of_its_own_geometry(self) -> None:
        """A fresh calculator finds the energy and the forces that the frame carries."""
        fresh = self.make_calculator()
        for frame in self._frames():
            results = frame.atoms.calc.results
            again = frame.atoms.copy()
            again.set_constraint()
            again.calc = fresh
            forces = again.get_forces()
            np.testing.assert_allclose(results["forces"], forces, atol=1e-8)
            np.testing.assert_allclose(results["energy"], again.get_potential_energy(), atol=1e-8)

    def test_the_first_frame_of_a_chain_is_its_start(self) -> None:
        """Step 0 has the positions and the cell of the start."""
        starts = self.make_starts()
        for frame in self._frames(starts):
            if frame.step == 0:
                np.testing.assert_array_equal(frame.atoms.positions, starts[frame.chain].positions)
                np.testing.assert_array_equal(frame.atoms.cell, starts[frame.chain].cell)

    def test_steps_of_each_chain_count_from_zero_without_gaps(self) -> None:
        """Steps are 0, 1, 2, ... in every chain, and every start has its chain."""
        starts = self.make_starts()
        steps: dict[int, list[int]] = {}
        for frame in self._frames(starts):
            steps.setdefault(frame.chain, []).append(frame.step)
        assert sorted(steps) == list(range(len(starts)))
        for counted in steps.values():
            assert counted == list(range(len(counted)))
            assert len(counted) > 2

    def test_only_the_last_frame_of_a_chain_says_how_it_ended(self) -> None:
        """An ending stands on the last frame, and nowhere else."""
        endings: dict[int, list[bool]] = {}
        for frame in self._frames():
            endings.setdefault(frame.chain, []).append(frame.ending is not None)
        for flags in endings.values():
            assert flags == [False] * (len(flags) - 1) + [True]

    def test_every_chain_that_is_left_alone_runs_to_its_end(self) -> None:
        """Without a stop each chain is complete, with a reason in words."""
        for chain in self.run().chains:
            assert chain.stop in ENDINGS
            assert chain.completed
            assert chain.reason
            assert np.isfinite(chain.final_energy)

    def test_a_budget_of_steps_stops_every_chain(self) -> None:
        """No chain goes beyond the budget, and its reason names it."""
        for chain in self.run(max_steps=1).chains:
            assert (chain.stop, chain.steps, chain.frames) == ("budget", 1, 2)
            assert not chain.completed
            assert "1 steps" in chain.reason

    def test_another_chain_does_not_change_the_frames_of_the_first(self) -> None:
        """Chains that are not joint have generators of their own."""
        sampler = self.make_sampler()
        if sampler.joint:
            return
        together = self.run().frames
        alone = run_sampler(
            self.make_sampler(),
            self.make_starts()[:1],
            self.make_calculator(),
            rng=np.random.default_rng(0),
            record_rules=RecordRules(every=1, max_frames=10_000),
        ).frames
        assert len(alone) > 1
        first = together.select(together.chain == alone.chain[0])
        assert first.hashes() == alone.hashes()

    def test_a_chain_that_goes_on_begins_with_the_frame_and_the_step_it_is_given(self) -> None:
        """A sampler that can goes on from a frame in its middle to the end of the chain."""
        if not can_go_on(self.make_sampler()):
            return
        start = self.make_starts()[0]
        steps = self.make_sampler().settings.steps
        moved = next(frame.atoms.copy() for frame in self._frames([start]) if frame.step == 2)
        seen = [
            (frame.step, frame.atoms.positions.copy(), frame.ending)
            for frame in self._frames([start], restart=Restart(moved, 2))
        ]
        np.testing.assert_array_equal(seen[0][1], moved.positions)
        assert [step for step, *_ in seen] == list(range(2, 2 + len(seen)))
        assert len(seen) > 1
        assert seen[-1][0] <= steps
        assert seen[-1][2] is not None

    def _frames(self, starts: Sequence[Atoms] | None = None, **keys: Any) -> Any:
        return self.make_sampler().frames(
            self.make_starts() if starts is None else starts,
            self.make_calculator(),
            np.random.default_rng(0),
            **keys,
        )
