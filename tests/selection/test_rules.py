# SPDX-License-Identifier: MIT
"""Every rule of selection keeps the contract, and selects what it says that it selects."""

from functools import cache

import numpy as np
import pytest
from ase.build import bulk

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import Grades
from aiida_alpot.grading.row_space import with_generic_coefficients
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.selection import RULES, RuleSettings, make_selector
from aiida_alpot.selection.graded import tail_cut
from aiida_alpot.testing.selectors import SelectorContract


@cache
def make_potential(seed=0):
    rng = np.random.default_rng(seed)
    initial = initial_potential(6, 5.0, species=("Cu",), min_distance=1.9, rng=rng)
    return with_generic_coefficients(initial)


@cache
def make_committee():
    return CommitteeGrader([make_potential(seed) for seed in range(3)])


def make_cells(n, *, rattle, seed):
    rng = np.random.default_rng(seed)
    cells = []
    for _ in range(n):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True).repeat((2, 1, 1))
        strain = np.eye(3) + 0.02 * rng.uniform(-1, 1, (3, 3))
        atoms.set_cell(atoms.cell.array @ strain, scale_atoms=True)
        atoms.positions += rng.normal(0.0, rattle, (len(atoms), 3))
        cells.append(atoms)
    return Configurations.from_atoms(cells)


class OfCopper(SelectorContract):
    rule = "maxvol"
    settings = RuleSettings()

    def make_selector(self, training):
        return make_selector(
            self.rule, training=training, potential=make_potential(), settings=self.settings
        )

    def make_training(self):
        return make_cells(3, rattle=0.03, seed=1)

    def make_candidates(self):
        return make_cells(12, rattle=0.15, seed=2)


class TestMaxvolByNeighborhood(OfCopper):
    pass


class TestMaxvolByConfiguration(OfCopper):
    settings = RuleSettings(mode="configuration")


class TestMaxvolOfFewRows(OfCopper):
    """Of rows fewer than the parameters a copy that was nudged adds volume, too."""

    settings = RuleSettings(mode="configuration", threshold=1.0)

    def make_candidates(self):
        return make_cells(6, rattle=0.15, seed=2)


class TestTail(OfCopper):
    rule = "tail"
    settings = RuleSettings(tail_k=0.1)


class TestTailOfCommittee(OfCopper):
    rule = "tail"
    settings = RuleSettings(tail_k=0.05, tail_kind="variance")

    def make_selector(self, training):
        return make_selector(
            self.rule, training=training, grader=make_committee(), settings=self.settings
        )


class TestUncertainty(TestTailOfCommittee):
    rule = "uncertainty"


class TestUncertaintyByGrades(OfCopper):
    rule = "uncertainty"


class TestFarthestPoints(OfCopper):
    rule = "farthest_points"
    needs_limit = True
    settings = RuleSettings(mode="configuration")


class TestFarthestPointsByNeighborhood(TestFarthestPoints):
    settings = RuleSettings(mode="neighborhood")


class TestLeverage(OfCopper):
    rule = "cur"
    needs_limit = True


class TestRandom(OfCopper):
    rule = "random"
    needs_limit = True
    is_order_independent = False


class FixedGrader:
    """Gives the grades that it is told."""

    def __init__(self, grades):
        self.grades = np.asarray(grades, dtype=float)

    def grade(self, configurations):
        return Grades(self.grades[: len(configurations)], None)


