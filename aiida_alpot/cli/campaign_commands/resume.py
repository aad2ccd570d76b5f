# SPDX-License-Identifier: MIT
"""``alpot resume``: play what an outage paused, or go on with a campaign that ended."""

from __future__ import annotations

from typing import Any

import click

from aiida_alpot.cli.campaign_commands.options import campaign_argument
from aiida_alpot.cli.profile import profile_option
from aiida_alpot.errors import BudgetError, ServiceError, SettingError

REFUSED = range(200, 300)


@click.command("resume")
@campaign_argument
@click.option("--labels", type=click.IntRange(min=1), help="New budget of labels, in all.")
@click.option("--turns", type=click.IntRange(min=1), help="New number of turns, in all.")
@profile_option
def command(
    *, campaign: str | None, labels: int | None, turns: int | None, profile: str | None
) -> None:
    """Go on with CAMPAIGN; the last one if none is given.

    Processes that an outage paused are played. A campaign that was stopped, killed, failed or
    spent its budget is followed by another one that goes on from its last turn, with all labels,
    which count in the budget.
    """
    from aiida_alpot.cli.profile import open_profile, require_daemon
    from aiida_alpot.cli.successors import submit_successor
    from aiida_alpot.reports.campaigns import campaign_name, find_campaign
    from aiida_alpot.reports.paused import describe_paused, paused_processes
    from aiida_alpot.reports.successors import successor_of

    opened = open_profile(profile)
    node = find_campaign(campaign)
    name = f"{campaign_name(node)} (PK {node.pk})"
    if not node.is_terminated:
        paused = paused_processes(node)
        if not paused:
            raise ServiceError(
                f"{name} is running and nothing of it is paused. 'alpot watch {node.pk}' follows "
                f"it, 'alpot amend {node.pk} changes.yaml --stop' changes it."
            )
        require_daemon(opened)
        click.echo(f"{describe_paused(paused)}.")
        played = play(paused)
        click.echo(f"{played} played; {name} goes on.")
        if played < len(paused):
            raise ServiceError(
                f"{len(paused) - played} did not answer. Restart the daemon, 'verdi -p "
                f"{opened.name} daemon restart', then call 'alpot resume {node.pk}' again."
            )
        return
    later = successor_of(node)
    if later is not None:
        raise ServiceError(
            f"{name} goes on already as PK {later.pk}. Resume that one: 'alpot resume {later.pk}'."
        )
    budget = {key: one for key, one in (("labels", labels), ("turns", turns)) if one is not None}
    require_more(node, budget)
    successor = submit_successor(node, budget=budget)
    click.echo(
        f"{campaign_name(node)} goes on from PK {node.pk} as PK {successor.pk}. Follow it: alpot "
        f"watch {successor.pk}"
    )


def play(paused: list[Any]) -> int:
    """Play paused processes through the daemon; return how many now run."""
    from aiida_alpot.cli.playing import play_patiently

    return len(paused) - len(play_patiently(paused))


def require_more(node: Any, budget: dict[str, int]) -> None:
    """Raise where going on would end at once.

    Raises
    ------
    SettingError
        If the campaign converged, or its settings were refused.
    BudgetError
        If what it ended for is not raised.
    """
    status = node.exit_status if node.is_finished else None
    settings = node.inputs.settings.get_dict()["budget"]
    if status == 0:
        raise SettingError(
            f"PK {node.pk} has converged. To go on with stricter settings: 'alpot amend {node.pk} "
            "changes.yaml'."
        )
    if status in REFUSED:
        raise SettingError(
            f"PK {node.pk} was refused: {node.exit_message}. Change what is named: 'alpot amend "
            f"{node.pk} changes.yaml'."
        )
    for limit, spent in (("labels", 501), ("turns", 502)):
        if status == spent and budget.get(limit, 0) <= settings[limit]:
            raise BudgetError(
                f"PK {node.pk} has spent its {settings[limit]} {limit}. Give more: 'alpot resume "
                f"{node.pk} --{limit} {2 * settings[limit]}'."
            )
    if status is not None and status >= 500 and status not in (501, 502, 504):
        raise SettingError(
            f"PK {node.pk} ended for a reason that stays: {node.exit_message}. Change its settings:"
            f" 'alpot amend {node.pk} changes.yaml'."
        )
