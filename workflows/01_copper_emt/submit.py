# SPDX-License-Identifier: MIT
"""The same campaign through AiiDA's own command: ``verdi run workflows/01_copper_emt/submit.py``.

Submits the campaign of this folder to the daemon of the profile that ``verdi`` has loaded. With
``--watch`` it stays until the campaign has ended, as ``alpot run`` does.
"""

import sys
from pathlib import Path

from aiida.manage import get_manager

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli.launch import submit_campaign
from aiida_alpot.cli.outcome import exit_status_of, tell_outcome
from aiida_alpot.cli.watching import watch_campaign
from aiida_alpot.errors import AlpotError


def main() -> int:
    """Submit the campaign; return the exit status."""
    try:
        # verdi puts the path of a script into its arguments, and only the name into __file__
        campaign = load_campaign(Path(sys.argv[0]).with_name("campaign.yaml"))
        node = submit_campaign(campaign)
    except AlpotError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_status
    print(f"Submitted as PK {node.pk}. Follow it: alpot watch {node.pk}")
    if "--watch" not in sys.argv[1:]:
        return 0
    if watch_campaign(node, get_manager().get_profile()) is None:
        return 130
    tell_outcome(node)
    return exit_status_of(node)


if __name__ == "__main__":
    sys.exit(main())
