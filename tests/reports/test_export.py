# SPDX-License-Identifier: MIT
"""What an exported potential tells the users of other codes."""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.potential import initial_potential
from aiida_alpot.mtp.zbl import CorePair, ZblCore
from aiida_alpot.reports.export import note_on_core

PAIRS = (CorePair("W", "W", 1.3, 1.9), CorePair("W", "H", 0.9, 1.4), CorePair("H", "H", 0.4, 0.7))


def potential(core):
    rng = np.random.default_rng(0)
    bare = initial_potential(2, 4.5, species=("W", "H"), min_distance=1.5, rng=rng)
    return bare.with_core(core)


def test_the_note_says_that_a_core_does_not_travel_and_where_it_ends():
    note = note_on_core(potential(ZblCore(PAIRS)))
    assert "does not travel" in note
    assert "W-W 1.900 A, W-H 1.400 A, H-H 0.700 A" in note
    overlay = note_on_core(potential(ZblCore(PAIRS, fades=False)))
    assert "does not travel" in overlay
    assert "    pair_coeff 1 2 table zbl.table ZBL_W_H 1.4\n" in overlay
    assert "W-H 0.900 to 1.400 A" in overlay


def test_without_a_core_there_is_nothing_to_say():
    assert note_on_core(potential(None)) == ""
