# SPDX-License-Identifier: MIT
"""The ledger of what the gate refused: no label was paid for, and the rule says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import calcfunction

SKIPPED = "skipped"


@calcfunction
def list_skipped(result: orm.Dict, turn: orm.Int) -> orm.Dict:
    """Return a ledger of the candidates that the gate refused.

    Parameters
    ----------
    result : Dict
        Of a job that selected.
    turn : Int
        The turn that asked.
    """
    maker = result.creator
    entries = skipped_entries(result.get_dict(), turn.value, maker.uuid if maker else None)
    return orm.Dict({"entries": entries})


def skipped_entries(result: Mapping[str, Any], turn: int, node: str | None) -> list[dict[str, Any]]:
    """Return an entry for each refused candidate; one for each rule with those not listed."""
    told = {"status": SKIPPED, "turn": turn, "node": node, "attempt": 0, "seconds": 0.0}
    entries = [{**refused, **told} for refused in result.get("refused", [])]
    for rule, count in sorted(result.get("refused_unlisted", {}).items()):
        unlisted = {"identifier": f"{count} more", "hash": "", "rule": rule, "reason": ""}
        entries.append({**unlisted, **told, "count": count})
    return entries
