# SPDX-License-Identifier: MIT
"""Levels 26 and 28, where the caps mu <= 5 and nu <= 10 bite, and their tables on disk."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms

from aiida_alpot import user_cache
from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp import basis_cache
from aiida_alpot.mtp.contractions import (
    LEVELS,
    N_SCALARS,
    moment_basis,
    recognise_level,
    scalar_keys,
)
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.mlip_files import dump_potential, parse_potential

from .builders import central_difference, random_potential

PROGRAM = """
import hashlib, sys
from aiida_alpot.mtp import contractions
if sys.argv[1:] == ["never generate"]:
    contractions._generate_tables = None
basis = contractions.moment_basis(20)
print(hashlib.sha256(basis.products.tobytes() + basis.scalars.tobytes()).hexdigest())
"""


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """An empty cache folder that only this test uses."""
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "cache"))
    user_cache.user_cache_folder.cache_clear()
    yield tmp_path / "cache"
    user_cache.user_cache_folder.cache_clear()


def test_levels_have_the_published_numbers_of_scalars():
    assert len(LEVELS) == len(N_SCALARS) == 14
    for level, n_scalars in zip(LEVELS, N_SCALARS, strict=True):
        assert len(scalar_keys(level)) == n_scalars


@pytest.mark.parametrize(
    ("level", "n_basic", "n_moments", "n_products"),
    [(26, 706, 9396, 82520), (28, 866, 17366, 180069)],
)
def test_high_levels_have_the_counts_of_the_published_tables_and_no_more_work(
    level, n_basic, n_moments, n_products
):
    basis = moment_basis(level)
    assert (basis.n_radial, basis.n_basic) == (6, n_basic)
    assert basis.n_scalars == len(scalar_keys(level))
    assert basis.n_moments <= n_moments
    assert basis.n_products <= n_products
    assert recognise_level(basis) == basis.level == level


@pytest.mark.parametrize("level", [26, 28])
def test_the_caps_bite(level):
    basic = moment_basis(level).basic
    assert basic[:, 0].max() == 5
    assert basic[:, 1:].sum(axis=1).max() == 10
    # without the caps M_(6,0) and M_(0,11) would be there: 2 + 24 and 4 + 22 are within the level
    assert level >= 2 + 4 * 6
    assert level >= 4 + 2 * 11


@pytest.mark.parametrize("level", [26, 28])
def test_forces_are_minus_the_energy_gradient(level):
    positions = [[0.0, 0.0, 0.0], [2.0, 0.3, 0.1], [0.6, 2.2, -0.4], [-0.3, 0.8, 2.4]]
    atoms = Atoms("CuAuCu2", positions=positions)
    potential = random_potential(level, atoms)

    def energies(displacements):
        moved = [
            Atoms(atoms.numbers, positions=atoms.positions + one.reshape(4, 3))
            for one in displacements
        ]
        return evaluate(potential, Configurations.from_atoms(moved)).energy

    forces = evaluate(potential, Configurations.from_atoms([atoms])).forces.ravel()
    slopes = central_difference(energies, 12, 2e-4)
    np.testing.assert_allclose(-slopes, forces, atol=1e-7 * np.abs(forces).max())


def test_a_file_of_level_28_is_read_with_its_level():
    atoms = Atoms("Cu2", positions=[[0, 0, 0], [0, 0, 2.0]])
    potential = random_potential(28, atoms)
    again = parse_potential(dump_potential(potential))
    assert again.level == 28
    assert np.array_equal(again.basis.products, potential.basis.products)
    assert np.array_equal(again.parameters, potential.parameters)


def test_processes_that_generate_at_once_leave_one_whole_table(own_cache):
    environment = os.environ | {user_cache.VARIABLE: str(own_cache)}
    command = [sys.executable, "-c", PROGRAM]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    digests = {process.communicate(timeout=60)[0] for process in both}
    later = subprocess.run(
        [*command, "never generate"], env=environment, capture_output=True, text=True, check=True
    )
    assert digests == {later.stdout}
    assert len(list(own_cache.iterdir())) == 1


def test_a_damaged_table_is_generated_again(own_cache):
    tables = {"basic": np.arange(5), "n_moments": np.array(3)}
    basis_cache.keep_tables(26, tables)
    (path,) = own_cache.iterdir()
    assert set(basis_cache.load_tables(26)) == set(tables)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole[:-30] + b"?" * 30):
        path.write_bytes(damaged)
        assert basis_cache.load_tables(26) is None


def test_tables_of_another_version_have_another_name(own_cache, monkeypatch):
    basis_cache.keep_tables(26, {"basic": np.arange(5)})
    monkeypatch.setattr(basis_cache, "_digest", lambda: "another version")
    assert basis_cache.load_tables(26) is None


def test_without_any_folder_tables_are_generated_in_every_process(monkeypatch):
    monkeypatch.setattr(basis_cache, "user_cache_folder", lambda: None)
    basis_cache.keep_tables(26, {"basic": np.arange(5)})
    assert basis_cache.load_tables(26) is None


def test_folders_that_cannot_be_written_are_passed_over(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(user_cache.VARIABLE, str(tmp_path / "file" / "below"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    user_cache.user_cache_folder.cache_clear()
    assert user_cache.user_cache_folder() == tmp_path / "xdg" / "aiida-alpot"
    user_cache.user_cache_folder.cache_clear()


def test_temporary_folders_of_others_are_not_trusted(tmp_path, monkeypatch):
    monkeypatch.setenv(user_cache.VARIABLE, "/dev/null/a")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/b")
    monkeypatch.setattr(user_cache.tempfile, "gettempdir", lambda: str(tmp_path))
    user_cache.user_cache_folder.cache_clear()
    folder = tmp_path / f"aiida-alpot-{os.getuid()}"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert user_cache.user_cache_folder() is None
    folder.chmod(0o700)
    user_cache.user_cache_folder.cache_clear()
    assert user_cache.user_cache_folder() == folder
    user_cache.user_cache_folder.cache_clear()
