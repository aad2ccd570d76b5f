# SPDX-License-Identifier: MIT
"""Hills of well-tempered metadynamics, and a calculator that adds them to another.

The bias is V(s) = sum_k w_k prod_i exp(-(s_i - s_ki)^2 / 2 d_i^2) over the hills laid so far, and
the next one is the lower the more there is: w = w_0 exp(-V / kB dT), dT = (bias factor - 1) T
(Barducci, Bussi and Parrinello, Phys. Rev. Lett. 100, 020603 (2008)).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from aiida_alpot.sampling.trajectories.collective_variables import CollectiveVariable

Array = np.ndarray


class Hills:
    """The bias of one chain.

    Parameters
    ----------
    variables : sequence of CollectiveVariable
    widths : sequence of float
        Standard deviation of a hill along each, in its unit.
    height : float
        Of the first hill, eV.
    tempering : float
        kB dT, eV: the bias at which hills have become lower by a factor e; infinite for plain
        metadynamics.
    """

    def __init__(
        self,
        variables: Sequence[CollectiveVariable],
        widths: Sequence[float],
        *,
        height: float,
        tempering: float,
    ) -> None:
        self.variables, self.widths = tuple(variables), np.array(widths, dtype=float)
        self.height, self.tempering = height, tempering
        self.centres = np.zeros((0, len(self.variables)))
        self.heights = np.zeros(0)

    def evaluate(self, atoms: Atoms) -> tuple[float, Array]:
        """Return the bias, eV, and its forces, (n_atoms, 3) eV/A."""
        values, gradients = self._measure(atoms)
        terms, away = self._terms(values)
        slopes = -(terms @ away) / self.widths
        return float(terms.sum()), -np.einsum("i,ina->na", slopes, gradients)

    def lay(self, atoms: Atoms) -> None:
        """Lay a hill where the atoms stand."""
        values, _ = self._measure(atoms)
        terms, _ = self._terms(values)
        lower = np.exp(-terms.sum() / self.tempering)
        self.centres = np.vstack([self.centres, values])
        self.heights = np.append(self.heights, self.height * lower)

    def state(self) -> dict[str, Any]:
        """Return the hills as JSON."""
        return {"centres": self.centres.tolist(), "heights": self.heights.tolist()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take the hills of an earlier run."""
        self.heights = np.array(state["heights"], dtype=float)
        centres = np.array(state["centres"], dtype=float)
        self.centres = centres.reshape(len(self.heights), len(self.variables))

    def _measure(self, atoms: Atoms) -> tuple[Array, Array]:
        measured = [variable.evaluate(atoms) for variable in self.variables]
        return np.array([value for value, _ in measured]), np.array([one for _, one in measured])

    def _terms(self, values: Array) -> tuple[Array, Array]:
        """Return the hills at these values, (n_hills,), and how far off they are in widths."""
        away = np.column_stack(
            [
                variable.difference(value, centres)
                for variable, value, centres in zip(
                    self.variables, values, self.centres.T, strict=True
                )
            ]
        )
        away /= self.widths
        return self.heights * np.exp(-(away**2).sum(axis=1) / 2), away


class WithHills(Calculator):  # type: ignore[misc]
    """Energy and forces of a calculator and of hills together.

    The calculator beneath has the results without hills, of the same geometry.
    """

    implemented_properties: ClassVar[list[str]] = ["energy", "free_energy", "forces"]

    def __init__(self, beneath: Any, hills: Hills) -> None:
        super().__init__()
        self.beneath, self.hills = beneath, hills

    @property
    def neighbors(self) -> Any:
        """The list of neighbours of the calculator beneath, None if it has none."""
        return getattr(self.beneath, "neighbors", None)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Evaluate the calculator beneath and add the hills."""
        super().calculate(atoms, properties, system_changes)
        forces = self.beneath.get_property("forces", atoms)
        energy = self.beneath.get_property("energy", atoms)
        bias, pushes = self.hills.evaluate(self.atoms)
        self.results = {
            "energy": energy + bias,
            "free_energy": energy + bias,
            "forces": forces + pushes,
        }