def select_by(rule, candidates, *, training=None, limit=3, seed=0, grader=None, **settings):
    return make_selector(
        rule,
        training=Configurations.empty() if training is None else training,
        potential=make_potential(),
        grader=grader,
        settings=RuleSettings(**settings),
    ).select(candidates, limit=limit, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def candidates():
    return make_cells(12, rattle=0.1, seed=5)


@pytest.mark.parametrize(("kind", "n_expected"), [("rms", 1), ("variance", 2)])
def test_the_tail_begins_at_the_median_and_k_second_moments(candidates, kind, n_expected):
    logarithms = np.array([0.0] * 10 + [0.6, 1.2])
    found = select_by(
        "tail",
        candidates,
        limit=None,
        grader=FixedGrader(np.exp(logarithms)),
        tail_k=2.0,
        tail_kind=kind,
    )
    second = np.mean(logarithms**2)
    cut = tail_cut(np.exp(logarithms), k=2.0, kind=kind)
    assert cut == pytest.approx(np.exp(2.0 * (np.sqrt(second) if kind == "rms" else second)))
    np.testing.assert_array_equal(found.indices, [11, 10][:n_expected])


def test_of_normally_distributed_logarithms_the_tail_is_that_of_the_normal_distribution():
    grades = np.exp(np.random.default_rng(0).normal(0.3, 0.5, 200_000))
    share = np.mean(grades > tail_cut(grades, k=1.5, kind="rms"))
    assert share == pytest.approx(0.0668, abs=0.002)


def test_the_tail_below_the_threshold_is_left_alone(candidates):
    grader = FixedGrader(np.linspace(0.5, 1.9, 12))
    assert len(select_by("tail", candidates, grader=grader, threshold=2.0, tail_k=1.0).indices) == 0
    assert len(select_by("tail", candidates, grader=grader, threshold=1.8, tail_k=1.0).indices) > 0


def test_uncertainty_selects_the_largest_grades(candidates):
    grades = np.random.default_rng(0).uniform(0.1, 1.0, 12)
    found = select_by("uncertainty", candidates, grader=FixedGrader(grades), limit=5)
    np.testing.assert_array_equal(found.indices, np.argsort(-grades)[:5])
    np.testing.assert_array_equal(found.over_limit, np.argsort(-grades)[5:])


def test_farthest_points_follow_the_definition(candidates):
    """Against an exhaustive search over all pairs of rows."""
    from aiida_alpot.selection.diversity import _describe

    training = make_cells(2, rattle=0.02, seed=8)
    points = _describe(make_potential(), training, candidates, "configuration").values
    pairs = np.linalg.norm(points[:, None] - points[None], axis=2)
    taken = [0, 1]
    expected = []
    for _ in range(6):
        reach = pairs[:, taken].min(axis=1)
        expected.append(int(np.argmax(reach)))
        taken.append(expected[-1])
    found = select_by(
        "farthest_points", candidates, training=training, limit=6, mode="configuration"
    )
    np.testing.assert_array_equal(found.indices, np.array(expected) - 2)


def test_by_neighborhood_one_strange_atom_in_a_large_cell_is_far_away():
    """A mean over the cell dilutes it."""
    calm = [bulk("Cu", cubic=True).repeat(2) for _ in range(9)]
    for seed, atoms in enumerate(calm):
        atoms.set_cell(atoms.cell * (1.0 + 0.01 * (seed - 4)), scale_atoms=True)
        atoms.rattle(0.02, seed=seed)
    calm[5].positions[7] += 0.35
    candidates = Configurations.from_atoms(calm)
    training = Configurations.from_atoms([bulk("Cu", cubic=True).repeat(2)])
    found = select_by("farthest_points", candidates, training=training, limit=1)
    assert found.indices.tolist() == [5]


def test_leverage_spans_the_rows_before_it_repeats_itself(candidates):
    """So many selected rows as there are dimensions reconstruct all others."""
    from aiida_alpot.selection.diversity import _describe

    rows = _describe(make_potential(), Configurations.empty(), candidates, "configuration").values
    rank = np.linalg.matrix_rank(rows, tol=1e-3 * np.linalg.norm(rows, 2))
    found = select_by("cur", candidates, limit=int(rank))
    basis = np.linalg.qr(rows[found.indices].T)[0]
    residual = rows - (rows @ basis) @ basis.T
    assert np.linalg.norm(residual) < 0.01 * np.linalg.norm(rows)


def test_leverage_leaves_out_what_the_training_set_spans(candidates):
    training = candidates.select([0, 1, 2])
    repeats = training.replace(cells=training.cells * 1.0001, positions=training.positions * 1.0001)
    found = select_by(
        "cur",
        concatenate([repeats, candidates.select([5, 6])]),
        training=training,
        limit=2,
        alike_within=0.0,
    )
    assert set(found.indices.tolist()) == {3, 4}


def test_random_selection_depends_on_the_seed_alone(candidates):
    picked = {seed: tuple(select_by("random", candidates, seed=seed).indices) for seed in range(5)}
    assert len(set(picked.values())) == 5


def test_candidates_that_are_alike_are_named(candidates):
    rng = np.random.default_rng(0)
    nudged = candidates.replace(
        positions=candidates.positions + rng.uniform(-1e-3, 1e-3, candidates.positions.shape)
    )
    found = select_by("random", concatenate([candidates, nudged]), limit=24)
    assert len(found.indices) == len(found.alike) == 12
    every = select_by("random", concatenate([candidates, nudged]), limit=24, alike_within=0.0)
    assert len(every.indices) == 24


@pytest.mark.parametrize(
    ("rule", "settings", "message"),
    [
        ("best", {}, "Unknown rule of selection 'best'; allowed are maxvol, tail"),
        ("tail", {"tail_k": -1.0}, "tail_k is -1; give zero or a positive number"),
        ("tail", {"tail_kind": "third"}, "Unknown tail_kind 'third'; allowed are rms, variance"),
        ("random", {"alike_within": -0.1}, "alike within -0.1 A; give zero or a positive"),
        ("farthest_points", {"mode": "atoms"}, "Unknown grading mode 'atoms'"),
    ],
)
def test_what_there_is_not_is_refused_in_words(rule, settings, message):
    with pytest.raises(SettingError, match=message):
        make_selector(
            rule,
            training=Configurations.empty(),
            potential=make_potential(),
            settings=RuleSettings(**settings),
        )


@pytest.mark.parametrize("rule", sorted(set(RULES) - {"random"}))
def test_a_rule_that_compares_rows_asks_for_a_potential(rule):
    with pytest.raises(SettingError, match=f"'{rule}' compares rows of a potential; give one"):
        make_selector(rule, training=Configurations.empty())
