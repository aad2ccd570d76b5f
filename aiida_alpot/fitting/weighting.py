# SPDX-License-Identifier: MIT
"""Weights of configurations in the loss, by name, by energy and by force.

The weight of a configuration is the product of the one that comes with the data and of a factor of
each rule below. Only ratios of weights count, see :mod:`aiida_alpot.fitting.loss`; a weight of zero
leaves a configuration out.

energy
    1 up to ``energy_window`` above the lowest energy, beyond it 1 / (1 + (x / energy_decay)^2) with
    x the excess over the window, zero above ``energy_limit``.
force
    (``force_limit`` / |f|)^2 where |f|, the largest labelled force of a configuration, is above the
    limit: a converged label with huge forces counts less, and is not dropped.
"""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.hull import energies_above_hull, energies_above_lowest

Array = np.ndarray


@dataclass(frozen=True)
class Weighting:
    """Rules for the weights of configurations; a rule that is None does not apply.

    Parameters
    ----------
    by_name : mapping of str to float
        Factor for the configurations whose identifier matches a pattern, as in ``{"surface*": 3}``;
        factors of several patterns multiply.
    energy_window : float or None
        eV/atom above the lowest energy with full weight; needs ``energy_decay``.
    energy_decay : float or None
        eV/atom beyond the window at which the weight is halved.
    energy_limit : float or None
        eV/atom above the lowest energy from which on configurations are left out.
    energy_zero : {"lowest", "hull"}
        Lowest energy of the same composition, or the convex hull over all compositions.
    force_limit : float or None
        eV/A.

    Raises
    ------
    SettingError
        If a number is negative or not finite, or the limits are not in order.
    """

    by_name: Mapping[str, float] = field(default_factory=dict)
    energy_window: float | None = None
    energy_decay: float | None = None
    energy_limit: float | None = None
    energy_zero: Literal["lowest", "hull"] = "lowest"
    force_limit: float | None = None

    def __post_init__(self) -> None:
        numbers = {f"the pattern '{name}'": value for name, value in self.by_name.items()}
        numbers |= {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if one.name not in ("by_name", "energy_zero")
        }
        for name, value in numbers.items():
            if value is not None and not (math.isfinite(value) and value >= 0.0):
                raise SettingError(f"The weighting has {value} for {name}; give a number >= 0.")
        for name in ("energy_decay", "force_limit"):
            if getattr(self, name) == 0.0:
                raise SettingError(f"The weighting has 0 for {name}; give a number > 0.")
        if (self.energy_decay is None) != (self.energy_window is None):
            raise SettingError(
                "The weighting needs energy_window and energy_decay together. For a sharp end give "
                "energy_limit alone."
            )
        if None not in (self.energy_window, self.energy_limit) and not (
            self.energy_window <= self.energy_limit  # type: ignore[operator]
        ):
            raise SettingError(
                f"The energy_limit of the weighting, {self.energy_limit}, is below its "
                f"energy_window, {self.energy_window}. Give a larger one."
            )

    @property
    def uses_energies(self) -> bool:
        """Whether any rule looks at energies."""
        return self.energy_window is not None or self.energy_limit is not None


def weigh_configurations(
    configurations: Configurations, weighting: Weighting, *, trusted: Array | None = None
) -> Configurations:
    """Return the set with the weights that the rules give it; see the module.

    Parameters
    ----------
    configurations : Configurations
        Labelled; a rule that needs a label which is absent does not apply.
    weighting : Weighting
        The rules.
    trusted : (n,) bool, optional
        Configurations whose energy may be the lowest; all by default. One absurd label would
        otherwise leave out all the others.

    """
    factors = _factors_by_name(configurations, weighting.by_name)
    if weighting.uses_energies:
        all_trusted = np.ones(len(configurations), dtype=bool) if trusted is None else trusted
        measure = energies_above_hull if weighting.energy_zero == "hull" else energies_above_lowest
        factors = factors * _factors_by_energy(measure(configurations, all_trusted), weighting)
    if weighting.force_limit is not None:
        largest = np.maximum(largest_forces(configurations), weighting.force_limit)
        factors = factors * (weighting.force_limit / largest) ** 2
    return configurations.replace(weight=configurations.weight * factors)


def largest_forces(configurations: Configurations) -> Array:
    """Return (n,): the largest labelled force of each configuration that is trained on, eV/A."""
    lengths = np.linalg.norm(configurations.forces, axis=1)
    counted = configurations.force_mask & np.isfinite(lengths)
    # a zero behind the last atom keeps reduceat from failing on empty configurations
    padded = np.append(np.where(counted, lengths, 0.0), 0.0)
    largest: Array = np.maximum.reduceat(padded, configurations.offsets[:-1])
    return largest


def matches(configurations: Configurations, pattern: str) -> Array:
    """Return (n,) bool: whether the identifier of each configuration is like a pattern."""
    return np.array(
        [fnmatch.fnmatchcase(str(name), pattern) for name in configurations.identifier], dtype=bool
    )


def _factors_by_name(configurations: Configurations, patterns: Mapping[str, float]) -> Array:
    factors = np.ones(len(configurations))
    for pattern, factor in patterns.items():
        factors[matches(configurations, pattern)] *= factor
    return factors


def _factors_by_energy(above: Array, weighting: Weighting) -> Array:
    factors = np.ones(len(above))
    if weighting.energy_decay is not None and weighting.energy_window is not None:
        excess = np.maximum(above - weighting.energy_window, 0.0) / weighting.energy_decay
        factors = 1.0 / (1.0 + excess**2)
    if weighting.energy_limit is not None:
        factors = np.where(above > weighting.energy_limit, 0.0, factors)
    return np.where(np.isfinite(above), factors, 1.0)
