# SPDX-License-Identifier: MIT
"""From a potential back to every label: the queries behind ``alpot why`` and ``alpot export``.

A potential is an output of a fit; the training sets of that fit are outputs of the collection of
labels, whose ledger names the job that made each label.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.errors import ServiceError
from aiida_alpot.reports.processes import children, turn_processes

TRAINING_LINK = "training__"


@dataclass(frozen=True)
class TrainingConfiguration:
    """Where one training configuration came from.

    Parameters
    ----------
    identifier : str
        Its name.
    key : str
        Hash of species, positions and cell, by which its label is looked up.
    turn : int
        Turn in which it was sampled; -1 for what was given from outside.
    sampler, chain : str
        Sampler that met it, and the start it had set out from.
    step : int
        Step of the sampler.
    grade : float
        Extrapolation grade on which it was selected; NaN for what was given.
    n_atoms : int
        Its size.
    training_set : str
        UUID of the node that holds it with its label.
    label_process : str
        UUID of the job that made the label; empty if the label was given from outside.
    label_status : str
        "labelled" in this campaign, "looked_up" from an earlier one, or "given".
    """

    identifier: str
    key: str
    turn: int
    sampler: str
    chain: str
    step: int
    grade: float
    n_atoms: int
    training_set: str
    label_process: str
    label_status: str


def training_configurations(potential: Any) -> list[TrainingConfiguration]:
    """Return where each configuration came from that a potential was trained on.

    Parameters
    ----------
    potential : PotentialData
        A stored node.

    Raises
    ------
    ServiceError
        If the potential was not fitted in this profile.
    """
    fit = potential.creator
    if fit is None:
        raise ServiceError(
            f"The potential {potential.uuid} was not fitted in this profile, so it has no origin "
            "here. Give a potential that a campaign made, or the campaign itself."
        )
    found = []
    for _, node in training_sets(fit):
        found += list(_origins_of(node))
    return found


def training_sets(fit: Any) -> list[tuple[str, Any]]:
    """Return the training sets of a fit with their names, in their order."""
    links = fit.base.links.get_incoming(link_label_filter=f"{TRAINING_LINK}%").all()
    named = [(link.link_label.removeprefix(TRAINING_LINK), link.node) for link in links]
    return sorted(named, key=lambda pair: pair[0])


def _origins_of(node: Any) -> Iterator[TrainingConfiguration]:
    configurations = node.get_configurations()
    entries = ledger_entries_by_key(node)
    for index, key in enumerate(configurations.hashes()):
        origin = configurations.origin(index)
        entry = entries.get(key, {})
        yield TrainingConfiguration(
            identifier=str(configurations.identifier[index]),
            key=key,
            turn=origin.turn,
            sampler=origin.sampler or "given",
            chain=origin.chain,
            step=origin.step,
            grade=origin.grade,
            n_atoms=int(configurations.n_atoms[index]),
            training_set=node.uuid,
            label_process=str(entry.get("node") or ""),
            label_status=str(entry.get("status", "given")),
        )


def ledger_entries_by_key(labelled: Any) -> dict[str, Mapping[str, Any]]:
    """Return the entries of the ledger that was written with a labelled set, by hash."""
    collection = labelled.creator
    if collection is None:
        return {}
    for link in collection.base.links.get_outgoing().all():
        if link.link_label == "ledger":
            entries = link.node.get_dict()["entries"]
            return {entry["hash"]: entry for entry in entries if entry["status"] != "failed"}
    return {}


def find_potential(identifier: str | None) -> Any:
    """Return the potential node that a PK, a UUID, a file or the name of a campaign stands for.

    A ``.mtp`` file is found by its content, the newest fit first; a campaign stands for the
    potential that it handed out; nothing stands for the campaign submitted last.

    Raises
    ------
    ServiceError
        If there is none.
    """
    from pathlib import Path

    from aiida import orm
    from aiida.common import exceptions

    from aiida_alpot.data import PotentialData
    from aiida_alpot.reports.campaigns import find_campaign, is_campaign

    if identifier is None:
        return potential_of_campaign(find_campaign())
    path = Path(identifier)
    if path.is_file():
        return _find_by_content(path)
    try:
        node = orm.load_node(identifier)
    except (exceptions.NotExistent, exceptions.MultipleObjectsError, ValueError):
        node = find_campaign(identifier)
    if isinstance(node, PotentialData):
        return node
    if is_campaign(node):
        return potential_of_campaign(node)
    raise ServiceError(
        f"'{identifier}' is a {type(node).__name__}; give a potential, its .mtp file or a campaign."
    )


def potential_of_campaign(node: Any) -> Any:
    """Return the potential that a campaign handed out, or its last one while it runs.

    Raises
    ------
    ServiceError
        If it has fitted none yet.
    """
    if "potential" in node.outputs:
        return node.outputs.potential
    makers = [*children(node, "alpot.fit"), *turn_processes(node)]
    for process in reversed(makers):
        if "potential" in process.outputs:
            return process.outputs.potential
    raise ServiceError(f"The campaign with PK {node.pk} has fitted no potential yet.")


def _find_by_content(path: Any) -> Any:
    from aiida import orm

    from aiida_alpot.data import PotentialData

    content = path.read_bytes()
    builder = orm.QueryBuilder().append(PotentialData, tag="node")
    builder.order_by({"node": {"id": "desc"}})
    for node in builder.all(flat=True):
        if node.creator is not None and node.content == content:
            return node
    raise ServiceError(
        f"No potential in this profile has the content of {path}. Export it again, or use the "
        "profile in which it was fitted."
    )
