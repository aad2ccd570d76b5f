# SPDX-License-Identifier: MIT
"""Relax thousands of structures together with a potential."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.data.content_file import ContentFileData


class RelaxCalculation(AlpotCalculation):
    """``alpot relax``: structures to their nearest minima, with predictions where they stopped.

    The section ``settings`` of the settings are those of
    :class:`~aiida_alpot.sampling.batched.relaxation.BatchedRelaxationSettings`.
    """

    VERB: ClassVar[str] = "relax"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "relaxed": ("relaxed.npz", ConfigurationsData, True),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the potential, the starts and what grades them."""
        super().define(spec)
        spec.input("potential", valid_type=PotentialData)
        spec.input("configurations", valid_type=ConfigurationsData, help="Where they start.")
        spec.input(
            "active_set",
            valid_type=ActiveSetData,
            required=False,
            help="Grades on the way; a structure stops at the setting gamma_break.",
        )

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the potential, the starts and the active set."""
        return {
            "potential": files.add(self.inputs.potential, "potential"),
            "configurations": files.add(self.inputs.configurations, "configurations"),
            "active_set": files.add_optional(self.inputs.get("active_set"), "active_set"),
        }
