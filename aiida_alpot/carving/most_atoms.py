# SPDX-License-Identifier: MIT
"""Chunks of a kind with no more atoms than the reference calculation can pay for.

A chunk that would hold more is carved with a smaller radius: that at which its outermost shells of
atoms, as many as are too many, are just outside. The environment of the central atom is whole as
long as the radius is not below the cutoff of the potential; below it a chunk would teach the force
of a structure that is not there, and none is carved.
"""

from __future__ import annotations

import numpy as np
from ase import Atoms

from aiida_alpot.carving.chunks import RADIUS, VACUUM, Chunk, carve_chunk, surroundings
from aiida_alpot.carving.passivation import passivate
from aiida_alpot.carving.periodic_chunks import carve_periodic_at_most, carve_periodic_chunk
from aiida_alpot.errors import SettingError

SHELL = 1e-3
"""A; atoms whose distances from the centre differ by less belong to one shell."""


def carve_at_most(
    structure: Atoms,
    centre: int,
    *,
    radius: float = RADIUS,
    vacuum: float = VACUUM,
    kind: str = "cluster",
    element: str | None = None,
    most: int | None = None,
    smallest_radius: float = 0.0,
) -> Chunk | None:
    """Carve a chunk about an atom that is as large as the radius and the number of atoms allow.

    Parameters
    ----------
    structure, centre, vacuum
        See :func:`~aiida_alpot.carving.chunks.carve_chunk`.
    radius : float
        Largest r_c, A.
    kind : {"cluster", "periodic"}
        Whether the chunk is a cluster, or a smaller periodic cell.
    element : str, optional
        Saturates the cut bonds of a cluster.
    most : int, optional
        Atoms of the chunk, those that saturate bonds included; any number if absent.
    smallest_radius : float
        r_c, A, below which there is no chunk.

    Returns
    -------
    Chunk or None
        With the radius that it has in the end; None where ``most`` atoms do not reach as far as
        ``smallest_radius``.

    Raises
    ------
    SettingError
        If the radius or the vacuum is out of range, or there is no such atom or kind.
    GeometryError
        If the structure is not usable, or not periodic where a periodic chunk is asked for.
    """
    if kind == "periodic" and element is None:
        return carve_periodic_at_most(
            structure, centre, radius=radius, most=most, smallest_radius=smallest_radius
        )
    while radius >= smallest_radius and radius > 0.0:
        chunk = carve(structure, centre, radius=radius, vacuum=vacuum, kind=kind, element=element)
        if most is None or len(chunk.atoms) <= most:
            return chunk
        radius = _radius_without(structure, chunk, len(chunk.atoms) - most)
    return None


def carve(
    structure: Atoms,
    centre: int,
    *,
    radius: float,
    vacuum: float = VACUUM,
    kind: str = "cluster",
    element: str | None = None,
) -> Chunk:
    """Carve a chunk of a kind; arguments and errors are those of :func:`carve_at_most`."""
    if kind not in ("cluster", "periodic"):
        raise SettingError(f"Unknown kind of chunks {kind!r}; allowed are cluster, periodic.")
    if kind == "periodic":
        chunk = carve_periodic_chunk(structure, centre, radius=radius)
    else:
        chunk = carve_chunk(structure, centre, radius=radius, vacuum=vacuum)
    if element is None:
        return chunk
    return passivate(chunk, structure, element=element, vacuum=vacuum)


def _radius_without(structure: Atoms, chunk: Chunk, excess: int) -> float:
    """Return the radius of a cluster that lacks at least so many atoms of the structure."""
    distances = np.linalg.norm(surroundings(structure, chunk.centre, chunk.radius)[1], axis=1)
    kept = max(len(distances) - excess, 0)
    return float(distances[kept] - SHELL) if len(distances) else 0.0
