# SPDX-License-Identifier: MIT
"""Potentials with their active set in one file of MLIP."""

import struct

import numpy as np
import pytest
from ase.build import bulk
from ase.data import atomic_numbers
from motep.calculator import MTP as MotepMTP  # noqa: N811
from motep.io.mlip.mtp import read_mtp

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import ActiveSetError, InputFileError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.grading.mlip_state import dump_almtp, load_active_set, write_almtp
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.mlip_files import dump_potential, read_potential
from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.selection_state import parse_state, split_content
from aiida_alpot.mtp.zbl import CorePair, ZblCore

LEVEL = 6
KINDS = [
    ("neighborhood", "parity"),
    ("neighborhood", "projected"),
    ("configuration", "parity"),
    ("configuration", "projected"),
]


def trained_potential(species):
    rng = np.random.default_rng(len(species))
    potential = initial_potential(LEVEL, 4.5, species=species, min_distance=1.9, rng=rng)
    linear = rng.standard_normal(potential.n_species + potential.basis.n_scalars)
    radial = potential.radial_coefficients.ravel()
    return potential.with_parameters(np.concatenate([radial, linear]))


def cells(n, seed, rattle, species=("Cu", "Au")):
    structures = []
    for index in range(n):
        atoms = bulk("Cu", cubic=True)
        atoms.symbols[: index % 3] = species[-1]
        atoms.rattle(rattle, seed=seed + index)
        atoms.info["identifier"] = f"cell {seed + index}"
        structures.append(atoms)
    return Configurations.from_atoms(structures)


@pytest.fixture(scope="module")
def potential():
    return trained_potential(("Cu", "Au"))


@pytest.fixture(scope="module")
def training():
    return cells(60, seed=0, rattle=0.2)


@pytest.fixture(scope="module", params=KINDS, ids="-".join)
def active_set(request, potential, training):
    mode, method = request.param
    return build_active_set(potential, training, mode=mode, method=method)


def test_grades_by_the_file_are_those_of_the_active_set_written(
    potential, training, active_set, tmp_path
):
    write_almtp(tmp_path / "a.almtp", potential, active_set, training)
    candidates = cells(8, seed=500, rattle=0.3)
    again = read_potential(tmp_path / "a.almtp")
    stored = load_active_set(tmp_path / "a.almtp")
    wanted = ExtrapolationGrader(potential, active_set).grade(candidates).per_configuration
    found = ExtrapolationGrader(again, stored).grade(candidates).per_configuration
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    assert stored.mode == active_set.mode
    if active_set.method == "parity":
        assert np.array_equal(stored.inverse, active_set.inverse)
        assert np.array_equal(stored.rows, active_set.rows)


def test_rows_and_matrices_of_the_file_follow_the_grammar(potential, training, active_set):
    # read by hand: what another program finds at the documented places
    content = dump_almtp(potential, active_set, training)
    n = potential.n_parameters
    text, state = content.split(b"#MVS_v1.1\n")
    lines = state.split(b"\n", 5)
    weights = dict(line.split() for line in lines[:5])
    by_atom = active_set.mode == "neighborhood"
    assert float(weights[b"site_en_weight"]) == by_atom
    assert float(weights[b"energy_weight"]) == (not by_atom)
    assert int(weights[b"weight_scaling"]) == 2
    assert lines[5][:1] == b"#"
    matrices = np.frombuffer(lines[5], dtype="<f8", count=2 * n * n, offset=1).reshape(2, n, n)
    assert lines[5][1 + 16 * n * n :].startswith(b"\n#\n")
    links = lines[5][1 + 16 * n * n + 3 :].split(b"#\n")[0].split(b"\n")[:-1]
    assert len(links) == n
    rows = energy_rows(potential, training)
    for place, link in enumerate(links):
        index, row = map(int, link.split())
        if index < 0:
            continue
        parsed = parse_state(
            b"#MVS_v1.1\n" + state, n_parameters=n, species=("Cu", "Au"), source="file"
        )
        name = str(parsed.configurations.identifier[index])
        at = training.identifier.tolist().index(name)
        wanted = (
            rows[training.offsets[at] + row]
            if by_atom
            else rows[training.atoms_slice(at)].mean(axis=0)
        )
        np.testing.assert_allclose(matrices[0, place], wanted, atol=1e-8 * np.abs(wanted).max())
        # c_i = sum_j b_j X_ij of an active row is a unit vector
        c = matrices[1] @ wanted
        np.testing.assert_allclose(c, np.eye(n)[place], atol=1e-5)
    assert text.decode() == dump_potential(potential)


