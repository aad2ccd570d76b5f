# SPDX-License-Identifier: MIT
"""Mistakes in the sections potential, fit and grades of a campaign file."""

from __future__ import annotations

import pytest

# (what is written, in place of what, words that the message must hold)
MISTAKES = {
    "budget below the rank of a potential graded by configuration": (
        "grades: {mode: configuration, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["budget.labels", "20 labels", "23 directions", "neighborhood"],
    ),
    "thresholds out of order": (
        "gamma_select: 12",
        "gamma_select: 2",
        ["grades.gamma_select is 12", "gamma_break", "10"],
    ),
    "entry above the threshold": (
        "gamma_select: 2, gamma_entry: 3",
        "gamma_select: 2",
        ["grades.gamma_entry is 3", "gamma_select", "2"],
    ),
    "threshold below one": (
        "gamma_select: 0.5",
        "gamma_select: 2",
        ["grades.gamma_select is 0.5", "from 1"],
    ),
    "costs with the method that knows none": (
        "grades: {per_cost: true, method: parity, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.per_cost is true", "parity"],
    ),
    "power of a cost that does not count": (
        "grades: {cost_exponent: 3, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.cost_exponent is 3", "per_cost is false"],
    ),
    "committee that grades and is not fitted": (
        "grades: {grader: committee}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["fit.committee is missing", "the committee that grades"],
    ),
    "threshold of another grader": (
        "grades: {force_deviation_select: 0.2, gamma_break: 10}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_select is 0.2", "nothing, since grades.grader is extrapolation"],
    ),
    "deviations out of order": (
        "fit: {committee: {}}\ngrades: {grader: committee, force_deviation_select: 0.6}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_select is 0.6", "above 0", "force_deviation_break", "0.5"],
    ),
    "entry above the deviation": (
        "fit: {committee: {}}\ngrades: {grader: committee, force_deviation_entry: 0.2}",
        "grades: {gamma_select: 2, gamma_break: 10}",
        ["grades.force_deviation_entry is 0.2", "grades.force_deviation_select, which is 0.1"],
    ),
    "committee of one": (
        "fit: {committee: {members: 1}}\nname: test",
        "name: test",
        ["fit.committee.members is 1", "numbers from 2"],
    ),
    "committee of equals": (
        "fit: {committee: {bootstrap: false, random_starts: false}}\nname: test",
        "name: test",
        ["fit.committee.bootstrap is false", "all members would be the same"],
    ),
    "unknown block": (
        "fit: {frozen: [angular]}\nname: test",
        "name: test",
        ["fit.frozen", "'angular'", "radial, species, moments, linear"],
    ),
    "block of a species that is not there": (
        "fit: {train_only: [Cu-Au]}\nname: test",
        "name: test",
        ["fit.train_only", "'Cu-Au'"],
    ),
    "nothing left to fit": (
        "fit: {frozen: [radial, linear]}\nname: test",
        "name: test",
        ["fit.frozen", "Nothing is left to be fitted"],
    ),
    "blocks to be pulled without a pull": (
        "fit: {pull_blocks: [moments]}\nname: test",
        "name: test",
        ["fit.pull is missing", "since pull_blocks is given"],
    ),
    "unknown method": (
        "fit: {method: bfgs}\nname: test",
        "name: test",
        ["fit.method", '"bfgs"', "projection or matrix-free"],
    ),
    "unknown mode": (
        "grades: {mode: atoms, gamma_select: 2",
        "grades: {gamma_select: 2",
        ["grades.mode", '"atoms"', "neighborhood"],
    ),
    "atomic energies of other species": (
        "fit: {atomic_energies: {Au: -3.2}}\nbudget",
        "budget",
        ["fit.atomic_energies", "an energy for each of Cu"],
    ),
    "atomic energies from nowhere": (
        "fit: {atomic_energies: guess}\nbudget",
        "budget",
        ["fit.atomic_energies", "isolated"],
    ),
    "window without a decay": (
        "fit: {weighting: {energy_window: 0.5}}\nbudget",
        "budget",
        ["fit.weighting.energy_decay is missing", "beside energy_window"],
    ),
    "decay without a window": (
        "fit: {weighting: {energy_decay: 0.5}}\nbudget",
        "budget",
        ["fit.weighting.energy_window is missing", "beside energy_decay"],
    ),
    "limit inside the window": (
        "fit: {weighting: {energy_window: 0.5, energy_decay: 1, energy_limit: 0.2}}\nbudget",
        "budget",
        ["fit.weighting.energy_limit is 0.2", "numbers from energy_window, 0.5"],
    ),
    "robust below one": (
        "fit: {robust: 0.5}\nbudget",
        "budget",
        ["fit.robust is 0.5", "numbers above 1"],
    ),
    "min_distance above the cutoff": (
        "cutoff: 5.0, min_distance: 6",
        "cutoff: 5.0",
        ["potential.min_distance is 6", "cutoff"],
    ),
    "core beyond the cutoff": (
        "cutoff: 5.0, zbl: {outer: 5.5}",
        "cutoff: 5.0",
        ["potential.zbl.outer is 5.5", "below the cutoff"],
    ),
    "core inside out": (
        "cutoff: 5.0, zbl: {inner: 2.0, outer: 1.5}",
        "cutoff: 5.0",
        ["potential.zbl.inner is 2.0", "below outer"],
    ),
    "core whose outer radius follows and is too large": (
        "cutoff: 5.0, zbl: {inner: 3.6}",
        "cutoff: 5.0",
        ["potential.zbl.inner is 3.6", "outer in the cutoff"],
    ),
    "unknown key of the core": (
        "cutoff: 5.0, zbl: {outter: 1.5}",
        "cutoff: 5.0",
        ["potential.zbl.outter", "did you mean 'outer'"],
    ),
    "core of a pair with a foreign species": (
        "cutoff: 5.0, zbl: {pairs: {Cu-H: [0.9, 1.4]}}",
        "cutoff: 5.0",
        ['potential.zbl.pairs is "Cu-H"', "two of the species"],
    ),
    "core of a pair inside out": (
        "cutoff: 5.0, zbl: {pairs: {Cu-Cu: [1.4, 0.9]}}",
        "cutoff: 5.0",
        ["potential.zbl.pairs.Cu-Cu is [1.4, 0.9]", "inner below outer"],
    ),
    "core of a pair with one radius": (
        "cutoff: 5.0, zbl: {pairs: {Cu-Cu: [1.4]}}",
        "cutoff: 5.0",
        ["potential.zbl.pairs", "[1.4]", "two numbers"],
    ),
    "core that is no section": (
        "cutoff: 5.0, zbl: auto",
        "cutoff: 5.0",
        ['potential.zbl is "auto"', "inner, outer, pairs, overlay"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_that_names_key_value_and_remedy(mistake, assert_refused):
    assert_refused(*MISTAKES[mistake])
