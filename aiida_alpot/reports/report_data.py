# SPDX-License-Identifier: MIT
"""All that a report shows of a campaign, read from its nodes into plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.carving.labels import is_carved, keep_central_forces, without_saturation
from aiida_alpot.errors import ServiceError
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.reports.costs import CampaignCosts, read_costs
from aiida_alpot.reports.outcome import Outcome, read_outcome
from aiida_alpot.reports.processes import (
    children,
    predecessor_dicts,
    turn_processes,
)
from aiida_alpot.reports.progress import CampaignProgress, read_progress
from aiida_alpot.reports.provenance import potential_of_campaign, training_sets
from aiida_alpot.reports.turn_progress import is_labeller

if TYPE_CHECKING:
    from aiida_alpot.configurations import Configurations
    from aiida_alpot.mtp.potential import MomentTensorPotential
    from aiida_alpot.reports.reliability import TurnReliability

Array = np.ndarray


@dataclass(frozen=True)
class ParitySet:
    """Labels and predictions of one set of configurations.

    Parameters
    ----------
    name : str
        "start", "selected" or "test NAME".
    energy, predicted_energy : (n,) float64
        eV/atom.
    forces, predicted_forces : (m,) float64
        Components, eV/A.
    n_chunks : int
        Configurations beside those with an energy of which one force alone was trained on.
    """

    name: str
    energy: Array
    predicted_energy: Array
    forces: Array
    predicted_forces: Array
    n_chunks: int = 0


@dataclass(frozen=True)
class ReportData:
    """What a report shows; see :func:`read_report_data`."""

    progress: CampaignProgress
    settings: Mapping[str, Any]
    campaign_file: str
    campaign_text: str
    records: tuple[Mapping[str, Any], ...]
    ledger: tuple[Mapping[str, Any], ...]
    outcome: Outcome
    parity: tuple[ParitySet, ...]
    nodes: tuple[tuple[str, str, int], ...]
    versions: Mapping[str, str]
    written: datetime
    costs: CampaignCosts | None = None
    reliability: tuple[TurnReliability, ...] = ()


def read_report_data(node: Any) -> ReportData:
    """Read what a report shows of a campaign, finished or running."""
    described = node.base.extras.get("alpot_campaign", {})
    try:
        potential = potential_of_campaign(node)
    except ServiceError:
        potential = None
    return ReportData(
        progress=read_progress(node),
        settings=node.inputs.settings.get_dict(),
        campaign_file=str(described.get("file", "")),
        campaign_text=str(described.get("text", "")),
        records=tuple(turn_records(node)),
        ledger=tuple(ledger_entries(node)),
        outcome=read_outcome(node),
        parity=tuple(_parity_sets(potential)) if potential is not None else (),
        nodes=tuple(_nodes(node, potential)),
        versions=_versions(potential),
        written=datetime.now(timezone.utc),
        costs=read_costs(node),
        reliability=tuple(_reliability(node)),
    )


def _reliability(node: Any) -> list[TurnReliability]:
    # plots need the sets of this module
    from aiida_alpot.reports.reliability import read_reliability

    return read_reliability(node)


def turn_records(node: Any) -> list[dict[str, Any]]:
    """Return the records of the turns of a campaign that have ended."""
    records = list(predecessor_dicts(node, "records").values())
    records += [
        child.outputs.result.get_dict()
        for child in children(node)
        if child.process_label == "write_turn_record" and "result" in child.outputs
    ]
    records += [
        process.outputs.record.get_dict()
        for process in turn_processes(node)
        if "record" in process.outputs
    ]
    return sorted(records, key=lambda record: record["turn"])


def ledger_entries(node: Any) -> list[dict[str, Any]]:
    """Return the ledger of a campaign, of what has been labelled so far while it runs."""
    if "ledger" in node.outputs:
        return list(node.outputs.ledger.get_dict()["entries"])
    earlier = [
        entry
        for ledger in predecessor_dicts(node, "ledgers").values()
        for entry in ledger["entries"]
    ]
    return earlier + [
        entry
        for process in [node, *turn_processes(node)]
        for child in children(process)
        if is_labeller(child) and "ledger" in child.outputs
        for entry in child.outputs.ledger.get_dict()["entries"]
    ]


def _parity_sets(potential: Any) -> list[ParitySet]:
    fit = potential.creator
    if fit is None:
        return []
    from aiida_alpot.configurations import concatenate

    model = potential.get_potential()
    training = concatenate([node.get_configurations() for _, node in training_sets(fit)])
    given = training.turn < 0
    sets = [("start", training.select(given)), ("selected", training.select(~given))]
    for link in fit.base.links.get_incoming(link_label_filter="test__%").all():
        sets.append(
            (f"test {link.link_label.removeprefix('test__')}", link.node.get_configurations())
        )
    return [parity_set(name, model, one) for name, one in sets if len(one)]


def parity_set(
    name: str, potential: MomentTensorPotential, configurations: Configurations
) -> ParitySet:
    """Return labels and predictions of a set; what has no label, or teaches none, is left out."""
    configurations = keep_central_forces(without_saturation(configurations, potential.species))
    prediction = predict(potential, configurations)
    n_atoms = configurations.n_atoms
    has_energy = np.isfinite(configurations.energy)
    has_force = np.isfinite(configurations.forces).all(axis=1) & configurations.force_mask
    return ParitySet(
        name=name,
        energy=(configurations.energy / n_atoms)[has_energy],
        predicted_energy=(prediction.energy / n_atoms)[has_energy],
        forces=configurations.forces[has_force].ravel(),
        predicted_forces=prediction.forces[has_force].ravel(),
        n_chunks=int(is_carved(configurations).sum()),
    )


def _nodes(node: Any, potential: Any) -> list[tuple[str, str, int]]:
    """Return name, UUID and PK of the nodes that matter."""
    found = [("campaign", node)]
    if potential is not None:
        found.append(("potential", potential))
        if potential.creator is not None:
            found.append(("fit of the potential", potential.creator))
            found += [(f"training, {name}", one) for name, one in training_sets(potential.creator)]
    if "active_set" in node.outputs:
        found.append(("active set", node.outputs.active_set))
    found += (
        [(f"test set, {name}", one) for name, one in node.outputs.test.items()]
        if ("test" in node.outputs)
        else []
    )
    found += [
        (name, node.outputs[name])
        for name in ("ledger", "turns", "validation")
        if name in node.outputs
    ]
    return [(name, one.uuid, one.pk) for name, one in found]


def _versions(potential: Any) -> dict[str, str]:
    """Return the versions with which the potential was fitted, and those that wrote the report."""
    from importlib import metadata

    versions = {"aiida-core": metadata.version("aiida-core")}
    fit = potential.creator if potential is not None else None
    if fit is not None and "result" in fit.outputs:
        result = fit.outputs.result.get_dict()
        versions |= result.get("versions", {})
        versions["processor"] = str(result.get("cpu", ""))
    return versions
