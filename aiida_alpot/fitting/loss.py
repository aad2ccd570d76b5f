# SPDX-License-Identifier: MIT
"""The loss of a fit, and labels prepared for it.

For configurations k of N atoms each, with weights w_k of sum W and labels E0, f0, S0::

    L = (1/W) sum_k w_k [ w_E (E - E0)^2 / N + w_f sum_i |f_i - f0_i|^2 + w_s ||S - S0||^2 / N ]
        + penalty

S is volume times stress in eV, with the Frobenius norm over all nine components: the default
weighting of MLIP ("vibrations"), where W is the number of configurations. ``size_power`` divides by
another power of N: with zero ("molecules") the errors of whole cells count, with two those of
energies per atom, alike in small and large cells, as quoted errors do. A configuration of weight
zero has no influence at all, one of weight two that of two copies. Labels that are absent and
forces that a mask leaves out have no term; of chunks (:mod:`aiida_alpot.carving`) neither energy
nor stress has. With ``relative_force_eps`` = eps the force weight of an
atom becomes w_f eps / (|f0|^2 + eps), which counts errors relative to large forces. The penalty of
MLIP ::

    1e-6 [ sum_mu (|c_mu|^2 - 1)^2 + sum_(mu < mu') (c_mu . c_mu')^2 ]

over the radial coefficients c_mu of all pairs only fixes what the energy does not: the scale of the
radial functions, which the linear coefficients undo, and their mixtures.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from aiida_alpot.carving.labels import keep_central_forces
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.restraints import Restraints
from aiida_alpot.mtp.jacobian import Environment, make_environment
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.site_evaluator import SiteEvaluator, SiteResults

Array = np.ndarray
PENALTY = 1e-6
_VOIGT_COUNT = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0])


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the loss.

    Parameters
    ----------
    energy : float
        w_E, dimensionless.
    force : float
        w_f, A^2.
    stress : float
        w_s, dimensionless.
    relative_force_eps : float or None
        eps of relative forces, (eV/A)^2; absolute forces if None.
    size_power : int
        Power of N that the terms of energy and stress are divided by: 0, 1 or 2.

    Raises
    ------
    SettingError
        If a weight is negative or not finite, all are zero, eps is not positive, or the power is
        another one.
    """

    energy: float = 1.0
    force: float = 0.01
    stress: float = 0.001
    relative_force_eps: float | None = None
    size_power: int = 1

    def __post_init__(self) -> None:
        for name in ("energy", "force", "stress"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0.0):
                raise SettingError(f"The {name} weight is {value}; give a number >= 0.")
        if self.energy == self.force == self.stress == 0.0:
            raise SettingError("All weights of the loss are zero; give one that is positive.")
        eps = self.relative_force_eps
        if eps is not None and not (math.isfinite(eps) and eps > 0.0):
            raise SettingError(f"relative_force_eps is {eps}; give a number > 0 or leave it out.")
        if self.size_power not in (0, 1, 2):
            raise SettingError(f"size_power is {self.size_power}; give 0, 1 or 2.")


@dataclass(frozen=True)
class Targets:
    """Labels, and the square root of the weight of each; both zero where a label is absent.

    Parameters
    ----------
    energy, energy_scale : (n,) float64
        eV.
    strain, strain_scale : (n, 6) float64
        Volume times stress, eV.
    forces, force_scale : (n_atoms, 3) float64
        eV/A.
    restraints : Restraints or None
        What else holds the parameters; they are free if None.
    """

    energy: Array
    energy_scale: Array
    strain: Array
    strain_scale: Array
    forces: Array
    force_scale: Array
    restraints: Restraints | None = None

    @property
    def n_rows(self) -> int:
        """Number of labels that enter the loss."""
        scales = (self.energy_scale, self.strain_scale, self.force_scale)
        return sum(int(np.count_nonzero(scale)) for scale in scales)

    @property
    def negligible_loss(self) -> float:
        """Loss of a fit that is exact but for rounding: labels off by 1e-8 of their own size."""
        parts = (
            self.energy_scale * self.energy,
            self.strain_scale * self.strain,
            self.force_scale * self.forces,
        )
        return 1e-16 * sum(float(np.vdot(part, part)) for part in parts)

    def select(self, indices: Array, offsets: Array) -> Targets:
        """Return some configurations, in their order; ``offsets`` are the first atoms of all.

        Their labels weigh what they did among all.
        """
        counts = np.diff(offsets)
        is_kept = np.zeros(len(counts), dtype=bool)
        is_kept[indices] = True
        atoms = np.repeat(is_kept, counts)
        return Targets(
            self.energy[is_kept],
            self.energy_scale[is_kept],
            self.strain[is_kept],
            self.strain_scale[is_kept],
            self.forces[atoms],
            self.force_scale[atoms],
            self.restraints,
        )

    def weigh(self, factor: float) -> Targets:
        """Return the same labels with all weights multiplied by a factor."""
        root = math.sqrt(factor)
        return dataclasses.replace(
            self,
            energy_scale=root * self.energy_scale,
            strain_scale=root * self.strain_scale,
            force_scale=root * self.force_scale,
        )

    def has_forces(self, first: int, end: int, atoms: slice) -> bool:
        """Tell whether a block of configurations has any label beside energies."""
        return bool(self.strain_scale[first:end].any() or self.force_scale[atoms].any())


