# SPDX-License-Identifier: MIT
"""Tables of the kernels, and what compiling them needs."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.contractions import moment_basis
from aiida_alpot.mtp.kernels.tables import contraction_tables

PACKAGE = Path(__file__).parents[2]


@pytest.mark.parametrize("level", [2, 8, 16])
def test_products_by_target_and_by_source_are_the_same(level):
    basis = moment_basis(level)
    tables = contraction_tables(basis)
    moments = np.random.default_rng(0).random(tables.n_moments)
    forward = np.zeros((tables.n_moments, tables.n_moments))
    n_terms = np.diff(tables.forward_first)
    targets = np.repeat(np.arange(basis.n_basic, tables.n_moments), n_terms)
    left, right = tables.forward_left, tables.forward_right
    np.add.at(forward, (targets, left), tables.forward_weight * moments[right])
    np.add.at(forward, (targets, right), tables.forward_weight * moments[left])
    backward = np.zeros_like(forward)
    sources = np.repeat(tables.backward_moment, np.diff(tables.backward_first))
    uses = (tables.backward_target, sources)
    np.add.at(backward, uses, tables.backward_weight * moments[tables.backward_other])
    np.testing.assert_allclose(forward, backward)


def test_tables_are_made_once_for_a_basis():
    basis = moment_basis(6)
    assert contraction_tables(basis) is contraction_tables(basis)
    copy = dataclasses.replace(basis)
    assert contraction_tables(copy) is not contraction_tables(basis)


@pytest.mark.parametrize("spoiled", [(9, 9, 1, 9), (20, 0, 1, 9), (0, 0, 1, 3)])
def test_a_product_of_an_incomplete_moment_is_refused(spoiled):
    basis = moment_basis(8)
    products = np.concatenate([basis.products, [spoiled]])
    with pytest.raises(SettingError, match="before it is complete"):
        contraction_tables(dataclasses.replace(basis, products=products, n_moments=21))


def run_python(code: str, **environment: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_importing_the_package_does_not_load_numba():
    code = "import sys, aiida_alpot.mtp, aiida_alpot.mtp.potential; print('numba' in sys.modules)"
    assert run_python(code).strip() == "False"


def test_every_public_name_can_be_imported():
    run_python("from aiida_alpot.mtp import *")


def test_kernels_are_compiled_where_no_folder_can_be_written(tmp_path):
    """Where numba finds no place for machine code, it is compiled for this process alone."""
    code = """
import numba.core.caching as caching
for locator in caching.CacheImpl._locator_classes:
    locator.from_function = classmethod(lambda cls, function, file: None)
from aiida_alpot.mtp.kernels.lanes import compiled
print(compiled(lambda a: a + 1)(41))
"""
    assert run_python(code).strip() == "42"


def test_machine_code_of_another_processor_is_left_alone(tmp_path):
    code = """
from aiida_alpot.mtp.kernels.pairs import update_vectors
import numpy as np
one = np.zeros((2, 3)); one[1, 2] = 3.0
first = np.array([0, 1, 2]); neighbor = np.array([1, 0], dtype=np.int32)
shifts = np.zeros((2, 3), dtype=np.int32)
print(update_vectors(0, 2, one, np.eye(3)[None], first, neighbor, shifts, np.zeros((2, 3))))
"""
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    own, other, again = (
        run_python(code, **cache, **processor)
        for processor in ({}, {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, {})
    )
    assert own == other == again == "9.0\n"
    assert len(list(tmp_path.rglob("*.nbc"))) == 2
