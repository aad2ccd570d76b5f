# SPDX-License-Identifier: MIT
"""Pass candidates through the gate and select those worth a label."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.data.content_file import ContentFileData


class SelectCalculation(AlpotCalculation):
    """``alpot select``: MAXVOL over training and candidates, or a committee, after the gate."""

    VERB: ClassVar[str] = "select"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "selected": ("selected.npz", ConfigurationsData, True),
        "held_out": ("test.npz", ConfigurationsData, False),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the potential, the training set and the candidates."""
        super().define(spec)
        spec.input(
            "potential",
            valid_type=PotentialData,
            required=False,
            help="Absent before the first fit; the settings name species, level and cutoff then.",
        )
        spec.input_namespace(
            "committee",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            help="Potentials; what they disagree about most is selected, in place of MAXVOL.",
        )
        spec.input_namespace(
            "training",
            valid_type=ConfigurationsData,
            dynamic=True,
            required=False,
            help="What the potential was trained on.",
        )
        spec.input_namespace(
            "candidates",
            valid_type=ConfigurationsData,
            dynamic=True,
            help="Frames of the samplers, in the order of their keys.",
        )
        for name, help_text in (
            ("quarantined", "Configurations whose labels failed for good."),
            ("pending", "Configurations whose labels are on their way."),
            ("frozen", "Test sets; what is like one of their configurations is not selected."),
        ):
            spec.input_namespace(
                name, valid_type=ConfigurationsData, dynamic=True, required=False, help=help_text
            )

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the potential and both sets."""
        return {
            "potential": files.add_optional(self.inputs.get("potential"), "potential"),
            "committee": files.add_each(self.inputs.get("committee", {}), "committee"),
            "training": files.add_each(self.inputs.get("training", {}), "training"),
            "candidates": files.add_each(self.inputs.candidates, "candidates"),
            "quarantined": files.add_each(self.inputs.get("quarantined", {}), "quarantined"),
            "pending": files.add_each(self.inputs.get("pending", {}), "pending"),
            "frozen": files.add_each(self.inputs.get("frozen", {}), "frozen"),
        }
