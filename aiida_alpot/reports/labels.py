# SPDX-License-Identifier: MIT
"""Labels by where they came from: sampler, start, turn, temperature.

The temperature of a frame is the target of the thermostat at its step, from the settings of the job
that sampled it; that job is found through the provenance of the training set.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.ase_structures import sampler_of_frame
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.reports.ancestry import ancestors, trace_parents
from aiida_alpot.reports.provenance import (
    TrainingConfiguration,
    training_configurations,
    training_sets,
)
from aiida_alpot.workflows.query_parts import in_parts

SAMPLE = "aiida.calculations:alpot.sample"


@dataclass(frozen=True)
class SamplerRun:
    """A job that sampled, and with which settings."""

    uuid: str
    name: str
    turn: int
    settings: Mapping[str, Any]

    def temperature(self, step: int) -> float | None:
        """Return the target of the thermostat at a step in K, None where there is none."""
        given = self.settings.get("temperature_K")
        if given is None:
            return None
        first, last = given if isinstance(given, (list, tuple)) else (given, given)
        steps = max(int(self.settings.get("steps", 1)), 1)
        return float(first + (last - first) * min(step / steps, 1.0))


@dataclass(frozen=True)
class LabelFilter:
    """Which labels are asked for; None and empty fields take all.

    Parameters
    ----------
    turns : tuple of int
        -1 is what was given from outside.
    samplers, starts, statuses : tuple of str
        Names of samplers and starts; "labelled", "looked_up" or "given".
    temperature : (float, float) or None
        Range in K, both ends included.
    """

    turns: tuple[int, ...] = ()
    samplers: tuple[str, ...] = ()
    starts: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    temperature: tuple[float, float] | None = None

    def takes(self, one: TrainingConfiguration, temperature: float | None) -> bool:
        """Return whether a label is one of those asked for."""
        wanted = (
            (self.turns, one.turn),
            (self.samplers, sampler_of_frame(one.sampler)),
            (self.starts, one.chain),
            (self.statuses, one.label_status),
        )
        if any(allowed and value not in allowed for allowed, value in wanted):
            return False
        if self.temperature is None:
            return True
        low, high = self.temperature
        return temperature is not None and low <= temperature <= high


@dataclass(frozen=True)
class OriginOfLabel:
    """A training configuration with the job that sampled it and the temperature there."""

    configuration: TrainingConfiguration
    kind: str
    temperature: float | None
    sample_job: str


def labels_of(potential: Any, wanted: LabelFilter | None = None) -> list[OriginOfLabel]:
    """Return the labels that a potential was trained on, those that a filter takes.

    Raises
    ------
    ServiceError
        If the potential was not fitted in this profile.
    """
    wanted = wanted or LabelFilter()
    configurations = training_configurations(potential)
    runs = sampler_runs({one.training_set for one in configurations})
    found = []
    for one in configurations:
        run = runs.get((one.training_set, one.turn, sampler_of_frame(one.sampler)))
        temperature = None if run is None else run.temperature(one.step)
        if wanted.takes(one, temperature):
            kind = "" if run is None else str(run.settings.get("kind", ""))
            found.append(OriginOfLabel(one, kind, temperature, "" if run is None else run.uuid))
    return found


def sampler_runs(training_sets: Iterable[str]) -> dict[tuple[str, int, str], SamplerRun]:
    """Return the jobs that sampled for training sets, by UUID of the set, turn and sampler.

    A sampler that ran as several jobs had the same settings in all of them; the first is taken.
    """
    from aiida import orm

    from aiida_alpot.data import ConfigurationsData

    query = orm.QueryBuilder()
    query.append(
        ConfigurationsData,
        filters={"uuid": {"in": sorted(training_sets)}},
        project=["id", "uuid"],
    )
    sets = dict(query.all())
    parents = trace_parents(sets)
    runs = _sampler_runs_among({one for made_of in parents.values() for one in made_of})
    found: dict[tuple[str, int, str], SamplerRun] = {}
    for number, uuid in sets.items():
        made_of = ancestors(number, parents)
        for job, run in runs.items():
            if job in made_of:
                found.setdefault((uuid, run.turn, run.name), run)
    return found


def _sampler_runs_among(nodes: Collection[int]) -> dict[int, SamplerRun]:
    """Return the jobs of samplers among some nodes by their PKs, in their order.

    The nodes alone are looked at: a filter by the name of the link would lead SQLite through all
    links of that name in the profile.
    """
    from aiida import orm

    found: dict[int, SamplerRun] = {}
    for some in in_parts(sorted(nodes)):
        query = orm.QueryBuilder()
        query.append(
            orm.CalcJobNode,
            filters={"id": {"in": some}, "process_type": SAMPLE},
            project=["id", "uuid"],
            tag="sample",
        )
        query.append(
            orm.Dict,
            with_outgoing="sample",
            edge_project="label",
            project=["attributes.name", "attributes.turn", "attributes.sampler"],
        )
        query.order_by({"sample": {"id": "asc"}})
        for number, uuid, name, turn, settings, link in query.iterall():
            if link == "settings":
                found[number] = SamplerRun(uuid, name, turn, settings or {})
    return found


def configurations_of_labels(potential: Any, labels: Iterable[OriginOfLabel]) -> Configurations:
    """Return the configurations of some labels with their energies and forces."""
    keys = {(one.configuration.training_set, one.configuration.key) for one in labels}
    chosen = []
    for _, node in training_sets(potential.creator):
        configurations = node.get_configurations()
        places = [
            place for place, key in enumerate(configurations.hashes()) if (node.uuid, key) in keys
        ]
        chosen.append(configurations.select(places))
    return concatenate(chosen)


def parse_range(text: str) -> tuple[float, float]:
    """Return the ends of a range such as ``300``, ``300:600``, ``:600`` or ``600:``.

    Raises
    ------
    ValueError
        If it is none.
    """
    low, colon, high = text.partition(":")
    first = float(low) if low.strip() else -math.inf
    last = (float(high) if high.strip() else math.inf) if colon else first
    if not first <= last:
        raise ValueError(f"{text!r} is no range")
    return first, last
