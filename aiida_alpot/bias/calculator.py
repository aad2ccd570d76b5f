# SPDX-License-Identifier: MIT
"""A calculator that drives atoms to where its potential is uncertain.

With the bias B and its strength alpha ::

    U_total = U - alpha B
    F_total = F + alpha grad B
    sigma_total = sigma - alpha (dB/dstrain) / V

so that alpha > 0 goes up in the uncertainty. Where alpha is zero all numbers are those of the
potential, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from aiida_alpot.bias.base import Bias, BiasTerm
from aiida_alpot.bias.strength import Strength
from aiida_alpot.bias.trigger import StopOnRelativeError, relative_error

if TYPE_CHECKING:
    from aiida_alpot.mtp.verlet import VerletList

Array = np.ndarray


class BiasedCalculator(Calculator):  # type: ignore[misc]
    """Energy, forces and stress of a potential with a bias.

    ``results`` hold the biased ``energy``, ``free_energy``, ``forces`` and ``stress``, on which
    atoms move; ``unbiased_energy``, ``unbiased_forces`` and ``unbiased_stress``, what the potential
    predicts; ``bias`` (B) and ``bias_strength`` (alpha of this step); and ``grade`` and ``grades``
    as the calculator has them. There are no site energies: those of a bias do not exist.

    Parameters
    ----------
    calculator : MTP or CommitteeMTP
        The potential, with the active set or the committee that the bias is made of.
    bias : Bias
        :class:`~aiida_alpot.bias.committee.CommitteeBias` or
        :class:`~aiida_alpot.bias.grade.GradeBias`.
    strength : Strength
        :class:`~aiida_alpot.bias.strength.FixedStrength` or
        :class:`~aiida_alpot.bias.strength.HyperactiveStrength`.
    tolerance : float, optional
        Relative error of a force at which a chain stops, see :mod:`aiida_alpot.bias.trigger`;
        ``results["relative_error"]`` holds the largest.

    Raises
    ------
    SettingError
        If the calculator lacks what the bias is made of, or, with a tolerance, a committee.
    """

    implemented_properties = [  # noqa: RUF012
        "energy",
        "free_energy",
        "forces",
        "stress",
        "bias",
        "unbiased_energy",
        "unbiased_forces",
        "unbiased_stress",
    ]

    def __init__(
        self,
        calculator: Any,
        bias: Bias,
        strength: Strength,
        *,
        tolerance: float | None = None,
    ) -> None:
        super().__init__()
        self.calculator = bias.prepare(calculator)
        self.bias = bias
        self.strength = strength
        self.atoms: Atoms | None = None
        self.term: BiasTerm | None = None
        self._trigger = None if tolerance is None else StopOnRelativeError(tolerance, calculator)
        grading = [
            name for name in self.calculator.implemented_properties if name.startswith("grade")
        ]
        self.implemented_properties = [*self.implemented_properties, *grading]
        self.parameters.update(self.calculator.parameters, bias=bias.name)

    @property
    def neighbors(self) -> VerletList:
        """The list of the potential, whose order decides the last bits of a sum."""
        neighbors: VerletList = self.calculator.neighbors
        return neighbors

    @property
    def uncontrolled_below(self) -> float:
        """Distance below which the potential means nothing, Angstrom."""
        return float(self.calculator.uncontrolled_below)

    def stop_conditions(self) -> list[StopOnRelativeError]:
        """Return what may end a chain besides the rules of its driver."""
        return [] if self._trigger is None else [self._trigger]

    def begin_chain(self) -> None:
        """Let a chain begin that knows nothing of the one before it."""
        self.strength.begin()
        self.reset()

    def chain_state(self) -> dict[str, Any]:
        """Return, as JSON, what the last evaluation has to be done again with."""
        return self.strength.state()

    def restore_chain(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`chain_state`, beginning with the evaluation that came last."""
        self.strength.restore(state)
        self.reset()

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """Return which of positions, numbers, cell and pbc differ from the last evaluation."""
        if self.atoms is None:
            return list(all_changes)
        changes: list[str] = self.calculator.check_state(atoms, tol)
        return changes

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything at once, as the bias needs all that its potential computes."""
        inner = self.calculator
        inner.calculate(self.atoms if atoms is None else atoms, properties, system_changes)
        self.atoms = inner.atoms
        plain = inner.results
        factor = self.strength.factor
        term = self.term = self.bias.term(inner)
        self.strength.observe(plain["forces"], term.gradient)
        self.results = {
            name: value for name, value in plain.items() if name.startswith(("grade", "energy_"))
        }
        for name in ("energy", "forces", "stress"):
            if name in plain:
                self.results[f"unbiased_{name}"] = plain[name]
        self.results.update(_add(plain, term, factor, volume=abs(self.atoms.cell.volume)))
        self.results.update(bias=term.value, bias_strength=factor)
        if self._trigger is not None:
            self.results["relative_error"] = relative_error(plain["grades"], plain["forces"])


def _add(
    plain: Mapping[str, Any], term: BiasTerm, factor: float, *, volume: float
) -> dict[str, Any]:
    """Return energy, forces and stress with the bias; those without it for the factor zero."""
    names = ("energy", "free_energy", "forces", "stress")
    if factor == 0.0:
        return {name: plain[name] for name in names if name in plain}
    energy = plain["energy"] - factor * term.value
    biased = {
        "energy": energy,
        "free_energy": energy,
        "forces": plain["forces"] + factor * term.gradient,
    }
    if "stress" in plain:
        biased["stress"] = plain["stress"] - factor * term.strain / volume
    return biased
