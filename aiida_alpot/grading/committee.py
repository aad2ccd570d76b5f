# SPDX-License-Identifier: MIT
"""Grades by the disagreement of a committee of potentials.

The grade of an atom is the standard deviation of the forces that the M members predict for it ::

    sigma_i = sqrt( sum_m |F_mi - mean F_i|^2 / (M - 1) )

in eV/A; that of a configuration is the largest of its atoms. Unlike the extrapolation grade it has
a unit, and no value at which extrapolation begins: thresholds are errors of forces that matter.
Members that are fitted to bootstrap samples of one training set spread about as far as a fit is
uncertain because its data are few; an error that all share, such as that of the form of the
potential, they do not show. :func:`force_uncertainty` makes of a deviation the error of a force
that is expected with it, :mod:`aiida_alpot.grading.calibration` the factor between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.grading.committee_energies import deviation_of_energies
from aiida_alpot.grading.grader import Grades
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.neighbors import batch_neighbor_list

if TYPE_CHECKING:
    from aiida_alpot.mtp.evaluate import Evaluation

Array = np.ndarray
ATOMS_PER_PART = 20_000
NORMAL_99 = 2.58
"""99 % of the errors of a normal distribution are within this factor of its deviation."""


class CommitteeGrader:
    """Grades by the standard deviation of forces.

    Parameters
    ----------
    potentials : sequence of MomentTensorPotential
        The members, at least two, with the same species; their cutoffs may differ.

    Raises
    ------
    SettingError
        If there are fewer than two.
    SpeciesError
        If they do not know the same species.
    """

    def __init__(self, potentials: Sequence[MomentTensorPotential]) -> None:
        check_members(potentials)
        self.potentials = tuple(potentials)
        self.cutoff = max(potential.cutoff for potential in potentials)

    def grade(self, configurations: Configurations) -> Grades:
        """Return the disagreement about ``configurations``, atom by atom.

        Raises
        ------
        SpeciesError
            If the potentials lack a species that occurs.
        """
        per_atom = self.force_deviations(configurations)
        largest = (
            np.maximum.reduceat(per_atom, configurations.offsets[:-1])
            if len(per_atom)
            else per_atom
        )
        return Grades(per_configuration=largest, per_atom=per_atom)

    def force_deviations(self, configurations: Configurations) -> Array:
        """Return (n_atoms,): the standard deviation of the force on each atom, eV/A."""
        parts = [self._deviations_of_part(part) for part in configurations.parts(ATOMS_PER_PART)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def energy_deviations(self, configurations: Configurations) -> Array:
        """Return (n,): the standard deviation of the energy of each configuration, eV.

        See :mod:`aiida_alpot.grading.committee_energies`.
        """
        parts = [
            deviation_of_energies(one.energy for one in self._evaluate_members(part))
            for part in configurations.parts(ATOMS_PER_PART)
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _deviations_of_part(self, configurations: Configurations) -> Array:
        return deviation_of_forces(one.forces for one in self._evaluate_members(configurations))

    def _evaluate_members(self, configurations: Configurations) -> Iterator[Evaluation]:
        """Evaluate the members one after another, with one neighbour list for all."""
        from aiida_alpot.mtp.evaluate import evaluate

        neighbors = batch_neighbor_list(configurations, self.cutoff)
        for potential in self.potentials:
            yield evaluate(potential, configurations, neighbors=neighbors)


def check_members(potentials: Sequence[MomentTensorPotential]) -> None:
    """Raise unless potentials can disagree about the same structures.

    Raises
    ------
    SettingError
        If there are fewer than two.
    SpeciesError
        If they do not know the same species.
    """
    if len(potentials) < 2:
        raise SettingError(
            f"A committee of {len(potentials)} cannot disagree; give at least two potentials."
        )
    known = {frozenset(potential.species) for potential in potentials}
    if len(known) > 1:
        sets = " and ".join(" ".join(sorted(species)) for species in sorted(known, key=sorted))
        raise SpeciesError(
            f"The potentials of the committee know different species: {sets}. Give members "
            "that were fitted with the same ones."
        )


def deviation_of_forces(forces: Iterable[Array]) -> Array:
    """Return (n_atoms,): the standard deviation of the force on each atom.

    Parameters
    ----------
    forces : iterable of (n_atoms, 3) float64
        Of two members at least; they are looked at one after another, so that memory does not grow
        with their number (Welford, Technometrics 4, 419 (1962)).
    """
    mean, squares, count = np.zeros(()), np.zeros(()), 0
    for one in forces:
        count += 1
        before = one - mean
        mean = mean + before / count
        squares = squares + np.einsum("ij,ij->i", before, one - mean)
    deviations: Array = np.sqrt(np.maximum(squares, 0.0) / (count - 1))
    return deviations


def force_uncertainty(deviations: Array, *, factor: float = NORMAL_99) -> Array:
    """Return (n_atoms,): delta_i, the error of the force that is expected on each atom, eV/A.

    delta_i = factor * sigma_i. With the factor 2.58, the 99 % quantile of a normal number, it is
    the uncertainty of nearsighted force training (Zeng, Chen and Peterson, J. Chem. Phys. 156,
    064104 (2022)). For the length of a vector whose three components are normal, 1.94 would do.
    Neither knows of errors that all members share: fit the factor to errors that were found,
    :meth:`aiida_alpot.grading.calibration.Calibration.factor`.

    Parameters
    ----------
    deviations : (n_atoms,) float64
        Of :meth:`CommitteeGrader.force_deviations`, eV/A.
    factor : float
        Dimensionless, positive.

    Raises
    ------
    SettingError
        If the factor is not positive.
    """
    if not factor > 0:
        raise SettingError(f"The factor of the uncertainty is {factor!r}; it must be positive.")
    uncertainties: Array = factor * deviations
    return uncertainties
