# SPDX-License-Identifier: MIT
"""Mistakes in properties, test sets and the gate of a campaign file."""

from __future__ import annotations

import pytest

# (what is written, in place of what, words that the message must hold)
MISTAKES = {
    "unknown property": (
        "name: test\nvalidate: [{kind: eos}]",
        "name: test",
        ["validate[0].kind", '"eos"', "equation_of_state"],
    ),
    "unknown setting of a property": (
        "name: test\nvalidate: [{kind: vacancy, sites: 1}]",
        "name: test",
        ["validate[0].sites", "did you mean 'site'"],
    ),
    "unknown structure of a property": (
        "name: test\nvalidate: [{kind: vacancy, structure: slab}]",
        "name: test",
        ["validate[0].structure", '"slab"', "bulk"],
    ),
    "unknown figure": (
        "name: test\nvalidate: [{kind: vacancy, targets: {energy: 1}}]",
        "name: test",
        ["validate[0].targets.energy", "formation_energy_eV"],
    ),
    "percentage of an error": (
        "name: test\nvalidate: [{kind: stability, targets: {largest_grade: 2 %}}]",
        "name: test",
        ["validate[0].targets.largest_grade", "numbers from 0"],
    ),
    "target that is no number": (
        "name: test\nvalidate: [{kind: vacancy, targets: {formation_energy_eV: small}}]",
        "name: test",
        ["validate[0].targets.formation_energy_eV", '"small"', "percentages"],
    ),
    "comparison with what needs a code": (
        "label: {calculator: GPAW, code: gpaw@localhost, settings: {ecut: 300, kpts: [1, 1, 1]}}\n"
        "validate: [{kind: trajectory_errors}]",
        "label: {calculator: EMT}",
        ["validate[0].kind", "with label.calculator GPAW", "stability"],
    ),
    "targets without test sets": (
        "name: test\ntest_targets: {forces_rmse_eV_per_A: 0.1}",
        "name: test",
        ["test_targets", "without test sets"],
    ),
    "unknown error of a test set": (
        "name: test\ntest_targets: {force: 0.1}",
        "name: test",
        ["test_targets.force", "forces_rmse_eV_per_A"],
    ),
    "empty test set": (
        "name: test\ntest_sets: {hot: []}",
        "name: test",
        ["test_sets.hot", "at least one item"],
    ),
    "unknown rule of the gate": (
        "name: test\ngate: {max_atom: 3}",
        "name: test",
        ["gate.max_atom", "did you mean 'max_atoms'"],
    ),
    "wrong value of the gate": (
        "name: test\ngate: {max_atoms: -3}",
        "name: test",
        ["gate", "max_atoms", "-3"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_key_value_and_remedy(mistake, assert_refused):
    assert_refused(*MISTAKES[mistake])
