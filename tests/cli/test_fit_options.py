# SPDX-License-Identifier: MIT
"""The options of ``alpot fit`` beyond the bare fit."""

import json

import numpy as np
import pytest

from aiida_alpot.mtp.mlip_files import read_potential, write_potential
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.structure_files import read_configurations, write_configurations


@pytest.fixture(scope="session")
def parent(files, tmp_path_factory):
    """A potential with coefficients for copper."""
    rng = np.random.default_rng(1)
    potential = initial_potential(4, 4.5, species=("Cu",), min_distance=2.2, rng=rng)
    parameters = potential.parameters
    parameters[potential.n_radial_parameters :] = 0.1
    path = tmp_path_factory.mktemp("parent") / "parent.mtp"
    write_potential(potential.with_parameters(parameters), path)
    return path


@pytest.fixture
def fit(alpot, files, tmp_path):
    """Fit to the labelled cells; returns what was told and the figures."""

    def run(*words, training=None, form=("--level", 4, "--cutoff", 4.5)):
        result = alpot(
            "fit",
            *("--training", training or files / "labelled.xyz", *form),
            *("--max-iterations", 3, "-o", "out.mtp", "--json", "out.json", *words),
        )
        assert result.exit_code == 0, result.output
        return result, json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))

    return run


def test_warnings_are_told_on_standard_error_and_stand_in_the_figures(fit, files, tmp_path):
    cells = read_configurations(files / "labelled.xyz")
    write_configurations(cells.select([0]), tmp_path / "one.xyz")
    result, figures = fit(training=tmp_path / "one.xyz")
    assert figures["warnings"][0]["kind"] == "one_configuration"
    assert "warning: the training set holds a single structure" in result.stderr
    assert "warning" not in result.stdout


def test_blocks_are_frozen_by_name(fit, parent, tmp_path):
    fit("--initial", parent, "--freeze", "radial", "Cu", form=())
    before, after = read_potential(parent), read_potential(tmp_path / "out.mtp")
    assert np.array_equal(after.radial_coefficients, before.radial_coefficients)
    assert np.array_equal(after.species_coefficients, before.species_coefficients)
    assert not np.array_equal(after.moment_coefficients, before.moment_coefficients)


def test_a_species_is_added_and_only_its_pairs_are_trained(fit, parent, tmp_path):
    fit("--initial", parent, "--species", "Au", "Cu", "--train-only", "Cu-Cu", form=())
    before, after = read_potential(parent), read_potential(tmp_path / "out.mtp")
    assert after.species == ("Au", "Cu")
    assert np.array_equal(after.moment_coefficients, before.moment_coefficients)
    assert not np.array_equal(after.radial_coefficients[1, 1], before.radial_coefficients[0, 0])


def test_a_pull_keeps_near_the_parent(fit, parent, tmp_path):
    moved = []
    for strength in ("0", "1e6"):
        fit("--initial", parent, "--pull", strength, form=())
        after = read_potential(tmp_path / "out.mtp")
        moved.append(np.linalg.norm(after.parameters - read_potential(parent).parameters))
    assert moved[1] < 1e-3 * moved[0]
    fit("--pull", "1e9", "--pull-blocks", "moments")
    assert np.abs(read_potential(tmp_path / "out.mtp").moment_coefficients).max() < 1e-6


def test_members_of_a_committee_lie_beside_the_potential(fit, tmp_path):
    result, figures = fit("--committee", 2, "--same-start")
    first, second = (read_potential(tmp_path / f"out_{n:03d}.mtp") for n in (0, 1))
    assert not np.array_equal(first.parameters, second.parameters)
    assert len(figures["committee"]["members"]) == 2
    assert "committee of 2, training: forces deviate by" in result.stdout


def test_weights_that_come_with_the_structures_count(fit, files, tmp_path):
    cells = read_configurations(files / "labelled.xyz")
    weighted = cells.replace(weight=np.array([1.0, 0.0, 2.0, 1.0]))
    write_configurations(weighted, tmp_path / "weighted.xyz")
    _, figures = fit(training=tmp_path / "weighted.xyz")
    assert figures["training"]["n_configurations"] == 3
    write_configurations(cells.select([0, 2, 2, 3]), tmp_path / "repeated.xyz")
    _, repeated = fit(training=tmp_path / "repeated.xyz")
    assert repeated["loss"] == pytest.approx(figures["loss"], rel=1e-6)


def test_weights_and_references_reach_the_fit(fit):
    _, figures = fit(
        *("--weight", "0=0", "1=2", "--weighting", "energy_window=0.1", "energy_decay=0.2"),
        *("--atomic-energies", "Cu=-1.5", "--robust", "20"),
    )
    assert figures["training"]["n_configurations"] == 3
    fit("--atomic-energies", "composition")


def test_radii_of_single_pairs_reach_the_core(fit, tmp_path):
    fit("--zbl", "auto", "--zbl-pairs", "Cu-Cu=[1.0, 1.9]")
    (pair,) = read_potential(tmp_path / "out.mtp").core.pairs
    assert (pair.inner, pair.outer) == (1.0, 1.9)


def test_a_loose_tolerance_ends_a_fit_sooner(fit):
    steps = []
    for tolerance in ("1e-9", "0.9"):
        _, figures = fit("--tolerance", tolerance, "--max-iterations", 12)
        steps.append(figures["n_iterations"])
    assert steps[1] < steps[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--zbl-pairs", "Cu-Cu=[1.0, 1.9]"], "--zbl-pairs needs --zbl"),
        (["--weight", "none*=-1"], "-1.0 for the pattern 'none*'"),
        (["--weighting", "window=1"], "Unknown key 'window'"),
        (["--atomic-energies", "isolated"], "isolated atom of Cu"),
        (["--freeze", "radial"], "need a potential to go on from"),
        (["--committee", "1"], "committee of 1 cannot disagree"),
        (["--robust", "0.5"], "threshold of the robust loss is 0.5"),
    ],
    ids=str,
)
def test_wrong_values_are_refused_in_one_line(alpot, files, words, message):
    training = ["--training", files / "labelled.xyz", "--level", 4, "--cutoff", 4.5]
    result = alpot("fit", *training, "-o", "out.mtp", *words)
    assert result.exit_code == 2 or "isolated atom" in message
    assert result.exit_code in (2, 3)
    assert message in result.output
    assert "Traceback" not in result.output
