# SPDX-License-Identifier: MIT
"""First training structures chosen from a pool, before there is any potential.

Those are taken whose rows, of a potential of the campaign's form with generic coefficients, span
the largest volume (D-optimality): what differs most for such a potential. Nothing is labelled yet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile
from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import AlpotError, SpeciesError

PREFIX = "pool"


def add_from_pool(
    content: CampaignFile, training: Configurations, folder: Path, source: str
) -> Configurations:
    """Return the training structures and those that ``start.select`` takes from ``start.pool``.

    Raises
    ------
    CampaignFileError
        If the pool holds fewer structures than are to be selected.
    InputFileError, SpeciesError, GeometryError
        If it cannot be read or holds what cannot be used.
    """
    name, count = content.start.pool, content.start.select
    if name is None or count is None:
        return training
    from aiida_alpot.mtp.structure_files import read_configurations

    place = f"{source}: start.pool"
    try:
        pool = read_configurations(folder / name, species=content.species).without_labels()
        check_geometry(pool)
    except AlpotError as error:
        raise type(error)(f"{place}: {error}") from error
    foreign = sorted(set(pool.species) - set(content.species))
    if foreign:
        raise SpeciesError(
            f"{place} holds {', '.join(foreign)}, but species is {content.species}; add it there "
            "or leave the structures out."
        )
    if len(pool) < count:
        allowed = f"at most {len(pool)}, the number of structures in the pool"
        raise wrong_value(source, ("start", "select"), count, allowed)
    chosen = pool.select(choose_from_pool(content, pool, training, count))
    names = [f"{PREFIX}_{index:03d}" for index in range(len(chosen))]
    return concatenate([training, chosen.replace(identifier=np.array(names, dtype=np.str_))])


def choose_from_pool(
    content: CampaignFile, pool: Configurations, training: Configurations, count: int
) -> np.ndarray:
    """Return the structures of a pool to label first, at most so many, the best first.

    Fewer are returned only where all others add nothing to what a potential of this form can tell
    apart, or are like those.
    """
    from aiida_alpot.grading.row_space import with_generic_coefficients
    from aiida_alpot.mtp.potential import initial_potential
    from aiida_alpot.neighbors import smallest_distance
    from aiida_alpot.selection.maxvol_selection import fill_by_configuration, select
    from aiida_alpot.selection.picking import leave_out_alike

    form = content.potential
    nearest = min(smallest_distance(one, form.cutoff) for one in (training, pool))
    potential = with_generic_coefficients(
        initial_potential(
            form.level,
            form.cutoff,
            species=content.species,
            min_distance=form.min_distance or min(0.99 * nearest, 0.5 * form.cutoff),
            rng=np.random.default_rng(content.seed),
        )
    )
    known = training.without_labels()
    found = select(potential, pool, training=known, threshold=1.0, limit=count)
    filled = fill_by_configuration(found, potential, pool, training=known, limit=count)
    order = np.concatenate([filled.indices, filled.over_limit])
    return leave_out_alike(order, pool, limit=count).indices
