# SPDX-License-Identifier: MIT
"""A slow moment tensor potential in plain NumPy: the oracle for the compiled engine.

It shares no code with the package. Neighbours are found by going through all images, moments by
loops over neighbours and products, and forces by the chain rule carried forward through every
product. Nothing in it minds complex coefficients, so derivatives with respect to parameters are
taken by a complex step, dE/dtheta = Im E(theta + i h) / h, which is exact to rounding.

Symbols: i centre, j neighbour, r_ij vector from i to j, mu radial function, m moment.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev

Array = np.ndarray
VOIGT = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@dataclass(frozen=True)
class ReferencePotential:
    """Tables and coefficients, named and shaped as in an ``.mtp`` file."""

    basic: Array  # (n_basic, 4): mu, a, b, c
    products: Array  # (n_products, 4): left, right, multiplicity, target
    scalars: Array  # (n_scalars,)
    n_moments: int
    radial_coefficients: Array  # (n_species, n_species, n_radial, radial_basis_size)
    species_coefficients: Array  # (n_species,)
    moment_coefficients: Array  # (n_scalars,)
    min_distance: float
    cutoff: float
    scaling: float = 1.0


@dataclass(frozen=True)
class ReferenceResult:
    energy: float  # eV
    site_energies: Array  # (n_atoms,) eV
    forces: Array  # (n_atoms, 3) eV/A
    virial: Array  # (3, 3) dE/d strain, eV
    stress: Array  # (6,) virial / volume, ASE's order and sign, eV/A^3; NaN without a volume


def reference_of(potential) -> ReferencePotential:
    """Return the plain arrays of a potential of the package."""
    names = (
        "radial_coefficients species_coefficients moment_coefficients min_distance cutoff scaling"
    )
    basis = potential.basis
    return ReferencePotential(
        basis.basic,
        basis.products,
        basis.scalars,
        basis.n_moments,
        **{name: getattr(potential, name) for name in names.split()},
    )


def find_neighbors(
    positions: Array, cell: Array, pbc: Array, cutoff: float
) -> list[list[tuple[int, Array]]]:
    """Return (j, r_ij) of all neighbours of each atom, images of itself included."""
    cell = np.asarray(cell, dtype=float)
    repeats = np.zeros(3, dtype=int)
    periodic = np.flatnonzero(pbc)
    if len(periodic):
        # a shift of sum_k n_k a_k has n_k = shift . b_k with the dual vectors b_k
        dual = np.linalg.pinv(cell[periodic])
        reach = cutoff + np.linalg.norm(np.ptp(positions, axis=0))
        repeats[periodic] = np.ceil(reach * np.linalg.norm(dual, axis=0))
    shifts = [
        np.array(image) @ cell for image in itertools.product(*(range(-n, n + 1) for n in repeats))
    ]
    neighbors: list[list[tuple[int, Array]]] = []
    for center in positions:
        found = []
        for j, other in enumerate(positions):
            for shift in shifts:
                vector = other + shift - center
                if 1e-9 < np.linalg.norm(vector) < cutoff:
                    found.append((j, vector))
        neighbors.append(found)
    return neighbors


def radial_functions(
    potential: ReferencePotential, distance: float, center: int, neighbor: int
) -> tuple[Array, Array]:
    """Return f_mu(r) and f_mu'(r) of all mu for a pair of types."""
    width = potential.cutoff - potential.min_distance
    x = (2 * distance - (potential.min_distance + potential.cutoff)) / width
    gap = potential.cutoff - distance
    coefficients = potential.radial_coefficients[center, neighbor].T
    series = chebyshev.chebval(x, coefficients)
    slope = chebyshev.chebval(x, chebyshev.chebder(coefficients)) * 2 / width
    return (
        potential.scaling * series * gap**2,
        potential.scaling * (slope * gap**2 - 2 * series * gap),
    )


