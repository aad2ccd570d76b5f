# SPDX-License-Identifier: MIT
"""The potential that a campaign goes on from, and whether its first fit can."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile
from aiida_alpot.errors import AlpotError

if TYPE_CHECKING:
    from aiida_alpot.mtp.potential import MomentTensorPotential


def read_first_potential(
    content: CampaignFile, folder: Path, source: str
) -> MomentTensorPotential | None:
    """Return the potential of ``start.potential`` with its species named; None without the key.

    Raises
    ------
    CampaignFileError
        If the first fit cannot go on from it.
    InputFileError, SpeciesError
        If it cannot be read.
    """
    name = content.start.potential
    if name is None:
        return None
    from aiida_alpot.mtp.mlip_files import read_potential

    try:
        potential = read_potential(folder / name)
        if not potential.species:
            potential = potential.with_species(content.species)
    except AlpotError as error:
        raise type(error)(f"{source}: start.potential: {error}") from error
    form = content.potential
    foreign = set(potential.species) - set(content.species)
    for fits, allowed in (
        ((potential.basis.level or 0) <= form.level, f"a potential of level {form.level} or lower"),
        (potential.cutoff == form.cutoff, f"a potential of the cutoff {form.cutoff:g} A"),
        (not foreign, f"a potential of {', '.join(content.species)} or some of them"),
    ):
        if not fits:
            raise wrong_value(source, ("start", "potential"), name, allowed)
    return potential
