# SPDX-License-Identifier: MIT
"""Extrapolation grades: D-optimal active sets of training environments, selected by MAXVOL."""

from aiida_alpot.grading.active_set import (
    ActiveSet,
    RowOrigin,
    build_active_set,
    empty_active_set,
    extend_active_set,
    potential_hash,
)
from aiida_alpot.grading.grader import ExtrapolationGrader, Grader, Grades
from aiida_alpot.grading.maxvol import MaxvolResult, maxvol
from aiida_alpot.grading.row_space import structural_projection, structural_rank

__all__ = [
    "ActiveSet",
    "ExtrapolationGrader",
    "Grader",
    "Grades",
    "MaxvolResult",
    "RowOrigin",
    "build_active_set",
    "empty_active_set",
    "extend_active_set",
    "maxvol",
    "potential_hash",
    "structural_projection",
    "structural_rank",
]
