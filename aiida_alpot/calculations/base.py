# SPDX-License-Identifier: MIT
"""Base of the CalcJobs: a request and its files go out, a result and its files come back.

The folder of a job holds all that the job needs; it can be copied elsewhere and run again by
hand with the one line that stands in its submit script.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from aiida import orm
from aiida.common import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec

from aiida_alpot.calculations import outages  # noqa: F401  (of use in workers only)
from aiida_alpot.calculations.exit_codes import define_exit_codes
from aiida_alpot.calculations.job_files import JobFiles, refuse_reserved_names
from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.jobs.requests import REQUEST_FILE, RESULT_FILE, SCHEMA

STANDARD_OUTPUT = "alpot.out"
STANDARD_ERROR = "alpot.err"


class AlpotCalculation(CalcJob):
    """One sub-command of ``alpot`` on a computer.

    ``VERB`` names the sub-command, ``OUTPUTS`` the files that become nodes: ``{output: (file
    name, node type, whether it must be there)}``. ``FAMILIES`` names files of which there may be
    any number, ``{namespace: (pattern, node type)}``; a node is called as its file, without the
    suffix. Raise ``CACHE_VERSION`` when the job gives other numbers for the same request.
    """

    CACHE_VERSION = 1
    VERB: ClassVar[str]
    OUTPUTS: ClassVar[dict[str, tuple[str, type[ContentFileData], bool]]] = {}
    FAMILIES: ClassVar[dict[str, tuple[str, type[ContentFileData]]]] = {}

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define the ports that all jobs share."""
        super().define(spec)
        spec.input("settings", valid_type=orm.Dict, help="Keys of the request that are no files.")
        spec.input_namespace(
            "files",
            valid_type=orm.SinglefileData,
            dynamic=True,
            required=False,
            validator=refuse_reserved_names,
            help="Files that the settings name, such as those of an EAM potential.",
        )
        spec.input("metadata.options.parser_name", valid_type=str, default="alpot.job")
        spec.input("metadata.options.output_filename", valid_type=str, default=STANDARD_OUTPUT)
        spec.inputs["metadata"]["options"]["resources"].default = {
            "num_machines": 1,
            "num_mpiprocs_per_machine": 1,
        }
        spec.inputs["metadata"]["options"]["withmpi"].default = False
        spec.output("result", valid_type=orm.Dict, help="The content of result.json.")
        for name, (filename, node_type, required) in cls.OUTPUTS.items():
            spec.output(name, valid_type=node_type, required=required, help=f"From {filename}.")
        for name, (pattern, node_type) in cls.FAMILIES.items():
            spec.output_namespace(
                name, valid_type=node_type, dynamic=True, required=False, help=f"From {pattern}."
            )
        spec.default_output_node = "result"
        define_exit_codes(spec)

    @abstractmethod
    def request_files(self, files: JobFiles, settings: dict[str, Any]) -> dict[str, Any]:
        """Ship the files of the job and return the keys of the request that name them.

        ``settings`` is a copy of the input; keys that are meant for this method are taken out
        of it.
        """

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write ``request.json`` and say what to run, to send and to fetch."""
        settings = self.inputs.settings.get_dict()
        files = JobFiles(folder)
        named = self.request_files(files, settings)
        files.add_attachments(self.inputs.get("files", {}))
        request = {"schema": SCHEMA, "job": self.VERB, **settings, **named}
        with folder.open(REQUEST_FILE, "w", encoding="utf-8") as handle:
            json.dump(request, handle, indent=1, sort_keys=True)
        info = CalcInfo()
        info.codes_info = [self._code_info(folder)]
        info.prepend_text = f"export OMP_NUM_THREADS={int(settings.get('threads', 1))}"
        info.local_copy_list = files.copies
        outputs = [filename for filename, _, _ in self.OUTPUTS.values()]
        families = [(pattern, ".", 0) for pattern, _ in self.FAMILIES.values()]
        info.retrieve_list = [RESULT_FILE, STANDARD_OUTPUT, STANDARD_ERROR, *outputs, *families]
        return info

    def command(self, folder: Folder) -> list[str]:
        """Return the arguments of the code."""
        return [self.VERB, "--request", REQUEST_FILE]

    def _code_info(self, folder: Folder) -> CodeInfo:
        info = CodeInfo()
        info.code_uuid = self.inputs.code.uuid
        info.cmdline_params = self.command(folder)
        info.stdout_name = STANDARD_OUTPUT
        info.stderr_name = STANDARD_ERROR
        return info


def calculator_request(
    files: JobFiles,
    settings: dict[str, Any],
    potential: ContentFileData | None,
    active_set: ContentFileData | None,
    committee: Mapping[str, ContentFileData] | None = None,
) -> dict[str, Any]:
    """Return the calculator of a job: its potential, else what the settings name.

    What grades goes with the potential: its active set or the members of a committee.
    """
    if potential is None:
        calculator: dict[str, Any] = settings.pop("calculator")
        return calculator
    settings.pop("calculator", None)
    calculator = {"potential": files.add(potential, "potential")}
    if active_set is not None:
        calculator["active_set"] = files.add(active_set, "active_set")
    if committee:
        calculator["committee"] = files.add_each(committee, "committee")
    return calculator


def package_file(*parts: str) -> Path:
    """Return the path of a file of this package."""
    import aiida_alpot

    return Path(aiida_alpot.__file__).parent.joinpath(*parts)
