# SPDX-License-Identifier: MIT
"""The moment tensor potential as a value: its basis, its species and its coefficients.

Energy of a structure (Shapeev, Multiscale Model. Simul. 14, 1153 (2016))::

    E = sum_i V_i,   V_i = c_z(i) + sum_a xi_a B_a(neighbourhood of i)

with B_a contractions of the moments M_mu,nu = sum_j f_mu(r_ij; z_i, z_j) rhat_ij^(x nu) and the
radial functions f_mu(r) = scaling * sum_k c_mu,k T_k(x) (cutoff - r)^2, T_k Chebyshev polynomials
of x = (2 r - (min_distance + cutoff)) / (cutoff - min_distance).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from aiida_alpot.errors import SettingError, SpeciesError
from aiida_alpot.mtp.contractions import MomentBasis, moment_basis
from aiida_alpot.mtp.zbl import ZblCore

Array = np.ndarray
RADIAL_BASIS_SIZE = 8


@dataclass(frozen=True)
class MomentTensorPotential:
    """A moment tensor potential.

    Parameters
    ----------
    basis : MomentBasis
        Basic moments, products and scalars.
    species : tuple of str
        Chemical symbols in the order of the types; empty if a file names none.
    radial_coefficients : (n_species, n_species, n_radial, radial_basis_size) float64
        c of the ordered pair (centre, neighbour).
    species_coefficients : (n_species,) float64
        Energy of an isolated atom, eV.
    moment_coefficients : (n_scalars,) float64
        xi, eV.
    min_distance, cutoff : float
        Interval of the Chebyshev polynomials, Angstrom.
    scaling : float
        Factor on all radial functions.
    name : str
        Free text kept in the file.
    core : ZblCore, optional
        Repulsion of close pairs, which is added to the moment tensor potential.
    """

    basis: MomentBasis
    species: tuple[str, ...]
    radial_coefficients: Array
    species_coefficients: Array
    moment_coefficients: Array
    min_distance: float
    cutoff: float
    scaling: float = 1.0
    name: str = "MTP"
    core: ZblCore | None = None

    @property
    def n_species(self) -> int:
        """Number of types."""
        return len(self.species_coefficients)

    @property
    def level(self) -> int | None:
        """Level of the basis; None where it was read from a file and is none of the known ones."""
        return self.basis.level

    @property
    def n_radial_parameters(self) -> int:
        """Number of radial coefficients of all pairs of species."""
        return int(self.radial_coefficients.size)

    @property
    def n_parameters(self) -> int:
        """Radial, species and moment coefficients together."""
        return self.n_radial_parameters + self.n_species + len(self.moment_coefficients)

    @property
    def parameters(self) -> Array:
        """(n_parameters,): radial [centre, neighbour, mu, k], species, moments; MLIP's order."""
        return np.concatenate(
            [
                self.radial_coefficients.ravel(),
                self.species_coefficients,
                self.moment_coefficients,
            ]
        )

    @property
    def uncontrolled_below(self) -> float:
        """Distance below which nothing keeps the radial functions bounded, Angstrom; 0 if a core.

        An overlay adds to them but leaves them as they are.
        """
        fades = self.core is not None and self.core.fades
        return 0.0 if fades else self.min_distance

    def with_parameters(self, parameters: Array) -> MomentTensorPotential:
        """Return the same potential with other coefficients, in the order of ``parameters``.

        Raises
        ------
        SettingError
            If the number of parameters is not ``n_parameters``.
        """
        if len(parameters) != self.n_parameters:
            raise SettingError(
                f"The potential has {self.n_parameters} parameters, {len(parameters)} were given."
            )
        n_radial = self.n_radial_parameters
        radial, species, moments = np.split(
            np.asarray(parameters, dtype=np.float64), [n_radial, n_radial + self.n_species]
        )
        return dataclasses.replace(
            self,
            radial_coefficients=radial.reshape(self.radial_coefficients.shape).copy(),
            species_coefficients=species.copy(),
            moment_coefficients=moments.copy(),
        )

    def with_species(self, species: Sequence[str]) -> MomentTensorPotential:
        """Return the same potential with its types named, in their order.

        Raises
        ------
        SpeciesError
            If the number of names differs from the number of types, or a name occurs twice.
        """
        if len(species) != self.n_species or len(set(species)) != len(species):
            raise SpeciesError(
                f"The potential has {self.n_species} species, the names given are "
                f"{', '.join(species) or 'none'}. Name each type once, in the order of the file."
            )
        return dataclasses.replace(self, species=tuple(species))

    def with_core(self, core: ZblCore | None) -> MomentTensorPotential:
        """Return the same potential with another core, or none.

        Raises
        ------
        SpeciesError
            If the potential names no species.
        SettingError
            If the core reaches as far as the cutoff.
        """
        if core is None:
            return dataclasses.replace(self, core=None)
        if not self.species:
            raise SpeciesError(
                "The potential names no species, which a ZBL core needs. Give their order with "
                f"--species, {self.n_species} of them."
            )
        if core.reach(self.species) >= self.cutoff:
            raise SettingError(
                f"The ZBL core reaches to {core.reach(self.species):g} A, the potential to "
                f"{self.cutoff:g} A. Give a smaller outer radius or a larger cutoff."
            )
        return dataclasses.replace(self, core=core.completed(self.species))

    def types_of(self, numbers: Array) -> Array:
        """(n_atoms,) int32: the type of each atomic number.

        Raises
        ------
        SpeciesError
            If the potential names no species, or lacks one that occurs.
        """
        from ase.data import atomic_numbers, chemical_symbols

        if not self.species:
            raise SpeciesError(
                "The potential file names no species. Give their order with --species, "
                f"{self.n_species} of them."
            )
        lookup = np.full(len(chemical_symbols), -1, dtype=np.int32)
        for type_index, symbol in enumerate(self.species):
            lookup[atomic_numbers[symbol]] = type_index
        types: Array = lookup[numbers]
        if (types < 0).any():
            missing = sorted({chemical_symbols[n] for n in np.unique(numbers) if lookup[n] < 0})
            raise SpeciesError(
                f"Species {', '.join(missing)} is not in the potential "
                f"({', '.join(self.species)}). Retrain with it, or filter the configurations."
            )
        return types


