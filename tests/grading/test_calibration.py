# SPDX-License-Identifier: MIT
"""A factor between deviations and errors, and what it is worth on errors that it has not seen."""

import json

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.prediction import labelled_with
from aiida_alpot.grading.calibration import Calibration
from aiida_alpot.grading.committee import NORMAL_99, CommitteeGrader, force_uncertainty
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import write_potential


def draw(n, *, scale=1.0, seed=0):
    """Return deviations over two decades, and lengths of normal errors in proportion to them."""
    rng = np.random.default_rng(seed)
    deviations = 10.0 ** rng.uniform(-3, -1, n)
    vectors = rng.standard_normal((n, 3)) / np.sqrt(3.0)
    return deviations, scale * deviations * np.linalg.norm(vectors, axis=1)


@pytest.mark.parametrize("scale", [0.3, 1.0, 4.0])
def test_the_factor_is_that_of_normal_vectors_times_their_scale(scale):
    found = Calibration.of(*draw(20000, scale=scale)).factor()
    assert found == pytest.approx(1.94 * scale, rel=0.05)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_errors_not_seen_are_covered_with_the_confidence(confidence):
    factor = Calibration.of(*draw(4000, scale=2.0, seed=1)).factor(confidence)
    deviations, errors = draw(4000, scale=2.0, seed=2)
    assert (errors < factor * deviations).mean() == pytest.approx(confidence, abs=0.04)
    assert Calibration.of(deviations, errors).coverage(factor) == pytest.approx(
        (errors < factor * deviations).mean(), abs=0.01
    )


def test_an_error_that_all_members_share_does_not_spoil_the_factor():
    deviations, errors = draw(4000)
    shared = np.hypot(errors, 2e-3)
    plain, found = Calibration.of(deviations, errors), Calibration.of(deviations, shared)
    assert found.factor() == pytest.approx(plain.factor(), rel=0.1)
    assert found.curve()[0].error > 2.0 * found.curve()[0].deviation


def test_a_target_error_becomes_a_threshold_below_which_it_is_met():
    calibration = Calibration.of(*draw(4000, scale=2.0, seed=1))
    threshold = calibration.threshold(0.1)
    deviations, errors = draw(20000, scale=2.0, seed=2)
    below = deviations < threshold
    assert below.sum() > 1000
    assert (errors[below] > 0.1).mean() < 0.01
    assert (errors[deviations > 2.0 * threshold] > 0.1).mean() > 0.1


def test_calibrations_of_turns_add_up_and_survive_json():
    first, second = draw(300, seed=1), draw(500, seed=2)
    both = Calibration.of(*(np.concatenate(pair) for pair in zip(first, second, strict=True)))
    total = Calibration.of(*first) + Calibration.of(*second)
    assert total.as_rows() == both.as_rows()
    again = Calibration.from_rows(json.loads(json.dumps(total.as_rows())))
    assert (again.n_atoms, again.factor()) == (800, total.factor())
    assert (Calibration() + total).as_rows() == total.as_rows()


def test_the_reliability_curve_has_the_mean_errors_of_each_deviation():
    deviations, errors = draw(40000, scale=1.5)
    for point in Calibration.of(deviations, errors).curve()[2:-2]:
        near = np.abs(np.log10(deviations / point.deviation)) < 0.05
        assert point.n_atoms == pytest.approx(near.sum(), abs=3)
        assert point.error == pytest.approx(np.sqrt((errors[near] ** 2).mean()), rel=0.08)


def test_the_rank_correlation_is_that_of_the_numbers():
    from scipy.stats import spearmanr

    deviations, errors = draw(3000)
    expected = spearmanr(deviations, errors).statistic
    assert Calibration.of(deviations, errors).rank_correlation() == pytest.approx(
        expected, abs=0.01
    )
    shuffled = np.random.default_rng(3).permutation(errors)
    assert abs(Calibration.of(deviations, shuffled).rank_correlation()) < 0.06


def test_few_atoms_leave_the_factor_of_normal_errors():
    assert Calibration().factor() == NORMAL_99
    assert Calibration.of(*draw(20, scale=9.0)).factor() == NORMAL_99
    assert np.isnan(Calibration().coverage(1.0))
    assert np.isnan(Calibration().rank_correlation())


def test_atoms_without_label_or_deviation_do_not_count():
    deviations, errors = draw(50)
    deviations[:5] = 0.0
    errors[5:10] = np.nan
    assert Calibration.of(deviations, errors).n_atoms == 40


def test_what_does_not_go_together_is_refused():
    with pytest.raises(SettingError, match="3 deviations do not go with 2 errors"):
        Calibration.of(np.ones(3), np.ones(2))
    with pytest.raises(SettingError, match="between 0 and 1"):
        Calibration().factor(1.0)


def test_the_uncertainty_of_a_force_is_a_factor_times_its_deviation():
    deviations = np.array([0.0, 0.1, 0.2])
    np.testing.assert_array_equal(force_uncertainty(deviations), 2.58 * deviations)
    np.testing.assert_array_equal(force_uncertainty(deviations, factor=4.0), 4.0 * deviations)
    with pytest.raises(SettingError, match="must be positive"):
        force_uncertainty(deviations, factor=0.0)


def test_the_job_evaluate_compares_a_committee_with_labels(
    run_job, tmp_path, make_cells, make_potential
):
    potential, *members = (make_potential(4, seed=seed) for seed in range(3))
    labelled = labelled_with(*_cells_and_labels(make_cells, make_potential(4, seed=7)))
    labelled.save(tmp_path / "labelled.npz")
    names = []
    for number, one in enumerate((potential, *members)):
        names.append(f"potential_{number}.mtp")
        write_potential(one, tmp_path / names[-1])
    request = {"potential": names[0], "configurations": "labelled.npz"}
    result = run_job(tmp_path, job="evaluate", committee=names[1:], **request)
    errors = np.linalg.norm(evaluate(potential, labelled).forces - labelled.forces, axis=1)
    deviations = CommitteeGrader(members).force_deviations(labelled)
    expected = Calibration.of(deviations, errors)
    found = Calibration.from_rows(result["calibration"])
    assert found.n_atoms == expected.n_atoms == len(errors)
    assert found.factor() == pytest.approx(expected.factor(), rel=0.05)
    assert "calibration" not in run_job(tmp_path, job="evaluate", **request)


def _cells_and_labels(make_cells, teacher):
    cells = make_cells(4)
    return cells, evaluate(teacher, cells)
