# SPDX-License-Identifier: MIT
"""From candidates to what is worth a label: gate, selection by MAXVOL, test chains held out."""

from aiida_alpot.selection.budget import check_budget
from aiida_alpot.selection.gate import GateSettings, Verdict, count_verdicts, gate
from aiida_alpot.selection.maxvol_selection import Selection, select
from aiida_alpot.selection.split import split_by_chain

__all__ = [
    "GateSettings",
    "Selection",
    "Verdict",
    "check_budget",
    "count_verdicts",
    "gate",
    "select",
    "split_by_chain",
]
