# SPDX-License-Identifier: MIT
"""Evaluate a potential on configurations."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.data.content_file import ContentFileData


class EvaluateCalculation(AlpotCalculation):
    """``alpot evaluate``: predictions of a potential and, where there are labels, its errors."""

    VERB: ClassVar[str] = "evaluate"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "predictions": ("predictions.npz", ConfigurationsData, True),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the potential and the configurations."""
        super().define(spec)
        spec.input("potential", valid_type=PotentialData)
        spec.input("configurations", valid_type=ConfigurationsData)
        spec.input_namespace(
            "committee",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            help="Potentials whose disagreement is compared with the errors of forces.",
        )

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the potential and the configurations."""
        return {
            "potential": files.add(self.inputs.potential, "potential"),
            "configurations": files.add(self.inputs.configurations, "configurations"),
            "committee": files.add_each(self.inputs.get("committee", {}), "committee"),
        }
