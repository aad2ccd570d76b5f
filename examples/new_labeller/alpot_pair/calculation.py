# SPDX-License-Identifier: MIT
"""The plugin for the code: a CalcJob and its parser, as any plugin of AiiDA has them."""

from __future__ import annotations

import json
from typing import Any

from aiida import orm
from aiida.common import CalcInfo, CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob, CalcJobProcessSpec, ExitCode
from aiida.parsers import Parser

INPUT, OUTPUT = "input.json", "output.json"


class PairCalculation(CalcJob):
    """Energy, forces and pressure of one structure."""

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Define inputs, outputs and exit codes."""
        super().define(spec)
        spec.inputs["metadata"]["options"]["parser_name"].default = "pair.energy"
        spec.inputs["metadata"]["options"]["resources"].default = {
            "num_machines": 1,
            "num_mpiprocs_per_machine": 1,
        }
        spec.input("structure", valid_type=orm.StructureData)
        spec.input("parameters", valid_type=orm.Dict)
        spec.output("results", valid_type=orm.Dict)
        spec.exit_code(300, "ERROR_NO_OUTPUT", message="the code wrote no result")
        spec.exit_code(410, "ERROR_TOO_MANY_PAIRS", message="there were too many pairs")

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Write the input file."""
        atoms = self.inputs.structure.get_ase()
        content = {
            "cell": atoms.cell.array.tolist(),
            "positions": atoms.positions.tolist(),
            **self.inputs.parameters.get_dict(),
        }
        with folder.open(INPUT, "w") as stream:
            json.dump(content, stream)
        code = CodeInfo()
        code.code_uuid = self.inputs.code.uuid
        code.cmdline_params = [INPUT, OUTPUT]
        info = CalcInfo()
        info.codes_info = [code]
        info.retrieve_list = [OUTPUT]
        return info


class PairParser(Parser):
    """Keeps what the code wrote."""

    def parse(self, **_: Any) -> ExitCode | None:
        """Store the results; say where there are none."""
        try:
            content = json.loads(self.retrieved.base.repository.get_object_content(OUTPUT))
        except (FileNotFoundError, ValueError):
            return self.exit_codes.ERROR_NO_OUTPUT
        self.out("results", orm.Dict(content))
        return None if content["done"] else self.exit_codes.ERROR_TOO_MANY_PAIRS
