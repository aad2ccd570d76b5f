# SPDX-License-Identifier: MIT
"""Contracts that every implementation of an interface must meet, and assertions about physics.

For third parties too: the tests of a new sampler inherit
:class:`~aiida_alpot.testing.samplers.SamplerContract`, those of a new grader
:class:`~aiida_alpot.testing.graders.GraderContract`; any ASE calculator can be put to the
assertions of :mod:`~aiida_alpot.testing.calculators`.
"""

from aiida_alpot.testing.calculators import (
    assert_extensive,
    assert_gradients,
    assert_permutation_invariant,
    assert_rotation_invariant,
    assert_translation_invariant,
)

__all__ = [
    "assert_extensive",
    "assert_gradients",
    "assert_permutation_invariant",
    "assert_rotation_invariant",
    "assert_translation_invariant",
]
