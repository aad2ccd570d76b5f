# SPDX-License-Identifier: MIT
"""Run a sampler from one or several starts and keep the frames that extrapolate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import calculator_request
from aiida_alpot.calculations.continued import ContinuedCalculation
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.data.content_file import ContentFileData


class SampleCalculation(ContinuedCalculation):
    """``alpot sample``: chains of a sampler, graded on the way.

    The setting ``chains`` names the configurations of ``structures`` to start from; it chooses
    them here and does not reach the job, whose ``starts.npz`` holds nothing else.
    """

    VERB: ClassVar[str] = "sample"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "candidates": ("candidates.npz", ConfigurationsData, True),
        "audit": ("audit.npz", ConfigurationsData, False),
        "restarts": ("restarts.npz", ConfigurationsData, False),
        "found": ("found.npz", ConfigurationsData, False),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the starts and what moves the atoms."""
        super().define(spec)
        spec.input("structures", valid_type=ConfigurationsData, help="Named starts.")
        spec.input(
            "potential",
            valid_type=PotentialData,
            required=False,
            help="Absent where the settings name a calculator of ASE.",
        )
        spec.input("active_set", valid_type=ActiveSetData, required=False, help="For the grades.")
        spec.input_namespace(
            "committee",
            valid_type=PotentialData,
            dynamic=True,
            required=False,
            help="Potentials whose disagreement grades, in place of an active set.",
        )
        spec.input(
            "restarts",
            valid_type=ConfigurationsData,
            required=False,
            help="Frames in which chains begin in place of their starts; each names its chain.",
        )
        spec.inputs.validator = _validate_inputs

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the starts of this job and the potential."""
        structures = self.inputs.structures.get_configurations()
        starts = starts_named(structures, settings.pop("chains"))
        restarts = files.add_optional(self.inputs.get("restarts"), "go_on_from")
        return {
            **self.continuation_request(),
            **({} if restarts is None else {"restarts": restarts}),
            "starts": files.write(starts, "starts"),
            "calculator": calculator_request(
                files,
                settings,
                self.inputs.get("potential"),
                self.inputs.get("active_set"),
                self.inputs.get("committee"),
            ),
        }


def starts_named(structures: Configurations, names: Sequence[str]) -> Configurations:
    """Return the configurations called ``names``, in that order.

    Raises
    ------
    ValueError
        If a name does not occur.
    """
    known = [str(name) for name in structures.identifier]
    missing = sorted(set(names) - set(known))
    if missing:
        raise ValueError(
            f"There is no start {', '.join(map(repr, missing))}; the structures are "
            f"{', '.join(map(repr, known))}."
        )
    return structures.select([known.index(name) for name in names])


def _validate_inputs(inputs: dict[str, Any], _: Any) -> str | None:
    settings = inputs.get("settings")
    if not isinstance(settings, orm.Dict):
        return None
    if "potential" not in inputs and "calculator" not in settings.get_dict():
        return "give a `potential`, or a `calculator` of ASE in `settings`"
    if "active_set" in inputs and inputs.get("committee"):
        return "give an `active_set` or a `committee`; one of them grades"
    try:
        starts_named(
            inputs["structures"].get_configurations(), settings.get_dict().get("chains", [])
        )
    except ValueError as error:
        return str(error)
    return None
