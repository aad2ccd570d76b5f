# SPDX-License-Identifier: MIT
"""What samplers ask of their starts, and how a chain begins with one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ase import Atoms

from aiida_alpot.errors import GeometryError


def prepare_start(start: Atoms, calculator: Any) -> Atoms:
    """Return a copy of ``start`` that uses ``calculator``, which begins a chain with it."""
    atoms = start.copy()
    atoms.calc = calculator
    begin = getattr(calculator, "begin_chain", None)
    if begin is not None:
        begin()
    return atoms


def require_volume(starts: Sequence[Atoms], remedy: str) -> None:
    """Raise GeometryError with the remedy if a start is not periodic in three directions."""
    for index, start in enumerate(starts):
        if not start.pbc.all() or start.cell.rank < 3:
            name = start.info.get("identifier", index)
            raise GeometryError(f"Start {name!s} is not periodic in three directions; {remedy}.")


def require_motion(starts: Sequence[Atoms]) -> None:
    """Raise GeometryError if a start is one atom, which rests with its centre of mass."""
    for index, start in enumerate(starts):
        if len(start) < 2:
            name = start.info.get("identifier", index)
            raise GeometryError(
                f"Start {name!s} is one atom, which has no motion but that of everything. "
                "Repeat its cell."
            )
