# SPDX-License-Identifier: MIT
"""Where labels come from: sets that jobs left, that were found, or that were gathered of others.

A source is an input of a calcfunction, known by its link: a prefix that says what it is, and a
number. What is told of a gathered set stands under its link behind :data:`TOLD`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from aiida import orm

from aiida_alpot.configurations import Configurations

FOUND, LABELS, RESULT = "found_", "labels_", "result_"
TOLD = "told_"


class LabelSource(NamedTuple):
    """A set that holds the label wanted, the place of it there, and where the set came from."""

    configurations: Configurations
    place: int
    link: str
    node: str


def numbered(prefix: str, number: int) -> str:
    """Return the link of a source."""
    return f"{prefix}{number:05d}"


def index_sources(sources: Mapping[str, orm.Data]) -> dict[str, LabelSource]:
    """Return the source of each label by its hash; what was found goes before what is new."""
    index: dict[str, LabelSource] = {}
    for link in sorted(sources):
        if not link.startswith((FOUND, LABELS)):
            continue
        node = sources[link]
        complete = set(node.label_hashes)
        configurations = node.get_configurations()
        told = sources.get(f"{TOLD}{link}")
        makers = {} if told is None else told.get_dict()["makers"]
        maker = "" if told is not None else _maker_of(node)
        for place, one in enumerate(configurations.hashes()):
            if one in complete:
                source = LabelSource(configurations, place, link, makers.get(one, maker))
                index.setdefault(one, source)
    return index


def attempts_in(record: Mapping[str, Any], sources: Mapping[str, orm.Data]) -> list[dict[str, Any]]:
    """Return the attempts of a record and of all gathered sets, in the order of submission."""
    attempts = [dict(one) for one in record["attempts"]]
    for told in _told_in(sources):
        attempts += told["attempts"]
    return sorted(attempts, key=lambda attempt: attempt["number"])


def verdicts_in(sources: Mapping[str, orm.Data]) -> dict[str, list[dict[str, Any]]]:
    """Return the verdicts of the attempts by their number, as JSON has it."""
    verdicts: dict[str, list[dict[str, Any]]] = {}
    for link, node in sources.items():
        if link.startswith(RESULT):
            number = str(int(link.removeprefix(RESULT)))
            verdicts[number] = node.get_dict().get("verdicts", [])
    for told in _told_in(sources):
        verdicts |= told["verdicts"]
    return verdicts


def _told_in(sources: Mapping[str, orm.Data]) -> list[dict[str, Any]]:
    return [sources[link].get_dict() for link in sorted(sources) if link.startswith(TOLD)]


def _maker_of(node: orm.Data) -> str:
    """Return the job that a labelled set comes from, the set itself where no process made it."""
    creator = node.creator
    if creator is None:
        return str(node.uuid)
    if isinstance(creator, orm.CalcFunctionNode):  # which read the outputs of a job
        inputs = creator.base.links.get_incoming(node_class=orm.Data).all_nodes()
        jobs = [one.creator for one in inputs if isinstance(one.creator, orm.CalcJobNode)]
        creator = max(jobs, key=lambda job: job.pk, default=creator)
    return str(creator.uuid)
