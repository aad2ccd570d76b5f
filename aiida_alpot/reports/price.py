# SPDX-License-Identifier: MIT
"""What each meV/atom cost: labels and core-seconds of each turn against the error on test sets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.reports.report_data import ledger_entries, turn_records

PAID = ("labelled", "failed")
"""What an entry of the ledger says of a label that took time."""


@dataclass(frozen=True)
class TurnPrice:
    """What a turn cost and what it gave.

    Parameters
    ----------
    turn : int
        Zero is the start, its test sets included.
    n_labels : int
        Labels paid for, failed ones too; what was looked up costs nothing.
    core_seconds : float
        Of the label jobs: from the record of the turn, else their time times their cores.
    other_seconds : float
        Core-seconds of sampling, selecting and fitting; their times where no cores are recorded.
    energy_error, force_error : float or None
        On the test sets, the largest where there are several; meV/atom and eV/A. On the training
        set where there is no test set.
    gained : float or None
        By how much the energy error fell in the turn, meV/atom.
    price : float or None
        Core-seconds of labels for each meV/atom gained; None where nothing was.
    """

    turn: int
    n_labels: int
    core_seconds: float
    other_seconds: float
    energy_error: float | None
    force_error: float | None
    gained: float | None
    price: float | None


def prices_of_turns(campaign: Any) -> list[TurnPrice]:
    """Return the price of each turn of a campaign that has ended, in their order."""
    by_turn: dict[int, list[Mapping[str, Any]]] = {}
    for entry in ledger_entries(campaign):
        by_turn.setdefault(int(entry.get("turn") or 0), []).append(entry)
    cores = _cores_of(entry for entries in by_turn.values() for entry in entries)
    costs: list[TurnPrice] = []
    before: float | None = None
    for record in turn_records(campaign):
        entries = [one for one in by_turn.get(record["turn"], []) if one["status"] in PAID]
        paid = sum((one["seconds"] or 0.0) * cores.get(one["node"] or "", 1) for one in entries)
        energy, force = _errors(record)
        gained = None if before is None or energy is None else before - energy
        # with the accounting of the scheduler where the record of the turn has it
        accounted = record.get("core_seconds") or {}
        seconds = accounted or record["seconds"]
        other = sum(value for stage, value in seconds.items() if stage != "label")
        costs.append(
            TurnPrice(
                turn=record["turn"],
                n_labels=len(entries),
                core_seconds=float(accounted.get("label", paid)),
                other_seconds=other,
                energy_error=energy,
                force_error=force,
                gained=gained,
                price=_price(float(accounted.get("label", paid)), gained),
            )
        )
        before = before if energy is None else energy
    return costs


def _price(core_seconds: float, gained: float | None) -> float | None:
    return core_seconds / gained if gained is not None and gained > 0.0 else None


def _cores_of(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    from aiida import orm

    from aiida_alpot.workflows.job_costs import cores_of_node

    uuids = sorted({str(one["node"]) for one in entries if one.get("node")})
    if not uuids:
        return {}
    query = orm.QueryBuilder().append(orm.ProcessNode, filters={"uuid": {"in": uuids}})
    return {node.uuid: cores_of_node(node) for node in query.all(flat=True)}


def _errors(record: Mapping[str, Any]) -> tuple[float | None, float | None]:
    errors = record.get("errors")
    if not errors:
        return None, None
    sets = list((errors.get("test") or {}).values()) or [errors["training"]]
    energies = [one["energy"]["rmse_meV_per_atom"] for one in sets]
    forces = [one["forces"]["rmse_eV_per_A"] for one in sets]
    return (
        max((one for one in energies if one is not None), default=None),
        max((one for one in forces if one is not None), default=None),
    )
