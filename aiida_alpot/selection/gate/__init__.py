# SPDX-License-Identifier: MIT
"""The gate before labels are paid for: which candidates no label should be spent on, and why.

A trajectory that left the region a potential knows may hold atoms on top of each other, a slab
that lost atoms, a cell that has evaporated, or the same frame twice. Each candidate gets a verdict:
the first rule that it breaks, in the order of :data:`RULES`, with the figures in words.
"""

from aiida_alpot.selection.gate.judge import gate
from aiida_alpot.selection.gate.settings import GateSettings
from aiida_alpot.selection.gate.verdict import PASSED, RULES, Verdict, count_verdicts

__all__ = ["PASSED", "RULES", "GateSettings", "Verdict", "count_verdicts", "gate"]
