# SPDX-License-Identifier: MIT
"""The contract of rules of selection, as a class of tests to inherit.

    class TestMySelector(SelectorContract):
        def make_selector(self, training):
            return MySelector(training)

        def make_training(self):
            return Configurations.from_atoms([...])

        def make_candidates(self):
            return Configurations.from_atoms([...])

Flags say which promises hold; they are set so that nothing is left untested by accident.
"""

from __future__ import annotations

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.picking import Picked, Selector


class SelectorContract:
    """What any rule of selection promises; inherit and say how it and its data are made.

    Attributes
    ----------
    needs_limit : bool
        Whether the rule knows no end of its own and refuses to go without a limit.
    is_order_independent : bool
        Whether the same configurations are selected in whatever order candidates come.
    limit : int
        Number that is asked for; candidates must be worth at least so many.
    """

    needs_limit: bool = False
    is_order_independent: bool = True
    limit: int = 3

    def make_selector(self, training: Configurations) -> Selector:
        """Return the rule for a training set; called once for each selection."""
        raise NotImplementedError("say how the rule is made")

    def make_training(self) -> Configurations:
        """Return configurations that are known already, periodic, two or more atoms each."""
        raise NotImplementedError("say what is known")

    def make_candidates(self) -> Configurations:
        """Return at least ``limit + 3`` configurations, no two alike and none like a known one."""
        raise NotImplementedError("say what there is to select from")

    def test_the_same_seed_selects_the_same(self) -> None:
        """Two selections from the same generator are the same, bit for bit."""
        first, second = (self._select(self.make_candidates(), seed=7) for _ in range(2))
        np.testing.assert_array_equal(first.indices, second.indices)
        np.testing.assert_array_equal(first.over_limit, second.over_limit)
        if first.grades is not None:
            np.testing.assert_array_equal(first.grades, second.grades)

    @pytest.mark.parametrize("limit", [1, 2, 3])
    def test_the_limit_is_kept_and_reached(self, limit: int) -> None:
        """As many as are allowed are selected where enough are worth it; the others are named."""
        candidates = self.make_candidates()
        picked = self._select(candidates, limit=limit)
        assert len(picked.indices) == limit
        named = np.concatenate([picked.indices, picked.over_limit, picked.alike])
        assert len(np.unique(named)) == len(named)
        assert set(named.tolist()) <= set(range(len(candidates)))

    def test_a_smaller_limit_selects_the_first_ones(self) -> None:
        """The best come first, so that a smaller limit cuts the list short."""
        more = self._select(self.make_candidates(), limit=self.limit)
        fewer = self._select(self.make_candidates(), limit=self.limit - 1)
        np.testing.assert_array_equal(fewer.indices, more.indices[:-1])

    def test_no_frame_is_selected_twice(self) -> None:
        """Of candidates that stand there twice, and of moved copies, one is selected at most."""
        candidates = self.make_candidates()
        n = len(candidates)
        moved = candidates.replace(positions=candidates.positions + np.array([0.3, -0.2, 0.1]))
        picked = self._select(concatenate([candidates, candidates, moved]), limit=n)
        originals = picked.indices % n
        assert len(np.unique(originals)) == len(originals)

    def test_of_frames_that_are_nearly_the_same_one_is_selected(self) -> None:
        """Copies whose atoms moved by a thousandth of an Angstrom teach nothing more."""
        candidates = self.make_candidates()
        rng = np.random.default_rng(11)
        nudges = rng.normal(0.0, 0.001, (2, *candidates.positions.shape))
        nearly = [candidates.replace(positions=candidates.positions + nudge) for nudge in nudges]
        picked = self._select(concatenate([candidates, *nearly]), limit=3 * len(candidates))
        originals = picked.indices % len(candidates)
        assert len(np.unique(originals)) == len(originals)

    def test_what_is_known_is_not_selected(self) -> None:
        """Training configurations among the candidates are not selected again."""
        known, fresh = self.make_training(), self.make_candidates()
        picked = self._select(concatenate([known.without_labels(), fresh]), limit=len(fresh))
        assert len(picked.indices)
        assert picked.indices.min() >= len(known)

    def test_selection_does_not_depend_on_the_order(self) -> None:
        """Where this is promised, shuffled candidates give the same configurations."""
        if not self.is_order_independent:
            return
        candidates = self.make_candidates()
        order = np.random.default_rng(3).permutation(len(candidates))
        straight = self._select(candidates)
        shuffled = self._select(candidates.select(order))
        assert set(order[shuffled.indices].tolist()) == set(straight.indices.tolist())

    def test_labels_of_candidates_are_not_looked_at(self) -> None:
        """Energies and forces that candidates have already change nothing."""
        bare = self.make_candidates()
        shape = bare.forces.shape
        labelled = bare.replace(energy=np.arange(len(bare)) * 1.0, forces=np.ones(shape))
        np.testing.assert_array_equal(self._select(labelled).indices, self._select(bare).indices)

    def test_from_nothing_nothing_is_selected(self) -> None:
        """An empty set of candidates is no error."""
        picked = self._select(Configurations.empty())
        assert len(picked.indices) == len(picked.over_limit) == len(picked.alike) == 0

    def test_without_a_training_set_candidates_compete_with_each_other(self) -> None:
        """Nothing has to be known before."""
        candidates = self.make_candidates()
        rng = np.random.default_rng(0)
        picked = self.make_selector(Configurations.empty()).select(
            candidates, limit=self.limit, rng=rng
        )
        assert 1 <= len(picked.indices) <= self.limit

    def test_a_limit_that_allows_nothing_is_refused_in_words(self) -> None:
        """The message names the limit and says what to do."""
        with pytest.raises(SettingError, match=r"At most 0 configurations .* allow one or more"):
            self._select(self.make_candidates(), limit=0)

    def test_a_rule_without_an_end_asks_for_a_limit(self) -> None:
        """Rules that only put candidates in an order say so; others do without a limit."""
        rng = np.random.default_rng(0)
        selector = self.make_selector(self.make_training())
        if self.needs_limit:
            with pytest.raises(SettingError, match="give a limit"):
                selector.select(self.make_candidates(), limit=None, rng=rng)
        else:
            picked = selector.select(self.make_candidates(), limit=None, rng=rng)
            assert len(picked.over_limit) == 0

    def _select(
        self, candidates: Configurations, *, limit: int | None = None, seed: int = 0
    ) -> Picked:
        selector = self.make_selector(self.make_training())
        rng = np.random.default_rng(seed)
        return selector.select(candidates, limit=self.limit if limit is None else limit, rng=rng)
