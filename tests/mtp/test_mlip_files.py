# SPDX-License-Identifier: MIT
"""Potential files of MLIP-2."""

import re

import numpy as np
import pytest

from aiida_alpot.errors import InputFileError, SpeciesError
from aiida_alpot.mtp.mlip_files import (
    dump_potential,
    parse_potential,
    read_potential,
    write_potential,
)
from aiida_alpot.mtp.potential import initial_potential

# level 2 as MLIP-2 writes it: scaling inside the block, no final newline, no species
FOREIGN = """MTP
version = 1.1.0
potential_name = MTP1m
scaling = 2.0
species_count = 2
potential_tag =
radial_basis_type = RBChebyshev
\tmin_dist = 2
\tmax_dist = 5
\tscaling = 5e-1
\tradial_basis_size = 3
\tradial_funcs_count = 1
\tradial_coeffs
\t\t0-0
\t\t\t{1, 2, 3}
\t\t0-1
\t\t\t{4, 5, 6}
\t\t1-0
\t\t\t{7, 8, 9}
\t\t1-1
\t\t\t{10, 11, 1.2e1}
alpha_moments_count = 1
alpha_index_basic_count = 1
alpha_index_basic = {{0, 0, 0, 0}}
alpha_index_times_count = 0
alpha_index_times = {}
alpha_scalar_moments = 1
alpha_moment_mapping = {0}
species_coeffs = {-1.5, -2.5}
moment_coeffs = {0.25}"""


def trained_potential(level=8, species=("Cu", "Au"), seed=0):
    rng = np.random.default_rng(seed)
    potential = initial_potential(level, 5.0, species=species, min_distance=2.1, rng=rng)
    return potential.with_parameters(rng.standard_normal(potential.n_parameters))


@pytest.mark.parametrize("level", [2, 8, 12])
def test_a_written_file_reads_back_to_the_same_potential(level, tmp_path):
    potential = trained_potential(level)
    write_potential(potential, tmp_path / "a.mtp")
    again = read_potential(tmp_path / "a.mtp")
    assert again.species == ("Cu", "Au")
    assert again.level == level
    assert np.array_equal(again.parameters, potential.parameters)
    assert (again.min_distance, again.cutoff, again.scaling) == (
        potential.min_distance,
        potential.cutoff,
        potential.scaling,
    )
    for table in ("basic", "products", "scalars"):
        assert np.array_equal(getattr(again.basis, table), getattr(potential.basis, table))


@pytest.mark.parametrize("text", [FOREIGN, dump_potential(trained_potential())])
def test_writing_what_was_read_changes_no_byte_from_the_second_file_on(text):
    second = dump_potential(parse_potential(text))
    assert dump_potential(parse_potential(second)) == second


def test_a_foreign_file_is_read_in_its_order_with_both_scalings():
    potential = parse_potential(FOREIGN)
    assert potential.species == ()
    assert potential.scaling == 1.0
    assert potential.level == 2
    assert np.array_equal(potential.radial_coefficients.ravel(), np.arange(1.0, 13.0))
    assert np.array_equal(potential.species_coefficients, [-1.5, -2.5])
    assert np.array_equal(potential.moment_coefficients, [0.25])


def test_products_keep_the_order_of_the_file():
    text = dump_potential(trained_potential(8))
    table = re.search(r"alpha_index_times = \{(.*)\}\n", text)[1]
    rows = table[1:-1].split("}, {")
    swapped = "}, {".join([rows[1], rows[0], *rows[2:]])
    potential = parse_potential(text.replace(table, "{" + swapped + "}"))
    assert np.array_equal(potential.basis.products[0], [int(n) for n in rows[1].split(",")])


def test_names_given_by_hand_name_the_types():
    assert parse_potential(FOREIGN, species=["Ni", "Mo"]).species == ("Ni", "Mo")


def test_names_that_contradict_the_file_are_refused():
    text = dump_potential(trained_potential())
    with pytest.raises(SpeciesError, match="records the species Cu Au"):
        parse_potential(text, species=["Au", "Cu"])


