# SPDX-License-Identifier: MIT
"""What the gate says of a candidate: passed, or the first rule that it breaks, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

PASSED = "passed"
RULES = (
    "finite",
    "size",
    "volume",
    "shape",
    "force",
    "grade",
    "distance",
    "core",
    "fragments",
    "quarantined",
    "pending",
    "duplicate",
    "near_duplicate",
)
"""Names of the rules, in the order in which they are looked at."""


@dataclass(frozen=True)
class Verdict:
    """What the gate says of one candidate: ``rule`` is "passed" or the rule that it breaks."""

    passed: bool
    rule: str = PASSED
    detail: str = ""


def count_verdicts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    """Return how many candidates each rule decided on, "passed" among them."""
    return dict(sorted(Counter(verdict.rule for verdict in verdicts).items()))
