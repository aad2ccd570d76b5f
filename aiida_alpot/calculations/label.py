# SPDX-License-Identifier: MIT
"""Label configurations: energies, forces and stresses of a calculator of ASE or of GPAW."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, ClassVar

from aiida.common import CalcInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJobProcessSpec

from aiida_alpot.calculations.base import AlpotCalculation, package_file
from aiida_alpot.calculations.job_files import JobFiles
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.jobs.label_driver import LOG_FOLDER, PROGRESS_FILE
from aiida_alpot.jobs.requests import REQUEST_FILE

DRIVER = "label_driver.py"


class LabelCalculation(AlpotCalculation):
    """``alpot label``: a batch of configurations, a verdict for each.

    The code is ``alpot``, or an interpreter that knows numpy, ASE and the labelling code but
    not this package (GPAW of the distribution, ``gpaw`` for its parallel runs): then the
    self-contained driver travels with the job. The setting ``indices`` chooses the
    configurations of the batch and does not reach the job.
    """

    VERB: ClassVar[str] = "label"
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {
        "labelled": ("labelled.npz", ConfigurationsData, False),
    }

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Add the configurations and what a batch can end with."""
        super().define(spec)
        spec.inputs["metadata"]["options"]["parser_name"].default = "alpot.label"
        spec.input("configurations", valid_type=ConfigurationsData)
        spec.exit_code(
            310,
            "ERROR_NOTHING_LABELLED",
            message="no configuration of the batch could be labelled: {message}",
            invalidates_cache=True,
        )
        spec.exit_code(
            401,
            "ERROR_PARTIAL_BATCH",
            message="{message}",
            invalidates_cache=True,
        )

    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the configurations of this batch."""
        indices = settings.pop("indices", None)
        if indices is None:
            return {"configurations": files.add(self.inputs.configurations, "configurations")}
        batch = batch_of(self.inputs.configurations, indices)
        return {"configurations": files.write(batch, "configurations")}

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Fetch the logs of the labelling code too, and what a job that died leaves behind."""
        info = super().prepare_for_submission(folder)
        info.retrieve_list += [LOG_FOLDER, PROGRESS_FILE]
        return info

    def command(self, folder: Folder) -> list[str]:
        """Return the arguments of ``alpot``, of Python or of ``gpaw``, by the program's name."""
        program = PurePath(str(self.inputs.code.get_executable())).name
        if program.startswith("alpot"):
            return super().command(folder)
        folder.insert_path(str(package_file("jobs", DRIVER)), DRIVER)
        interpreter = ["python"] if program.startswith("gpaw") else []
        return [*interpreter, DRIVER, REQUEST_FILE]


def batch_of(configurations: ConfigurationsData, indices: list[int] | None) -> Configurations:
    """Return the configurations of a batch; all of them without ``indices``."""
    everything: Configurations = configurations.get_configurations()
    return everything if indices is None else everything.select(indices)
