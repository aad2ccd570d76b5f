# SPDX-License-Identifier: MIT
"""Look up labels that are there already, so that none is paid for twice.

The key of a label is the hash of the configuration together with its level of theory; computer,
resources, batch and campaign do not enter. Every stored :class:`ConfigurationsData` of the
profile is searched, imported ones too, but for those whose labels were forced to another level
(:mod:`aiida_alpot.workflows.restate`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from aiida import orm

from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.restate import FORCED, is_forced


def known_labels(level_of_theory: str, *, since: datetime | None = None) -> dict[str, str]:
    """Return where each label of one level of theory lies: hash of the configuration -> node UUID.

    Of several nodes that hold a label the oldest is taken, which is the one that the job left
    or the user gave, so that the answer stays the same while copies are made.

    Parameters
    ----------
    level_of_theory : str
        Of the labels; of none nothing is known.
    since : datetime, optional
        Only sets that were made later are searched.
    """
    if not level_of_theory:
        return {}
    filters: dict[str, Any] = {
        "attributes.level_of_theory": level_of_theory,
        "attributes.n_labelled": {">": 0},
        "extras": {"!has_key": FORCED},
    }
    if since is not None:
        filters["ctime"] = {">": since}
    query = orm.QueryBuilder()
    query.append(
        ConfigurationsData,
        filters=filters,
        project=["uuid", "attributes.label_hashes"],
        tag="labelled",
    )
    query.order_by({"labelled": [{"ctime": "asc"}, {"id": "asc"}]})
    found: dict[str, str] = {}
    for uuid, hashes in query.iterall():
        for one in hashes:
            found.setdefault(one, uuid)
    return found


def find_labels(
    hashes: Iterable[str],
    level_of_theory: str,
    *,
    given: ConfigurationsData | None = None,
    elsewhere: bool = True,
) -> dict[str, str]:
    """Return the node UUIDs of those configurations, by hash, that have a label already.

    Parameters
    ----------
    hashes : iterable of str
        Of the configurations.
    level_of_theory : str
        Of the labels.
    given : ConfigurationsData, optional
        The set that is to be labelled, whose own labels count where no other set has them.
    elsewhere : bool
        Whether other sets are searched.
    """
    known = known_labels(level_of_theory) if elsewhere else {}
    if given is not None and given.level_of_theory == level_of_theory:
        own = dict.fromkeys(given.label_hashes, str(given.uuid))
        known = {**known, **own} if is_forced(given) else {**own, **known}
    return {one: known[one] for one in hashes if one in known}