def initial_potential(
    level: int,
    cutoff: float,
    *,
    species: Sequence[str],
    min_distance: float,
    rng: np.random.Generator,
    radial_basis_size: int = RADIAL_BASIS_SIZE,
) -> MomentTensorPotential:
    """Return an untrained potential: radial functions at random, linear coefficients zero.

    Each radial function is a unit vector of coefficients, dominated by the Chebyshev polynomial of
    its own order, which keeps the functions independent of one another.

    Parameters
    ----------
    level : int
        Even, 2 to 28.
    cutoff, min_distance : float
        Angstrom, ``0 < min_distance < cutoff``.
    species : sequence of str
        Chemical symbols in the order of the types.
    rng : numpy.random.Generator
        Source of the random part.
    radial_basis_size : int
        Number of Chebyshev polynomials.

    Raises
    ------
    SettingError
        If the level is not known or the distances are not in order.
    """
    if not 0.0 < min_distance < cutoff:
        raise SettingError(
            f"min_distance {min_distance:g} and cutoff {cutoff:g} (A) must satisfy "
            "0 < min_distance < cutoff."
        )
    basis = moment_basis(level)
    n_species = len(species)
    shape = (n_species, n_species, basis.n_radial, radial_basis_size)
    radial = 0.1 * rng.standard_normal(shape)
    for mu in range(basis.n_radial):
        radial[:, :, mu, mu % radial_basis_size] += 1.0
    radial /= np.linalg.norm(radial, axis=-1, keepdims=True)
    return MomentTensorPotential(
        basis=basis,
        species=tuple(species),
        radial_coefficients=radial,
        species_coefficients=np.zeros(n_species),
        moment_coefficients=np.zeros(basis.n_scalars),
        min_distance=float(min_distance),
        cutoff=float(cutoff),
        # makes the radial functions of order one over the interval
        scaling=1.0 / (cutoff - min_distance) ** 2,
    )
