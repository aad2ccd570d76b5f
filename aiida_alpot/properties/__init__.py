# SPDX-License-Identifier: MIT
"""Properties of a material, measured with any ASE calculator.

Each is a function of calculator, structure and settings that returns a frozen result; by name they
stand in :data:`~aiida_alpot.properties.registry.PROPERTIES`.
"""

from aiida_alpot.properties.elastic import ElasticConstants, ElasticSettings, elastic
from aiida_alpot.properties.equation_of_state import (
    EquationOfState,
    EquationOfStateSettings,
    equation_of_state,
)
from aiida_alpot.properties.registry import PROPERTIES, measure
from aiida_alpot.properties.relaxing import PropertyError
from aiida_alpot.properties.stability import Stability, StabilitySettings, stability
from aiida_alpot.properties.trajectory_errors import (
    TrajectoryErrors,
    TrajectoryErrorsSettings,
    trajectory_errors,
)
from aiida_alpot.properties.vacancy import VacancyFormation, VacancySettings, vacancy

__all__ = [
    "PROPERTIES",
    "ElasticConstants",
    "ElasticSettings",
    "EquationOfState",
    "EquationOfStateSettings",
    "PropertyError",
    "Stability",
    "StabilitySettings",
    "TrajectoryErrors",
    "TrajectoryErrorsSettings",
    "VacancyFormation",
    "VacancySettings",
    "elastic",
    "equation_of_state",
    "measure",
    "stability",
    "trajectory_errors",
    "vacancy",
]
