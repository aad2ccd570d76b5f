# SPDX-License-Identifier: MIT
"""The most uncertain atoms are chosen, as many as the rule says."""

import numpy as np
import pytest

from aiida_alpot.carving import choose_atoms
from aiida_alpot.errors import SettingError

UNCERTAINTIES = np.array([0.05, 0.3, 0.12, 0.3, 0.01, 0.2, 0.0, 0.1, 0.02, 0.08])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "threshold"}, [1, 3, 5, 2]),
        ({"kind": "threshold", "value": 0.25}, [1, 3]),
        ({"kind": "threshold", "value": 0.4}, []),
        ({"kind": "fraction"}, [1]),
        ({"kind": "fraction", "value": 0.35}, [1, 3, 5, 2]),
        ({"kind": "fraction", "value": 1.0, "floor": 0.1}, [1, 3, 5, 2]),
        ({"kind": "worst"}, [1]),
        ({"kind": "worst", "floor": 0.3}, []),
        ({"kind": "threshold", "limit": 2}, [1, 5]),
    ],
)
def test_atoms_are_chosen_by_rule(rule, expected):
    assert choose_atoms(UNCERTAINTIES, **rule).tolist() == expected


def test_with_a_limit_atoms_that_symmetry_relates_count_once():
    values = np.array([0.3, 0.3 * (1 + 1e-9), 0.2, 0.1])
    assert len(choose_atoms(values, kind="fraction", value=1.0)) == 4
    assert choose_atoms(values, kind="fraction", value=1.0, limit=2).tolist()[1:] == [2]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "best"}, "Unknown choice of atoms 'best'; allowed are threshold"),
        ({"kind": "fraction", "value": 0.0}, "above 0 and at most 1"),
        ({"kind": "fraction", "value": 1.5}, "above 0 and at most 1"),
        ({"kind": "threshold", "value": -0.1}, "zero or a positive number"),
        ({"limit": 0}, "allow one or more"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule, message):
    with pytest.raises(SettingError, match=message):
        choose_atoms(UNCERTAINTIES, **rule)
