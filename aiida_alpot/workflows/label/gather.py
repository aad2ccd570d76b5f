# SPDX-License-Identifier: MIT
"""Labels of many jobs gathered in a tree, since AiiDA's cost of a process is not linear.

For each link to a process AiiDA compares its source with those of all links before, content by
content where they are dictionaries, so that 400 inputs cost sixteen times what 100 do. So the
labels of a few jobs are gathered in one set, with the jobs that made them, as soon as they have
ended; such sets are gathered again where they are many. Whatever the tree is like, each label and
each verdict keeps the job that it came from. It keeps the checkpoints of the WorkChain small, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from aiida import orm
from aiida.engine import calcfunction

from aiida_alpot.configurations import concatenate
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.label.sources import (
    FOUND,
    TOLD,
    attempts_in,
    index_sources,
    numbered,
    verdicts_in,
)
from aiida_alpot.workflows.restate import is_forced, mark_forced

MOST_JOBS = 25
"""Jobs whose labels one node gathers: each has two outputs, the labels and the verdicts."""
MOST_SETS = 2 * MOST_JOBS
GATHERED = "g"
"""Stands before the number of a gathered set, so that no job has the same link."""
Item = TypeVar("Item")


@calcfunction
def gather_labels(record: orm.Dict, **sources: orm.Data) -> dict[str, orm.Data]:
    """Return the labels of some jobs as one set, and what is to be told of each.

    Parameters
    ----------
    record : Dict
        ``{"attempts": [...]}`` as in :func:`.collect.collect_labels`, each with its ``number``;
        ``wanted``, the hashes of the labels to be taken, all where it is missing.
    **sources : ConfigurationsData or Dict
        As in :func:`.collect.collect_labels`.

    Returns
    -------
    dict
        ``labelled``, each configuration once, if there is any label; and ``told``:
        ``{"attempts": [...], "verdicts": {number: [...]}, "makers": {hash: node}}``.
    """
    content = record.get_dict()
    index = index_sources(sources)
    if "wanted" in content:
        index = {one: index[one] for one in content["wanted"] if one in index}
    told = {
        "attempts": attempts_in(content, sources),
        "verdicts": verdicts_in(sources),
        "makers": {one: source.node for one, source in index.items()},
    }
    gathered: dict[str, orm.Data] = {"told": orm.Dict(told)}
    places: dict[str, list[int]] = {}
    for source in index.values():
        places.setdefault(source.link, []).append(source.place)
    sets = {source.link: source.configurations for source in index.values()}
    parts = [sets[link].select(np.array(chosen)) for link, chosen in places.items()]
    if parts:
        gathered["labelled"] = ConfigurationsData.from_configurations(concatenate(parts))
    return gathered


def gather(
    link: str, number: int, record: Mapping[str, Any], sources: Mapping[str, orm.Data]
) -> dict[str, str]:
    """Gather some sources; return the UUIDs of what came of it, by the links that they are for.

    Parameters
    ----------
    link : str
        :data:`.sources.FOUND` where the labels were there already, else :data:`.sources.LABELS`.
    number : int
        Of the gathered set among those of its kind.
    record : mapping
        See :func:`gather_labels`.
    sources : mapping of Data
        By their links.
    """
    name = numbered(f"{link}{GATHERED}", number)
    gathered = gather_labels(
        orm.Dict(dict(record)), metadata={"call_link_label": f"gather_{name}"}, **sources
    )
    nodes = {f"{TOLD}{name}": str(gathered["told"].uuid)}
    if "labelled" in gathered:
        if any(is_forced(node) for node in sources.values()):
            mark_forced(gathered["labelled"])
        nodes[name] = str(gathered["labelled"].uuid)
    return nodes


def gather_found(found: Mapping[str, str], *, link: str = FOUND) -> dict[str, str]:
    """Return links and UUIDs of the sets in which labels were found, gathered if they are many.

    Parameters
    ----------
    found : mapping of str
        UUID of the set by the hash of the configuration.
    link : str
        :data:`.sources.FOUND`, or what begins with it.
    """
    uuids = list(dict.fromkeys(found.values()))
    links = {numbered(link, number): uuid for number, uuid in enumerate(uuids)}
    if len(links) <= MOST_SETS:
        return links
    gathered: dict[str, str] = {}
    for number, some in enumerate(_parts(list(links.items()), MOST_SETS)):
        chosen = {uuid for _, uuid in some}
        wanted = [one for one, uuid in found.items() if uuid in chosen]
        sources = {name: orm.load_node(uuid) for name, uuid in some}
        gathered |= gather(link, number, {"attempts": [], "wanted": wanted}, sources)
    return gather_again(link, gathered)


def gather_again(link: str, gathered: Mapping[str, str]) -> dict[str, str]:
    """Return gathered sets, with what is told of them, gathered until there are few enough.

    Parameters
    ----------
    link : str
        :data:`.sources.FOUND` or :data:`.sources.LABELS`.
    gathered : mapping of str
        UUIDs by links, as :func:`gather` returned them.
    """
    groups = _by_number(gathered)
    number = len(groups)
    while len(groups) > MOST_JOBS:
        parts = list(_parts(groups, MOST_JOBS))
        groups = []
        for part in parts:
            uuids = {name: uuid for group in part for name, uuid in group.items()}
            nodes = {name: orm.load_node(uuid) for name, uuid in uuids.items()}
            groups.append(gather(link, number, {"attempts": []}, nodes))
            number += 1
    return {name: uuid for group in groups for name, uuid in group.items()}


def _by_number(gathered: Mapping[str, str]) -> list[dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    for name, uuid in gathered.items():
        groups.setdefault(name.rpartition("_")[2], {})[name] = uuid
    return list(groups.values())


def _parts(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    for first in range(0, len(items), most):
        yield items[first : first + most]
