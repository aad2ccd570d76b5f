# SPDX-License-Identifier: MIT
"""Which campaigns used a POTCAR file of VASP: by its hash, its name, or its family.

The level of theory of a campaign records the SHA-512 of the POTCAR of each species, its settings
name the family and the files. Where that is not so, as for labels of other processes, the
PotcarData that went into their calculations answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.reports.campaigns import all_campaigns, campaign_name, is_campaign

LEVEL, CALCULATIONS = "level of theory", "calculations"
_HASH = "sha512:"
POTCAR = "data.vasp.potcar.PotcarData."


@dataclass(frozen=True)
class PotcarUse:
    """A campaign that used a POTCAR.

    ``found_in`` is "level of theory" or "calculations".
    """

    campaign: str
    uuid: str
    pk: int
    species: str
    symbol: str
    hash: str
    found_in: str


def campaigns_with_potcar(wanted: str) -> list[PotcarUse]:
    """Return the campaigns that used a POTCAR, the latest first.

    Parameters
    ----------
    wanted : str
        The start of its hash (8 digits or more), its name such as ``Cu_pv``, or its family.
    """
    found = [
        PotcarUse(campaign_name(node), node.uuid, node.pk, species, symbol, digest, LEVEL)
        for node in all_campaigns()
        for species, symbol, digest, family in _of_label_section(
            node.inputs.settings.get_dict()["label"]
        )
        if _is_wanted(wanted, symbol, digest, family)
    ]
    known = {use.uuid for use in found}
    found += [use for use in _by_calculations(wanted) if use.uuid not in known]
    return found


def _is_wanted(wanted: str, symbol: str, digest: str, family: str) -> bool:
    is_hash = len(wanted) >= _SHORTEST_HASH and digest.startswith(wanted.lower())
    return is_hash or wanted in (symbol, family)


_SHORTEST_HASH = 8


def _of_label_section(label: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return species, name, hash and family of each POTCAR that a campaign labels with."""
    try:
        level = json.loads(label.get("level_of_theory") or "{}")
    except ValueError:
        return []
    settings = level.get("settings", {}) if isinstance(level, dict) else {}
    potentials = settings.get("potentials") if isinstance(settings, dict) else None
    if not isinstance(potentials, dict):
        return []
    asked = (label.get("calculator") or {}).get("settings") or {}
    mapping = asked.get("mapping") or {}
    return [
        (species, str(mapping.get(species, species)), digest, str(asked.get("family", "")))
        for species, value in sorted(potentials.items())
        if (digest := str(value).removeprefix(_HASH)) != str(value)
    ]


def _by_calculations(wanted: str) -> list[PotcarUse]:
    """Return the campaigns whose calculations took such a POTCAR as an input."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(orm.Data, filters={"node_type": POTCAR}, tag="potcar", project="*")
    query.append(orm.CalcJobNode, with_incoming="potcar", project="*")
    found: dict[str, PotcarUse] = {}
    for potcar, job in query.all():
        attributes = potcar.base.attributes.all
        symbol, digest = str(attributes.get("symbol", "")), str(attributes.get("sha512", ""))
        family = "" if not _is_in_group(potcar, wanted) else wanted
        campaign = campaign_of(job)
        if campaign is not None and _is_wanted(wanted, symbol, digest, family):
            found[campaign.uuid] = PotcarUse(
                campaign_name(campaign),
                campaign.uuid,
                campaign.pk,
                str(attributes.get("element", "")),
                symbol,
                digest,
                CALCULATIONS,
            )
    return sorted(found.values(), key=lambda use: -use.pk)


def _is_in_group(node: Any, label: str) -> bool:
    from aiida import orm

    query = orm.QueryBuilder().append(orm.Group, filters={"label": label}, tag="family")
    query.append(orm.Node, with_group="family", filters={"uuid": node.uuid})
    return bool(query.count())


def campaign_of(process: Any) -> Any | None:
    """Return the campaign that a process belongs to, the process itself if it is one; else None."""
    while process is not None:
        if is_campaign(process):
            return process
        process = process.caller
    return None
