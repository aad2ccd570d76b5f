# SPDX-License-Identifier: MIT
"""Compute properties of a material with a potential or a reference calculator."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation, calculator_request
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData


class PropertiesCalculation(AlpotCalculation):
    """``alpot properties``: what a validation measures."""

    VERB: ClassVar[str] = "properties"

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the structures and what moves the atoms."""
        super().define(spec)
        spec.input("structures", valid_type=ConfigurationsData)
        spec.input("potential", valid_type=PotentialData, required=False)
        spec.input("active_set", valid_type=ActiveSetData, required=False)

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the structures and the potential."""
        return {
            "structures": files.add(self.inputs.structures, "structures"),
            "calculator": calculator_request(
                files, settings, self.inputs.get("potential"), self.inputs.get("active_set")
            ),
        }
