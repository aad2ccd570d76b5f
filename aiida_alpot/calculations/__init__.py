# SPDX-License-Identifier: MIT
"""CalcJobs: each runs one sub-command of ``alpot`` on a computer."""

from aiida_alpot.calculations.base import AlpotCalculation
from aiida_alpot.calculations.evaluate import EvaluateCalculation
from aiida_alpot.calculations.fit import FitCalculation
from aiida_alpot.calculations.label import LabelCalculation
from aiida_alpot.calculations.properties import PropertiesCalculation
from aiida_alpot.calculations.relax import RelaxCalculation
from aiida_alpot.calculations.sample import SampleCalculation
from aiida_alpot.calculations.select import SelectCalculation

__all__ = [
    "AlpotCalculation",
    "EvaluateCalculation",
    "FitCalculation",
    "LabelCalculation",
    "PropertiesCalculation",
    "RelaxCalculation",
    "SampleCalculation",
    "SelectCalculation",
]