def basic_moments(
    potential: ReferencePotential, center: int, types: Array, vectors: list[Array]
) -> tuple[Array, Array]:
    """Return all moments, basic ones filled, and their derivatives (n_moments, n_neighbors, 3)."""
    number = potential.radial_coefficients.dtype
    moments = np.zeros(potential.n_moments, dtype=number)
    derivatives = np.zeros((potential.n_moments, len(vectors), 3), dtype=number)
    mu, exponents = potential.basic[:, 0], potential.basic[:, 1:]
    n_basic = len(potential.basic)
    for n, (neighbor, vector) in enumerate(zip(types, vectors, strict=True)):
        distance = np.linalg.norm(vector)
        unit = vector / distance
        # d unit_k / d r_l = (delta_kl - unit_k unit_l) / r
        projector = (np.eye(3) - np.outer(unit, unit)) / distance
        f, df = radial_functions(potential, distance, center, neighbor)
        monomials = np.prod(unit**exponents, axis=1)
        slopes = np.zeros((n_basic, 3))
        for axis in range(3):
            lowered = np.maximum(exponents - np.eye(3, dtype=int)[axis], 0)
            slopes[:, axis] = exponents[:, axis] * np.prod(unit**lowered, axis=1)
        moments[:n_basic] += f[mu] * monomials
        derivatives[:n_basic, n] = np.outer(df[mu] * monomials, unit)
        derivatives[:n_basic, n] += f[mu, None] * (slopes @ projector)
    return moments, derivatives


def site_energy(
    potential: ReferencePotential, center: int, types: Array, vectors: list[Array]
) -> tuple[float, Array]:
    """Return V_i and dV_i/dr_ij (n_neighbors, 3)."""
    m, dm = basic_moments(potential, center, types, vectors)
    for left, right, multiplicity, target in potential.products:
        m[target] += multiplicity * m[left] * m[right]
        dm[target] += multiplicity * (m[left] * dm[right] + m[right] * dm[left])
    energy = potential.species_coefficients[center]
    energy = energy + potential.moment_coefficients @ m[potential.scalars]
    gradient = np.tensordot(potential.moment_coefficients, dm[potential.scalars], axes=1)
    return energy, gradient


def evaluate_reference(
    potential: ReferencePotential, types: Array, positions: Array, cell: Array, pbc: Array
) -> ReferenceResult:
    """Return energies, forces and stress of one configuration."""
    number = np.result_type(
        potential.radial_coefficients,
        potential.species_coefficients,
        potential.moment_coefficients,
    )
    potential = replace(potential, radial_coefficients=potential.radial_coefficients.astype(number))
    site_energies = np.zeros(len(positions), dtype=number)
    forces = np.zeros((len(positions), 3), dtype=number)
    virial = np.zeros((3, 3), dtype=number)
    neighbors = find_neighbors(positions, cell, pbc, potential.cutoff)
    for i, found in enumerate(neighbors):
        vectors = [vector for _, vector in found]
        energy, gradient = site_energy(potential, types[i], [types[j] for j, _ in found], vectors)
        site_energies[i] = energy
        for (j, vector), slope in zip(found, gradient, strict=True):
            forces[i] += slope
            forces[j] -= slope
            virial += np.outer(vector, slope)
    volume = abs(np.linalg.det(cell))
    stress = np.array([virial[pair] for pair in VOIGT]) / (volume if volume > 0 else np.nan)
    return ReferenceResult(site_energies.sum(), site_energies, forces, virial, stress)


def parameter_gradients(
    potential: ReferencePotential, types: Array, positions: Array, cell: Array, pbc: Array
) -> list[ReferenceResult]:
    """Return the derivatives of all results with respect to each parameter.

    Parameters are ordered as radial [centre, neighbour, mu, k], species, moments.
    """
    step = 1e-30
    gradients = []
    for name in ("radial_coefficients", "species_coefficients", "moment_coefficients"):
        for place in np.ndindex(getattr(potential, name).shape):
            shifted = getattr(potential, name).astype(complex)
            shifted[place] += 1j * step
            result = evaluate_reference(
                replace(potential, **{name: shifted}), types, positions, cell, pbc
            )
            gradients.append(
                ReferenceResult(
                    **{key: np.imag(value) / step for key, value in vars(result).items()}
                )
            )
    return gradients
