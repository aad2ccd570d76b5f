# SPDX-License-Identifier: MIT
"""A campaign that goes on from another one: what that one has come to, and the inputs made of it.

Whatever ended the predecessor, its turns that ended well are the state from which the successor
goes on; the nodes of that state are its inputs, so that the way back stands in the provenance. A
turn that did not end well is done once more under its number, which with unchanged settings takes
the same way to the same bits, its labels looked up. With changed settings it would go another way:
then the labels it had made or asked for join the training set instead, and the next turn follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiida import orm

from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.ports import MEMBERS, PREDECESSOR, RESTARTS, held_out_name
from aiida_alpot.workflows.records import LEDGERS

BUDGET_SPENT, TURNS_USED, STOPPED = 501, 502, 504
REFITTED = ("potential", "fit", "species")
"""Sections of the settings after whose change a potential is fitted before anything is sampled."""

_NAMESPACES = (
    *("training", "test", "ledgers", "records", "unlabelled"),
    *(MEMBERS.port, RESTARTS.port),
)
_TAKEN = ("increment", "held_out", "record", OUTSTANDING, *LEDGERS)


@dataclass
class CampaignState:
    """What a campaign has come to, as nodes.

    Parameters
    ----------
    turn : int
        Number of its last turn.
    potential, active_set : node or None
        Of that turn; None where no potential was fitted yet.
    initial_potential, initial_active_set : node or None
        Those of the start alone.
    committee, training, test, ledgers, records : dict of nodes
        As the campaign keeps them.
    outstanding : node or None
        Whose labels were on their way when the last turn closed.
    unlabelled : dict of ConfigurationsData
        What a turn that was lost had selected, and whose labels were not brought together.
    restarts : dict of ConfigurationsData
        Where chains go on that the last turn stopped, by the names of their jobs.
    is_fitted : bool
        Whether the potential was fitted to all of ``training``.
    """

    turn: int = 0
    potential: PotentialData | None = None
    active_set: ActiveSetData | None = None
    initial_potential: PotentialData | None = None
    initial_active_set: ActiveSetData | None = None
    committee: dict[str, PotentialData] = field(default_factory=dict)
    training: dict[str, ConfigurationsData] = field(default_factory=dict)
    test: dict[str, ConfigurationsData] = field(default_factory=dict)
    ledgers: dict[str, orm.Dict] = field(default_factory=dict)
    records: dict[str, orm.Dict] = field(default_factory=dict)
    outstanding: ConfigurationsData | None = None
    unlabelled: dict[str, ConfigurationsData] = field(default_factory=dict)
    restarts: dict[str, ConfigurationsData] = field(default_factory=dict)
    is_fitted: bool = True

    def as_inputs(self, *, refit: bool = False) -> dict[str, Any]:
        """Return the inputs ``predecessor`` of the successor."""
        inputs = {
            "turn": orm.Int(self.turn),
            "refit": orm.Bool(refit or not self.is_fitted or bool(self.unlabelled)),
        }
        for name in (
            "potential",
            "active_set",
            "initial_potential",
            "initial_active_set",
            OUTSTANDING,
        ):
            if getattr(self, name) is not None:
                inputs[name] = getattr(self, name)
        for name in _NAMESPACES:
            inputs[name] = dict(getattr(self, name))
        return inputs


def read_state(campaign: orm.WorkChainNode, *, keep_unfinished: bool = False) -> CampaignState:
    """Return what a campaign has come to, however it ended.

    Parameters
    ----------
    campaign : WorkChainNode
        A process that has ended.
    keep_unfinished : bool
        Take over the labels of a turn that did not end well, in place of leaving the turn to be
        done once more.
    """
    state = _state_given(campaign)
    steps = called_by_link(campaign)
    for link, step in steps.items():
        if link.startswith("label_"):
            _take_first_labels(state, link.removeprefix("label_"), step)
        elif link.startswith("record_") and "result" in step.outputs:
            state.records[f"turn_{link.removeprefix('record_')}"] = step.outputs.result
        elif link.startswith("fit_") and step.is_finished_ok:
            _take_potential(state, step.outputs)
    if "turn_000" in steps:
        _take_turn(state, 0, steps["turn_000"], keep_unfinished=keep_unfinished)
    if "learn" in steps:
        for link, turn in sorted(called_by_link(steps["learn"]).items()):
            if link.startswith("turn_"):
                number = int(link.removeprefix("turn_"))
                _take_turn(state, number, turn, keep_unfinished=keep_unfinished)
    return state


def called_by_link(process: orm.ProcessNode) -> dict[str, orm.ProcessNode]:
    """Return the processes that a process called, by the names of the links, in their order."""
    links = process.base.links.get_outgoing(node_class=orm.ProcessNode).all()
    return {link.link_label: link.node for link in sorted(links, key=lambda link: link.node.pk)}


def _state_given(campaign: orm.WorkChainNode) -> CampaignState:
    """Return the state that a campaign was given by its own predecessor."""
    if PREDECESSOR not in campaign.inputs:
        return CampaignState()
    given = campaign.inputs[PREDECESSOR]
    state = CampaignState(turn=given.turn.value, is_fitted=not given.refit.value)
    for name in ("potential", "active_set", "initial_potential", "initial_active_set", OUTSTANDING):
        if name in given:
            setattr(state, name, given[name])
    for name in _NAMESPACES:
        if name in given:
            setattr(state, name, dict(given[name].items()))
    return state


def _take_first_labels(state: CampaignState, name: str, step: orm.ProcessNode) -> None:
    if "ledger" in step.outputs:
        state.ledgers[name] = step.outputs.ledger
    if not step.is_finished_ok:
        return
    labelled = step.outputs.labelled
    if name.startswith("test_"):
        state.test[name.removeprefix("test_")] = labelled
        return
    state.unlabelled.pop(name, None)
    state.training["turn_000" if name == "start" else name] = labelled
    state.is_fitted = False


def _take_potential(state: CampaignState, outputs: Any) -> None:
    state.potential, state.active_set = outputs.potential, outputs.active_set
    state.committee = MEMBERS.of(outputs)
    state.is_fitted = True
    if state.initial_potential is None:
        state.initial_potential, state.initial_active_set = state.potential, state.active_set


def _take_turn(
    state: CampaignState, number: int, turn: orm.WorkChainNode, *, keep_unfinished: bool
) -> None:
    ended_well = turn.is_finished_ok and "potential" in turn.outputs
    if not ended_well and not keep_unfinished:
        return
    steps = called_by_link(turn)
    found = {
        **_outputs_of(steps.get("label"), {"labelled": "increment", "ledger": "ledger"}),
        **_outputs_of(
            steps.get("label_held_out"), {"labelled": "held_out", "ledger": "ledger_held_out"}
        ),
        **_outputs_of(turn, {name: name for name in _TAKEN}),
    }
    has_labels = "increment" in found or "label" in steps
    if not ended_well and not has_labels:
        return
    state.turn = number
    for name in LEDGERS:
        if name in found:
            state.ledgers[name.replace("ledger", f"turn_{number:03d}")] = found[name]
    if "increment" in found and found["increment"].n_configurations:
        key = f"turn_{number:03d}"
        key = f"{key}_explored" if key in state.training else key
        state.training[key] = found["increment"]
        state.is_fitted = False
    elif not ended_well:
        state.unlabelled[f"turn_{number:03d}"] = steps["label"].inputs.configurations
    if "held_out" in found and found["held_out"].n_configurations:
        state.test[held_out_name(number)] = found["held_out"]
    if "record" in found:
        state.records[f"turn_{number:03d}"] = found["record"]
    state.outstanding = found.get(OUTSTANDING)
    state.restarts = RESTARTS.of(turn.outputs)
    if ended_well:
        _take_potential(state, turn.outputs)


def _outputs_of(process: orm.ProcessNode | None, names: Mapping[str, str]) -> dict[str, Any]:
    if process is None:
        return {}
    return {new: process.outputs[name] for name, new in names.items() if name in process.outputs}


def successor_builder(
    campaign: orm.WorkChainNode,
    *,
    settings: Mapping[str, Any] | None = None,
    amendment: Mapping[str, Any] | None = None,
    state: CampaignState | None = None,
    **replaced: Any,
) -> Any:
    """Return the inputs of a campaign that goes on from ``campaign``, nothing of it stored.

    Parameters
    ----------
    campaign : WorkChainNode
        A campaign that has ended.
    settings : mapping, optional
        New settings; those of the predecessor if absent.
    amendment : mapping, optional
        What was changed, for the provenance.
    state : CampaignState, optional
        From which the successor goes on; read from ``campaign`` if absent.
    **replaced : nodes
        Inputs of the campaign that take the place of the predecessor's. ``start`` and ``test`` are
        sets that are new: what the predecessor had been given it has labelled.
    """
    from aiida_alpot.workflows.campaign import CampaignWorkChain

    state = read_state(campaign, keep_unfinished=settings is not None) if state is None else state
    builder = CampaignWorkChain.get_builder()
    before = campaign.inputs.settings.get_dict()
    builder.settings = (
        orm.Dict(dict(settings)) if settings is not None else campaign.inputs.settings
    )
    for name in ("structures", "validation_structures", "codes", "options", "files"):
        if name in campaign.inputs:
            given = campaign.inputs[name]
            builder[name] = given if isinstance(given, orm.Node) else dict(given.items())
    goes_on = state.potential is not None
    kept = _sets_to_label(campaign, state) if goes_on else _sets_given(campaign)
    if "start" in kept and "start" in replaced and goes_on:
        state.unlabelled[f"given_{state.turn:03d}"] = kept["start"]
    kept["test"] = {**kept.get("test", {}), **replaced.pop("test", {})}
    if settings is not None and explores_anew(before, settings, campaign.inputs, replaced):
        state.restarts = {}
    for name, node in {**kept, **replaced}.items():
        builder[name] = node
    if goes_on:
        after = before if settings is None else settings
        builder[PREDECESSOR] = state.as_inputs(refit=needs_fit(before, after))
    if amendment is not None:
        builder.amendment = orm.Dict(dict(amendment))
    builder.metadata.label = campaign.label
    return builder


def _sets_given(campaign: orm.WorkChainNode) -> dict[str, Any]:
    """Return all sets that a campaign began with, for one that begins anew."""
    inputs = campaign.inputs
    given = {name: inputs[name] for name in ("start", "initial") if name in inputs}
    return {**given, "test": dict(inputs.test.items()) if "test" in inputs else {}}


def _sets_to_label(campaign: orm.WorkChainNode, state: CampaignState) -> dict[str, Any]:
    """Return the sets that a campaign was given and that have no labels yet."""
    given = _sets_given(campaign)
    steps = called_by_link(campaign)
    kept: dict[str, Any] = {
        "test": {name: node for name, node in given["test"].items() if name not in state.test}
    }
    labelled = any(
        link.startswith(("label_start", "label_added")) and step.is_finished_ok
        for link, step in steps.items()
    )
    if "start" in given and not labelled:
        kept["start"] = given["start"]
    return kept


def explores_anew(
    before: Mapping[str, Any], after: Mapping[str, Any], given: Any, replaced: Mapping[str, Any]
) -> bool:
    """Return whether samplers or their starts are others, so that every chain begins at its own."""
    structures = replaced.get("structures", given["structures"])
    has_moved = structures.content != given["structures"].content
    return bool(before["explore"] != after["explore"] or has_moved)


def needs_fit(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether the change of settings asks for another potential before the next turn.

    A change of the level, the form or the fit does, and one of what is made with each fit: the kind
    of the active set, and the committee that grades.
    """
    keys = ("mode", "method", "grader")
    grades = [{key: one["grades"].get(key) for key in keys} for one in (before, after)]
    changed = any(before.get(name) != after.get(name) for name in REFITTED)
    return bool(changed or grades[0] != grades[1])