def make_targets(
    configurations: Configurations, weights: LossWeights, restraints: Restraints | None = None
) -> Targets:
    """Weigh the labels of a set as the loss does.

    Raises
    ------
    SettingError
        If the weight of a configuration is negative or not finite.
    """
    configurations = keep_central_forces(configurations)
    size = np.maximum(configurations.n_atoms, 1) ** weights.size_power
    of_set = _relative_weights(configurations)
    volumes = configurations.volumes
    strain = configurations.stress * volumes[:, None]
    strain[volumes == 0.0] = np.nan
    forces = np.where(configurations.force_mask[:, None], configurations.forces, np.nan)
    forces[~np.isfinite(forces).all(axis=1)] = np.nan
    of_atom = np.repeat(of_set, configurations.n_atoms) * weights.force
    eps = weights.relative_force_eps
    if eps is not None:
        of_atom = of_atom * eps / (np.nan_to_num(forces**2).sum(axis=1) + eps)
    of_strain = (of_set * weights.stress / size)[:, None] * _VOIGT_COUNT
    energy, energy_scale = _clear_absent(configurations.energy, of_set * weights.energy / size)
    strain, strain_scale = _clear_absent(strain, of_strain)
    forces, force_scale = _clear_absent(forces, np.broadcast_to(of_atom[:, None], forces.shape))
    return Targets(energy, energy_scale, strain, strain_scale, forces, force_scale, restraints)


def _relative_weights(configurations: Configurations) -> Array:
    """Return the weights of the configurations divided by their sum."""
    weights = configurations.weight
    for index in np.flatnonzero(~(np.isfinite(weights) & (weights >= 0.0))).tolist():
        raise SettingError(
            f"Configuration {configurations.describe(index)} has the weight {weights[index]}; give "
            "a number >= 0."
        )
    total = float(weights.sum())
    relative: Array = weights / total if total > 0.0 else weights
    return relative


def loss(
    potential: MomentTensorPotential,
    configurations: Configurations,
    weights: LossWeights | None = None,
) -> float:
    """Return the loss of a potential on labelled configurations, the penalty included."""
    environment = make_environment(potential, configurations)
    return loss_at(potential, environment, make_targets(configurations, weights or LossWeights()))


def loss_at(
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    threads: int = 1,
) -> float:
    """Return the loss of a potential, the penalty included, for environments and labels at hand.

    So is a pull of the restraints. The loss is infinite where a prediction overflows.
    """
    predicted = predict_sites(potential, environment, threads=threads)
    residuals = (
        (predicted.energies - targets.energy) * targets.energy_scale,
        (predicted.strains - targets.strain) * targets.strain_scale,
        (predicted.forces - targets.forces) * targets.force_scale,
    )
    data = float(sum((residual**2).sum() for residual in residuals))
    if targets.restraints is not None:
        data += targets.restraints.loss(potential.parameters)
    return data + penalty(potential) if math.isfinite(data) else math.inf


def predict_sites(
    potential: MomentTensorPotential, environment: Environment, *, threads: int = 1
) -> SiteResults:
    """Return energies and strain derivatives by configuration, and forces by atom."""
    sites = SiteEvaluator(potential, environment.types).evaluate(
        environment.neighbors, threads=threads
    )
    starts = environment.offsets[:-1]
    return SiteResults(
        np.add.reduceat(sites.energies, starts),
        sites.forces,
        np.add.reduceat(sites.strains, starts),
    )


def penalty(potential: MomentTensorPotential) -> float:
    """Return the penalty on the radial coefficients."""
    residuals, _ = penalty_residuals(potential)
    return float(residuals @ residuals)


def penalty_residuals(potential: MomentTensorPotential) -> tuple[Array, Array]:
    """Return residuals whose squares sum to the penalty, and their derivatives.

    Returns
    -------
    (n,) float64, (n, n_radial_parameters) float64
        By the radial coefficients, in the order of the parameters.
    """
    coefficients = potential.radial_coefficients
    n_species, _, n_radial, size = coefficients.shape
    functions = coefficients.reshape(n_species**2, n_radial, size).swapaxes(0, 1)
    residuals, rows = [], []
    for mu in range(n_radial):
        residuals.append(np.vdot(functions[mu], functions[mu]) - 1.0)
        row = np.zeros_like(functions)
        row[mu] = 2.0 * functions[mu]
        rows.append(row)
    for mu, other in combinations(range(n_radial), 2):
        residuals.append(np.vdot(functions[mu], functions[other]))
        row = np.zeros_like(functions)
        row[mu], row[other] = functions[other], functions[mu]
        rows.append(row)
    jacobian = np.array([row.swapaxes(0, 1).ravel() for row in rows])
    scale = math.sqrt(PENALTY)
    return scale * np.array(residuals), scale * jacobian


def _clear_absent(labels: Array, weights: Array) -> tuple[Array, Array]:
    """Return labels and square roots of weights, zero where the label is not a number."""
    known = np.isfinite(labels)
    return np.where(known, labels, 0.0), np.where(known, np.sqrt(weights), 0.0)
