# SPDX-License-Identifier: MIT
"""Whether a budget of labels can fill an active set at all."""

from __future__ import annotations

from aiida_alpot.errors import BudgetError
from aiida_alpot.grading.row_space import structural_rank
from aiida_alpot.grading.rows import check_mode
from aiida_alpot.mtp.potential import MomentTensorPotential


def check_budget(potential: MomentTensorPotential, *, mode: str, labels: int) -> int:
    """Refuse a budget that can never span the row space; return the rank of that space.

    In configuration mode one label gives one row, so with fewer labels than the rank some direction
    stays unknown for ever, every new configuration extrapolates, and a campaign cannot converge. In
    neighbourhood mode each atom gives a row and a few configurations suffice.

    Parameters
    ----------
    potential : MomentTensorPotential
        Trained or not; level and species decide.
    mode : {"neighborhood", "configuration"}
        What a row stands for.
    labels : int
        Labels in total, those of the start included.

    Raises
    ------
    BudgetError
        In configuration mode, if there are fewer labels than the rank.
    SettingError
        If there is no such mode.
    """
    check_mode(mode)
    rank = structural_rank(potential)
    if mode == "configuration" and labels < rank:
        raise BudgetError(
            f"A budget of {labels} labels cannot span the {rank} directions of this potential "
            f"(level {potential.level}, {potential.n_species} species, {potential.n_parameters} "
            "parameters) in configuration mode, where each label gives one row: every new "
            "configuration would extrapolate and the campaign never converge. Allow at least "
            f"{rank} labels, lower the level, or grade by neighborhood."
        )
    return rank