@pytest.mark.parametrize("species", [("Cu",), ("Cu", "Au"), ("Ag", "Cu", "Au")], ids="-".join)
@pytest.mark.parametrize("suffix", ["mtp", "almtp"])
def test_motep_evaluates_the_text_part_identically(species, suffix, tmp_path):
    potential = trained_potential(species)
    atoms = bulk("Cu", cubic=True).repeat((2, 1, 1))
    atoms.symbols[:] = [species[index % len(species)] for index in range(len(atoms))]
    atoms.rattle(0.2, seed=3)
    configurations = Configurations.from_atoms([atoms])
    active_set = build_active_set(potential, configurations)
    path = tmp_path / "text.mtp"
    if suffix == "mtp":
        path.write_text(dump_potential(potential))
    else:
        path.write_bytes(split_content(dump_almtp(potential, active_set, configurations)).text)
    data = read_mtp(path)
    data.species = [atomic_numbers[symbol] for symbol in species]
    result = evaluate(potential, configurations)
    atoms.calc = MotepMTP(data, engine="cext")
    scale = np.abs(result.forces).max()
    np.testing.assert_allclose(atoms.get_potential_energy(), result.energy[0], rtol=1e-11)
    np.testing.assert_allclose(atoms.get_forces(), result.forces, atol=1e-10 * scale)
    np.testing.assert_allclose(atoms.get_stress(), result.stress[0], atol=1e-10 * scale)


def test_a_file_without_configurations_grades_all_the_same(potential, training, tmp_path):
    active_set = build_active_set(potential, training)
    write_almtp(tmp_path / "a.almtp", potential, active_set)
    stored = load_active_set(tmp_path / "a.almtp")
    rows = energy_rows(potential, cells(2, seed=900, rattle=0.3))
    np.testing.assert_allclose(stored.grades(rows), active_set.grades(rows), rtol=1e-7)
    assert stored.n_initialized == 0


def test_origins_are_read_back(potential, training):
    active_set = build_active_set(potential, training, method="parity")
    content = dump_almtp(potential, active_set, training)
    state = parse_state(
        split_content(content).state,
        n_parameters=potential.n_parameters,
        species=potential.species,
        source="file",
    )
    hashes = state.configurations.hashes()
    for place, origin in enumerate(active_set.origins):
        if origin.hash:
            assert hashes[state.configuration[place]] == origin.hash
            assert state.row[place] == origin.atom
        else:
            assert state.configuration[place] == state.row[place] == -1


def test_keys_may_be_joined_by_an_equals_sign_and_lines_of_origins_be_missing(
    potential, training, tmp_path
):
    active_set = build_active_set(potential, training, method="parity")
    n = potential.n_parameters
    head = "".join(
        f"{key} = {value}\n"
        for key, value in [
            ("energy_weight", 0),
            ("force_weight", 0),
            ("stress_weight", 0),
            ("site_en_weight", 1),
            ("weight_scaling", 2),
        ]
    )
    matrices = active_set.rows.tobytes() + active_set.inverse.T.tobytes()
    path = tmp_path / "a.almtp"
    path.write_bytes(
        dump_potential(potential).encode()
        + b"#MVS_v1.1\n"
        + head.encode()
        + b"#"
        + matrices
        + b"\n"
    )
    stored = load_active_set(path)
    assert stored.mode == "neighborhood"
    assert stored.inverse.shape == (n, n)
    assert np.array_equal(stored.inverse, active_set.inverse)


