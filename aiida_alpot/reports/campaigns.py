# SPDX-License-Identifier: MIT
"""The campaigns of a profile: found by name, PK or UUID."""

from __future__ import annotations

from typing import Any

from aiida_alpot.errors import ServiceError, SettingError


def find_campaign(identifier: str | None = None) -> Any:
    """Return the process of a campaign: by name, PK or UUID, or the one submitted last.

    Raises
    ------
    ServiceError
        If there is none.
    SettingError
        If the identifier belongs to something else.
    """
    from aiida import orm
    from aiida.common import exceptions

    if identifier is None:
        return _latest(None)
    named = _latest(identifier, required=False)
    if named is not None:
        return named
    try:
        node = orm.load_node(identifier)
    except exceptions.MultipleObjectsError as error:
        raise SettingError(f"'{identifier}' fits several nodes. Give more of the UUID.") from error
    except (exceptions.NotExistent, ValueError) as error:
        raise ServiceError(
            f"There is no campaign '{identifier}'. 'alpot status --all' lists those there are."
        ) from error
    if not is_campaign(node):
        raise SettingError(
            f"'{identifier}' is a {node.__class__.__name__}, not a campaign. 'alpot status --all' "
            "lists the campaigns."
        )
    return node


def all_campaigns() -> list[Any]:
    """Return the processes of all campaigns, the latest first."""
    from aiida import orm

    builder = orm.QueryBuilder().append(
        orm.WorkChainNode, filters={"process_type": "aiida.workflows:alpot.campaign"}, tag="node"
    )
    builder.order_by({"node": {"id": "desc"}})
    return list(builder.all(flat=True))


def is_campaign(node: Any) -> bool:
    """Return whether a node is the process of a campaign."""
    return getattr(node, "process_type", None) == "aiida.workflows:alpot.campaign"


def campaign_name(node: Any) -> str:
    """Return the name of a campaign."""
    return str(node.inputs.settings.get_dict().get("name", "?"))


def _latest(name: str | None, *, required: bool = True) -> Any:
    for node in all_campaigns():
        if name is None or campaign_name(node) == name:
            return node
    if required:
        raise ServiceError(
            "There is no campaign in this profile. Submit one with 'alpot run campaign.yaml'."
        )
    return None
