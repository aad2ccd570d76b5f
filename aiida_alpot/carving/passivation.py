# SPDX-License-Identifier: MIT
"""Cut bonds of a chunk saturated with atoms of another element, hydrogen as a rule.

Two atoms are bonded if they are nearer than 1.2 times the sum of their covalent radii. Where one of
them is in the chunk and the other is not, an atom is put on the line of the bond, as far from the
chunk's atom as the covalent radii of both say. It keeps electrons of a covalent solid from
gathering in dangling bonds; metals need none.

A potential that does not know the element is trained on chunks without it: see
:func:`aiida_alpot.carving.labels.without_saturation`, which takes such atoms out again once the
forces are known. They lie at its surface.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from ase import Atoms
from ase.data import atomic_numbers, covalent_radii

from aiida_alpot.carving.chunks import Chunk, put_in_box
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.neighbors import PairMemory, search_neighbors

Array = np.ndarray
BOND_FACTOR = 1.2
CLOSEST = 1.0
"""A, two atoms that saturate bonds are not put nearer to each other than this."""


def passivate(
    chunk: Chunk,
    structure: Atoms,
    *,
    element: str = "H",
    bond_factor: float = BOND_FACTOR,
    vacuum: float,
) -> Chunk:
    """Saturate the cut bonds of a chunk that is not periodic.

    Parameters
    ----------
    chunk : Chunk
        Of ``structure``.
    structure : Atoms
        What it was cut from.
    element : str
        Of the atoms that are added, last in the chunk.
    bond_factor : float
        Times the sum of covalent radii, up to where two atoms are bonded; positive.
    vacuum : float
        See :func:`~aiida_alpot.carving.chunks.carve_chunk`.

    Raises
    ------
    SpeciesError
        If there is no such element.
    SettingError
        If the factor is not positive, or the chunk is periodic.
    """
    if element not in atomic_numbers or element == "X":
        raise SpeciesError(f"There is no element {element!r} to saturate bonds with; take H.")
    if not bond_factor > 0.0:
        raise SettingError(f"The bond factor is {bond_factor:g}; give a positive number.")
    if chunk.atoms.pbc.any():
        raise SettingError("A periodic chunk has no cut bonds to saturate; leave passivation out.")
    places = _places(chunk, structure, element, bond_factor)
    added = Atoms([element] * len(places), positions=places)
    atoms = chunk.atoms + added
    members = np.concatenate([chunk.members, np.full(len(places), -1)])
    return dataclasses.replace(chunk, atoms=put_in_box(atoms, vacuum), members=members)


def _places(chunk: Chunk, structure: Atoms, element: str, bond_factor: float) -> Array:
    """Return where cut bonds are saturated, (n, 3), in the frame of the chunk."""
    radii = covalent_radii[structure.numbers]
    cutoff = 2.0 * bond_factor * float(radii.max())
    search = search_neighbors(Configurations.from_atoms([structure]), cutoff)
    inside = chunk.atoms.positions
    of_element = float(covalent_radii[atomic_numbers[element]])
    places: list[Array] = []
    for place, member in enumerate(chunk.members.tolist()):
        pairs = search.rows(member, member + 1, PairMemory())
        bonds = slice(int(pairs.first[member]), int(pairs.first[member + 1]))
        for other, vector in zip(pairs.neighbor[bonds].tolist(), pairs.vectors[bonds], strict=True):
            length = float(np.linalg.norm(vector))
            end = inside[place] + vector
            is_bond = length < bond_factor * (radii[member] + radii[other])
            is_cut = np.linalg.norm(inside - end, axis=1).min() > 1e-3
            if not (is_bond and is_cut):
                continue
            found = inside[place] + vector / length * (radii[member] + of_element)
            if all(np.linalg.norm(found - one) >= CLOSEST for one in places):
                places.append(found)
    return np.array(places).reshape(-1, 3)