def test_a_tag_that_lists_no_elements_names_no_species():
    for tag in ("mtp trained", "Cu Cu", "Cu"):
        potential = parse_potential(FOREIGN.replace("potential_tag =", f"potential_tag = {tag}"))
        assert potential.species == ()


def test_the_recorded_species_hold_no_equals_sign():
    line = next(
        line for line in dump_potential(trained_potential()).splitlines() if "potential_tag" in line
    )
    assert line == "potential_tag = Cu Au"


def test_an_untrained_file_needs_permission():
    text = re.sub(r"\tradial_coeffs.*(?=alpha_moments_count)", "", FOREIGN, flags=re.DOTALL)
    text = text[: text.index("species_coeffs")]
    with pytest.raises(InputFileError, match=r"no 'radial_coeffs'.*not trained"):
        parse_potential(text, source="untrained.mtp")
    potential = parse_potential(text, allow_untrained=True)
    assert not potential.parameters.any()


@pytest.mark.parametrize("part", np.linspace(0.0, 0.999, 25))
def test_a_truncated_file_is_named(part, tmp_path):
    text = dump_potential(trained_potential())
    path = tmp_path / "cut.mtp"
    path.write_text(text[: int(part * (len(text) - 1))])
    with pytest.raises(InputFileError, match=r"cut\.mtp") as raised:
        read_potential(path)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("RBChebyshev", "RBShapeev", "radial basis RBShapeev"),
        ("version = 1.1.0", "version = 2.0.0", "version 2.0.0"),
        ("MTP\n", "PTM\n", "does not begin with 'MTP'"),
        ("{4, 5, 6}", "{4, 5}", "'radial_coeffs' holds 2 numbers where 3"),
        ("{4, 5, 6}", "{4, x, 6}", "'x', which is not a finite number"),
        ("{4, 5, 6}", "{4, nan, 6}", "'nan', which is not a finite number"),
        ("\t\t1-0\n\t\t\t{7, 8, 9}\n", "", "lacks the pair 1-0"),
        ("species_count = 2", "species_count = two", "'two', not a count"),
        ("species_count = 2", "species_count = 1", "more than the announced"),
        ("species_coeffs = {-1.5, -2.5}\n", "", "no 'species_coeffs'"),
        ("alpha_moment_mapping = {0}", "alpha_moment_mapping = {7}", "moment that does not exist"),
        ("alpha_scalar_moments = 1", "alpha_scalar_moments = 2", "1 numbers, 2 are announced"),
        ("min_dist = 2", "min_dist = 6", "not in order"),
        ("alpha_moments_count", "beta_moments_count", "unknown key 'beta_moments_count'"),
        ("moment_coeffs = {0.25}", "moment_coeffs = {0.25", "not closed"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(old, new, what):
    assert old in FOREIGN
    with pytest.raises(InputFileError, match=re.escape(what)) as raised:
        parse_potential(FOREIGN.replace(old, new), source="bad.mtp")
    assert "bad.mtp" in str(raised.value)


def test_a_product_of_an_unfinished_moment_is_refused():
    text = dump_potential(trained_potential(8))
    table = re.search(r"alpha_index_times = \{(.*)\}\n", text)[1]
    rows = table[1:-1].split("}, {")
    backwards = "{" + "}, {".join(reversed(rows)) + "}"
    with pytest.raises(InputFileError, match="before it is complete"):
        parse_potential(text.replace(table, backwards))


def test_missing_and_binary_files_are_named(tmp_path):
    with pytest.raises(InputFileError, match=r"nowhere\.mtp: No such file"):
        read_potential(tmp_path / "nowhere.mtp")
    (tmp_path / "binary.mtp").write_bytes(b"MTP\n\xff\xfe\x00")
    with pytest.raises(InputFileError, match="not a text file"):
        read_potential(tmp_path / "binary.mtp")
    with pytest.raises(InputFileError, match="Cannot write"):
        write_potential(trained_potential(), tmp_path / "no" / "folder.mtp")
