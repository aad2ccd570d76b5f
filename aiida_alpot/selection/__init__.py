# SPDX-License-Identifier: MIT
"""From candidates to what is worth a label: gate, selection, test chains held out.

Selected is by MAXVOL, or by another of the rules in :mod:`aiida_alpot.selection.rules`.
"""

from aiida_alpot.selection.budget import check_budget
from aiida_alpot.selection.gate import GateSettings, Verdict, count_verdicts, gate
from aiida_alpot.selection.maxvol_selection import Selection, select
from aiida_alpot.selection.picking import Picked, Selector
from aiida_alpot.selection.rules import RULES, RuleSettings, make_selector
from aiida_alpot.selection.split import split_by_chain
from aiida_alpot.selection.uncertainty_selection import UncertainSelection, select_uncertain

__all__ = [
    "RULES",
    "GateSettings",
    "Picked",
    "RuleSettings",
    "Selection",
    "Selector",
    "UncertainSelection",
    "Verdict",
    "check_budget",
    "count_verdicts",
    "gate",
    "make_selector",
    "select",
    "select_uncertain",
    "split_by_chain",
]
