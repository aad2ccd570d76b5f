# SPDX-License-Identifier: MIT
"""Fit a potential to labelled configurations and build its active set."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.continued import ContinuedCalculation
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.data.content_file import ContentFileData


class FitCalculation(ContinuedCalculation):
    """``alpot fit``: training and test increments in, potential and active set out.

    With ``committee`` among the settings its members are ``committee.potential_000`` and so on.
    """

    VERB: ClassVar[str] = "fit"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "potential": ("potential.mtp", PotentialData, True),
        "active_set": ("active_set.npz", ActiveSetData, False),
    }
    FAMILIES: ClassVar[dict[str, tuple[str, type[ContentFileData]]]] = {
        "committee": ("potential_*.mtp", PotentialData),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the data sets and the potential to start from."""
        super().define(spec)
        spec.input_namespace(
            "training",
            valid_type=ConfigurationsData,
            dynamic=True,
            help="Increments of the training set, in the order of their keys.",
        )
        spec.input_namespace(
            "test",
            valid_type=ConfigurationsData,
            dynamic=True,
            required=False,
            help="Frozen test sets, by name; never trained on.",
        )
        spec.input(
            "initial", valid_type=PotentialData, required=False, help="Where the search starts."
        )

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the data sets and the potential to start from."""
        return {
            **self.continuation_request(),
            "training": files.add_each(self.inputs.training, "training"),
            "test": files.add_named(self.inputs.get("test", {}), "test"),
            "initial": files.add_optional(self.inputs.get("initial"), "initial"),
        }