def test_states_of_the_older_format_are_read(potential, training, tmp_path):
    active_set = build_active_set(potential, training, mode="configuration", method="parity")
    n = potential.n_parameters
    links = "".join(f"{place} -1\n" for place in range(n))
    path = tmp_path / "state.mvs"
    path.write_bytes(
        dump_potential(potential).rstrip().encode()
        + b"\n^"
        + struct.pack("<4d", 0.0, 1.0, 0.0, 0.0)
        + b"\n#"
        + active_set.rows.tobytes()
        + active_set.inverse.T.tobytes()
        + b"\n"
        + links.encode()
    )
    stored = load_active_set(path)
    assert stored.mode == "configuration"
    rows = energy_rows(potential, training)[:5]
    assert np.array_equal(stored.grades(rows), active_set.grades(rows))
    assert np.array_equal(read_potential(path).parameters, potential.parameters)


def test_a_file_cut_anywhere_in_its_active_set_is_refused_in_one_line(
    potential, training, tmp_path
):
    content = dump_almtp(potential, build_active_set(potential, training), training)
    start = content.index(b"#MVS")
    path = tmp_path / "cut.almtp"
    n_matrices = 16 * potential.n_parameters**2
    for cut in (
        start + 15,
        start + 80,
        start + 200,
        start + 200 + n_matrices // 2,
        len(content) - 9,
    ):
        path.write_bytes(content[:cut])
        with pytest.raises(InputFileError, match=r"cut\.almtp") as caught:
            load_active_set(path)
        if cut < start + n_matrices:
            with pytest.raises(InputFileError, match=r"cut\.almtp"):
                read_potential(path)
        assert "\n" not in str(caught.value)


def test_a_state_of_another_size_is_refused(potential, training, tmp_path):
    other = trained_potential(("Cu",))
    content = dump_almtp(potential, build_active_set(potential, training), training)
    path = tmp_path / "mixed.almtp"
    for text, state in (
        (dump_potential(other), split_content(content).state),
        (
            dump_potential(potential),
            split_content(
                dump_almtp(other, build_active_set(other, cells(3, 0, 0.1, ("Cu",))))
            ).state,
        ),
    ):
        path.write_bytes(text.encode() + state)
        with pytest.raises(InputFileError, match=r"mixed\.almtp.*belongs to another potential"):
            load_active_set(path)


def test_kinds_of_rows_that_are_not_supported_are_refused(potential, training, tmp_path):
    content = dump_almtp(potential, build_active_set(potential, training), training)
    path = tmp_path / "forces.almtp"
    path.write_bytes(content.replace(b"force_weight 0.", b"force_weight 1."))
    with pytest.raises(InputFileError, match="force 1"):
        load_active_set(path)


def test_a_potential_alone_holds_no_active_set(potential, tmp_path):
    path = tmp_path / "potential.mtp"
    path.write_text(dump_potential(potential))
    with pytest.raises(InputFileError, match="holds no active set"):
        load_active_set(path)


def test_an_active_set_of_another_potential_is_not_written(potential, training):
    active_set = build_active_set(potential, training)
    other = potential.with_parameters(1.01 * potential.parameters)
    with pytest.raises(ActiveSetError, match="another potential"):
        dump_almtp(other, active_set)


def test_many_rows_of_one_configuration_and_a_core_are_read_back(tmp_path):
    bare = trained_potential(("Cu",))
    potential = bare.with_core(ZblCore((CorePair("Cu", "Cu", 1.0, 1.7),)))
    atoms = bulk("Cu", cubic=True) * (2, 2, 2)
    atoms.rattle(0.2, seed=1)
    training = Configurations.from_atoms([atoms])
    active_set = build_active_set(potential, training, mode="neighborhood", method="parity")
    write_almtp(tmp_path / "a.almtp", potential, active_set, training)
    again = read_potential(tmp_path / "a.almtp")
    assert again.core == potential.core
    grades = ExtrapolationGrader(again, load_active_set(tmp_path / "a.almtp")).grade(training)
    np.testing.assert_allclose(
        grades.per_configuration,
        ExtrapolationGrader(potential, active_set).grade(training).per_configuration,
        rtol=1e-9,
    )
