# SPDX-License-Identifier: MIT
"""The properties by name, and how they are measured from plain settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.errors import SettingError
from aiida_alpot.properties.elastic import ElasticSettings, elastic
from aiida_alpot.properties.equation_of_state import EquationOfStateSettings, equation_of_state
from aiida_alpot.properties.stability import StabilitySettings, stability
from aiida_alpot.properties.trajectory_errors import TrajectoryErrorsSettings, trajectory_errors
from aiida_alpot.properties.vacancy import VacancySettings, vacancy
from aiida_alpot.sampling.settings import make_settings

PROPERTIES: dict[str, tuple[Callable[..., Any], type]] = {
    "equation_of_state": (equation_of_state, EquationOfStateSettings),
    "elastic": (elastic, ElasticSettings),
    "vacancy": (vacancy, VacancySettings),
    "trajectory_errors": (trajectory_errors, TrajectoryErrorsSettings),
    "stability": (stability, StabilitySettings),
}
"""Name in a campaign file: (the function, the frozen dataclass of its settings)."""


def make_property_settings(kind: str, settings: Mapping[str, Any]) -> Any:
    """Return the settings of the property ``kind`` from plain values.

    Raises
    ------
    SettingError
        If the kind or a key is unknown, or a value is not allowed.
    """
    if kind not in PROPERTIES:
        raise SettingError(f"Unknown property {kind!r}; allowed are {', '.join(PROPERTIES)}.")
    return make_settings(PROPERTIES[kind][1], settings, owner=f"property '{kind}'")


def compares_with_reference(kind: str) -> bool:
    """Whether the property takes the reference, rather than being measured with it too."""
    return "reference" in inspect.signature(PROPERTIES[kind][0]).parameters


def needs_reference(kind: str) -> bool:
    """Whether the property has no meaning without a reference calculator."""
    reference = inspect.signature(PROPERTIES[kind][0]).parameters.get("reference")
    return reference is not None and reference.default is inspect.Parameter.empty


def measure(
    kind: str,
    calculator: Any,
    structure: Atoms,
    settings: Mapping[str, Any],
    *,
    reference: Any = None,
    rng: np.random.Generator | None = None,
) -> Any:
    """Measure the property ``kind`` and return its frozen result.

    Parameters
    ----------
    kind : str
        A key of :data:`PROPERTIES`.
    calculator : ASE calculator
    structure : Atoms
    settings : mapping
        Plain values of its settings.
    reference : ASE calculator, optional
        For the properties that compare with one.
    rng : numpy.random.Generator, optional
        For those that draw velocities.

    Raises
    ------
    SettingError
        If the kind or a setting is not allowed, or a reference is needed and absent.
    PropertyError
        If the property cannot be measured with this calculator.
    """
    made = make_property_settings(kind, settings)
    if needs_reference(kind) and reference is None:
        raise SettingError(
            f"The property '{kind}' compares with a reference calculator; give the key 'reference'."
        )
    function = PROPERTIES[kind][0]
    if compares_with_reference(kind):
        return function(calculator, structure, made, reference=reference, rng=rng)
    return function(calculator, structure, made)
