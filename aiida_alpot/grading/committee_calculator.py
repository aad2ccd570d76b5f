# SPDX-License-Identifier: MIT
"""A moment tensor potential as ASE calculator, graded on the way by a committee."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import all_changes

from aiida_alpot.grading.committee import check_members, deviation_of_forces
from aiida_alpot.grading.committee_energies import EnergyMoments, EnergySpread
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator
from aiida_alpot.mtp.verlet import VerletList

Array = np.ndarray


class CommitteeMTP(MTP):
    """Energy, forces and stress of one potential, and how far a committee disagrees about forces.

    ``results["grades"]`` is the standard deviation of the force on each atom among the members in
    eV/A, as in :class:`~aiida_alpot.grading.committee.CommitteeGrader`, and ``results["grade"]``
    the largest of them: whatever reads extrapolation grades reads these.
    ``results["energy_deviation"]`` is the spread of their energies, eV, and :attr:`spread` holds
    its derivatives too (:mod:`aiida_alpot.grading.committee_energies`).

    Parameters
    ----------
    potential : MomentTensorPotential, str or Path
        Moves the atoms; it is no member unless it is given as one.
    committee : sequence of MomentTensorPotential, str or Path
        The members, at least two, with the species of the potential; cutoffs may differ.
    species : sequence of str, optional
        Chemical symbols in the order of the types, for files that do not record them.
    skin, threads : float, int
        See :class:`~aiida_alpot.mtp.calculator.MTP`; all members share its neighbour list.

    Raises
    ------
    SettingError
        If there are fewer than two members, or the skin is negative.
    SpeciesError
        If potential and members do not know the same species.
    """

    def __init__(
        self,
        potential: MomentTensorPotential | str | Path,
        committee: Sequence[MomentTensorPotential | str | Path],
        *,
        species: Sequence[str] | None = None,
        skin: float = 0.5,
        threads: int = 1,
    ) -> None:
        super().__init__(potential, species=species, skin=skin, threads=threads)
        self.committee = tuple(
            member if isinstance(member, MomentTensorPotential) else read_potential(member, species)
            for member in committee
        )
        check_members(self.committee)
        check_members([self.potential, *self.committee])
        self.implemented_properties = [
            *self.implemented_properties,
            "grade",
            "grades",
            "energy_deviation",
        ]
        self.spread: EnergySpread | None = None
        # pairs beyond the cutoff of a potential leave no trace in its results
        longest = max(one.cutoff for one in (self.potential, *self.committee))
        self.neighbors = VerletList(longest, skin)
        self._member_evaluators: list[SiteEvaluator] = []
        self._evaluated: SiteEvaluator | None = None

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] = ("energy",),
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything at once, the members with the neighbour list of the potential."""
        super().calculate(atoms, properties, system_changes)
        moments = EnergyMoments()
        deviations = deviation_of_forces(self._forces_of_members(moments))
        self.spread = moments.spread()
        self.results["grades"] = deviations
        self.results["grade"] = float(deviations.max(initial=0.0))
        self.results["energy_deviation"] = self.spread.deviation

    def _forces_of_members(self, moments: EnergyMoments) -> Iterator[Array]:
        """Evaluate one member after the other, and tell ``moments`` of each."""
        for evaluator in self._evaluators_of_members():
            sites = evaluator.evaluate(self.neighbors, threads=self.threads)
            moments.add(float(sites.energies.sum()), sites.forces, sites.strains.sum(axis=0))
            yield sites.forces

    def _evaluators_of_members(self) -> list[SiteEvaluator]:
        """Return what evaluates the members, made anew where the atoms are others."""
        if self._evaluated is not self._evaluator:
            self._member_evaluators = [
                SiteEvaluator(member, member.types_of(self._numbers)) for member in self.committee
            ]
            self._evaluated = self._evaluator
        return self._member_evaluators
