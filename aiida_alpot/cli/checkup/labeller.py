# SPDX-License-Identifier: MIT
"""The labeller of a campaign: is its smallest structure labelled, as the campaign would do it.

The label is kept, so that the campaign need not pay for it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from aiida_alpot.cli.checkup.codes import judge
from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.errors import AlpotError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
    from aiida_alpot.configurations import Configurations


def check_labeller(campaign: Campaign, *, timeout: float) -> Finding:
    """Label the smallest structure of a campaign with its calculator, settings and options."""
    from aiida.engine import submit

    name = f"labels of {campaign.content.name}"
    try:
        builder = labeller_builder(campaign)
    except AlpotError as error:
        return Finding(name, False, str(error), "what the message says, then alpot doctor again")
    return judge(name, submit(builder), timeout=timeout)


def labeller_builder(campaign: Campaign) -> Any:
    """Return the inputs of the WorkChain that labels the smallest structure of a campaign.

    Raises
    ------
    AlpotError
        If the labeller, its code or a pseudopotential is not there.
    """
    from aiida import orm
    from aiida.common import AttributeDict

    from aiida_alpot.cli.launch import campaign_builder
    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.label.builder import label_builder

    inputs = campaign_builder(campaign)
    chosen = ConfigurationsData.from_configurations(smallest_structure(campaign))
    given = AttributeDict(
        {
            "settings": inputs.settings,
            "codes": dict(inputs.codes),
            "options": inputs.options,
            "files": dict(inputs.files),
        }
    )
    return label_builder(given, chosen, orm.Int(-1), {"label": "alpot doctor"})


def smallest_structure(campaign: Campaign) -> Configurations:
    """Return the smallest structure of the start, without any label that it may have."""
    sets = [one for one in (campaign.structures, campaign.training) if len(one)]
    smallest = min(sets, key=lambda one: int(one.n_atoms.min()))
    one = smallest.select([int(np.argmin(smallest.n_atoms))])
    return type(one).from_atoms([_bare(one.atoms(0))])


def _bare(atoms: Any) -> Any:
    bare = atoms.copy()
    bare.calc = None
    return bare
