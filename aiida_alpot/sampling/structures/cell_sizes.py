# SPDX-License-Identifier: MIT
r"""How large a periodic cell must be beside the range of the interaction: spheres of influence.

An atom acts within its sphere of influence (SOI), whose radius is the cutoff ``r_cut``. In a cubic
cell of edge ``L`` the spheres of an atom and of its images overlap once ``s = 2 r_cut / L`` exceeds
1; with it

- SOI over cell: ``pi s^3 / 6``
- radius that no image reaches, over ``r_cut``: ``2 / s - 1``
- volume within that radius over SOI: ``(6 / pi) (2 / s - 1)^3``
- volume of the cell over that of the inscribed sphere's: ``s^-3``

A criterion fixes ``s``, so that ``L = 2 r_cut / s``. In a cell that is no cube, the smallest width
(distance of opposite faces) takes the place of ``L``.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

CellSizeCriterion = Literal[
    "inscribed_sphere",
    "unique_equals_soi",
    "cell_equals_soi",
    "inner_half_unique",
    "soi_touches_edges",
    "soi_circumscribes",
]
"""From the largest cell to the smallest; see :data:`SPHERE_RATIOS`."""

SPHERE_RATIOS: dict[str, float] = {
    "inscribed_sphere": 1.0,  # the sphere just fits
    "unique_equals_soi": 2 / (1 + (np.pi / 6) ** (1 / 3)),  # unique volume = volume of the sphere
    "cell_equals_soi": (6 / np.pi) ** (1 / 3),  # volume of the cell = volume of the sphere
    "inner_half_unique": 4 / 3,  # no image reaches into half the radius
    "soi_touches_edges": 2**0.5,  # the sphere touches the edges of the cube
    "soi_circumscribes": 3**0.5,  # the sphere holds the whole cube
}
"""``s = 2 r_cut / L`` of each criterion."""


class CellSize(NamedTuple):
    """What a criterion means; lengths in the unit of the cutoff."""

    ratio: float
    width: float
    soi_per_cell: float
    unique_radius: float
    unique_volume_per_soi: float
    relative_volume: float


def cell_size(criterion: CellSizeCriterion, cutoff: float) -> CellSize:
    """Return the smallest width of a cell by ``criterion``, and what it implies.

    Parameters
    ----------
    criterion : str
        A key of :data:`SPHERE_RATIOS`.
    cutoff : float
        Radius of the sphere of influence, Angstrom.

    Returns
    -------
    CellSize
        ``width`` in Angstrom; ``unique_radius`` over the cutoff; ``relative_volume`` over that of
        the cell of the inscribed sphere.
    """
    ratio = SPHERE_RATIOS[criterion]
    unique = 2 / ratio - 1
    return CellSize(
        ratio=ratio,
        width=2 * cutoff / ratio,
        soi_per_cell=np.pi * ratio**3 / 6,
        unique_radius=unique,
        unique_volume_per_soi=6 / np.pi * unique**3,
        relative_volume=ratio**-3,
    )
