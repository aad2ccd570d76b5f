# SPDX-License-Identifier: MIT
"""What a search was made for: relaxed structures, saddle points, the best of a population.

Frames are kept for what they teach. These are kept for what they are; their energies are those of
the potential that looked for them and no labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ase import Atoms

from aiida_alpot.configurations import Configurations


class FoundStructure(NamedTuple):
    """A structure at which a search arrived."""

    name: str
    """The chain, or the child of a population."""
    atoms: Atoms
    """A copy without calculator."""
    energy: float
    """Energy, of a search under pressure the enthalpy, eV/atom."""


def found_at_end(name: str, atoms: Atoms, energy: float) -> FoundStructure:
    """Return the structure in which a chain ended, which may go on changing; ``energy`` in eV."""
    copy = Atoms(numbers=atoms.numbers, positions=atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    return FoundStructure(name, copy, energy / len(atoms))


def as_configurations(found: Sequence[FoundStructure]) -> Configurations:
    """Return the structures with their names, without labels."""
    return Configurations.from_atoms(
        [one.atoms for one in found], identifiers=[one.name for one in found]
    )
