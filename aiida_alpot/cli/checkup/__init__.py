# SPDX-License-Identifier: MIT
"""The checks of ``alpot doctor``: what each found, and what to do where something fails."""

from aiida_alpot.cli.checkup.finding import Finding, show
from aiida_alpot.cli.checkup.plan import (
    Plan,
    Potcars,
    plan_for_campaign,
    plan_for_machines,
    plan_for_profile,
)
from aiida_alpot.cli.checkup.rounds import check_up

__all__ = [
    "Finding",
    "Plan",
    "Potcars",
    "check_up",
    "plan_for_campaign",
    "plan_for_machines",
    "plan_for_profile",
    "show",
]
