# SPDX-License-Identifier: MIT
"""Several geometries that share a calculator, each with the results of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes


class OwnResults(Calculator):  # type: ignore[misc]
    """A calculator that keeps what the one that it shares found for its own geometry.

    The images of a band and the ends of a dimer are evaluated in turn; the results of each, grades
    among them, stay here while the shared calculator goes on to the next.

    Parameters
    ----------
    shared : ASE calculator
        Evaluates; it may serve any number of others.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces", "stress"]

    def __init__(self, shared: Any) -> None:
        super().__init__()
        self.shared = shared

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Let the shared calculator find the properties, and copy all that it found."""
        super().calculate(atoms, properties, system_changes)
        for name in properties:
            self.shared.get_property(name, atoms)
        self.results = {
            name: np.copy(value) if isinstance(value, np.ndarray) else value
            for name, value in self.shared.results.items()
        }


def with_own_results(atoms: Atoms, shared: Any) -> Atoms:
    """Return a copy of ``atoms`` with a calculator of its own behind which stands ``shared``."""
    copied = atoms.copy()
    copied.calc = OwnResults(shared)
    return copied
