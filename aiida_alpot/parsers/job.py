# SPDX-License-Identifier: MIT
"""The parser of all jobs.

It refuses a schema it does not know, stores what the job wrote, and maps the error class that a
job reports to the exit code of that class. Whatever the scheduler reports (out of memory, out
of time, node failure) stands; what the job had written by then is stored all the same.
"""

from __future__ import annotations

import fnmatch
import io
import json
from pathlib import PurePath
from typing import Any

from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from aiida_alpot.calculations.base import STANDARD_ERROR
from aiida_alpot.calculations.exit_codes import ERROR_CLASSES, SCHEDULER_STATUSES
from aiida_alpot.errors import AlpotError, InputFileError, SettingError
from aiida_alpot.jobs.checkpoints import CHECKPOINT_FILE
from aiida_alpot.jobs.requests import RESULT_FILE
from aiida_alpot.jobs.results import parse_result


class JobParser(Parser):
    """Reads ``result.json`` and the files that the CalcJob names in ``OUTPUTS``."""

    CACHE_VERSION = 1

    def parse(self, **_: Any) -> ExitCode | None:
        """Store the outputs; return the exit code, or None if the job did what it was asked for."""
        exit_code = self.store_outputs()
        if self.node.exit_status in SCHEDULER_STATUSES:
            return ExitCode(self.node.exit_status, self.node.exit_message, True)
        return exit_code

    def store_outputs(self) -> ExitCode | None:
        """Store the result and the files; return what is wrong with them."""
        result = self.read_result()
        if isinstance(result, ExitCode):
            self.store_checkpoint()
            return result
        self.out("result", orm.Dict(result))
        if result.get("unfinished"):
            self.store_checkpoint()
            return self.exit_codes.ERROR_UNFINISHED
        if "error" in result:
            return self.exit_code_of_error(result["error"])
        return self.store_files() or self.judge(result)

    def judge(self, result: dict[str, Any]) -> ExitCode | None:
        """Return an exit code if the result, though readable, is not what was asked for."""
        return None

    def read_result(self) -> dict[str, Any] | ExitCode:
        """Return the content of ``result.json``, or the exit code that says why it is of no use."""
        try:
            content = self.retrieved.base.repository.get_object_content(RESULT_FILE, mode="rb")
        except FileNotFoundError:
            return self.exit_codes.ERROR_NO_RESULT.format(message=self.last_words())
        try:
            return parse_result(content, job=self.node.process_class.VERB, source=RESULT_FILE)
        except InputFileError as error:
            return self.exit_codes.ERROR_RESULT_UNREADABLE.format(message=str(error))
        except SettingError as error:
            return self.exit_codes.ERROR_UNKNOWN_SCHEMA.format(message=str(error))

    def exit_code_of_error(self, error: dict[str, Any]) -> ExitCode:
        """Return the exit code of an error that the job reported."""
        name, message = str(error.get("class")), str(error.get("message"))
        if name in ERROR_CLASSES:
            exit_code: ExitCode = getattr(self.exit_codes, ERROR_CLASSES[name][1])
            return exit_code.format(message=message)
        return self.exit_codes.ERROR_UNEXPECTED.format(message=f"{name}: {message}")

    def store_files(self) -> ExitCode | None:
        """Make a node of each file; return an exit code for the first that is not usable."""
        for name, (filename, node_type, required) in self.files_of_outputs().items():
            try:
                with self.retrieved.base.repository.open(filename, "rb") as handle:
                    self.out(name, node_type(handle, filename=filename))
            except FileNotFoundError:
                if required:
                    return self.exit_codes.ERROR_MISSING_OUTPUT.format(message=filename)
            except AlpotError as error:
                return self.exit_codes.ERROR_UNREADABLE_OUTPUT.format(message=str(error))
        return None

    def store_checkpoint(self) -> None:
        """Store the checkpoint of a job that was not through, if it left one that is whole."""
        if "checkpoint" not in self.node.process_class.spec().outputs:
            return
        try:
            content = self.retrieved.base.repository.get_object_content(CHECKPOINT_FILE, mode="rb")
            json.loads(content)
        except (FileNotFoundError, ValueError, RecursionError):
            return
        self.out("checkpoint", orm.SinglefileData(io.BytesIO(content), filename=CHECKPOINT_FILE))

    def files_of_outputs(self) -> dict[str, tuple[str, Any, bool]]:
        """Return file, node type and whether it must be there, by the names of the outputs."""
        files = dict(self.node.process_class.OUTPUTS)
        retrieved = self.retrieved.base.repository.list_object_names()
        for namespace, (pattern, node_type) in self.node.process_class.FAMILIES.items():
            for filename in sorted(fnmatch.filter(retrieved, pattern)):
                files[f"{namespace}.{PurePath(filename).stem}"] = (filename, node_type, True)
        return files

    def last_words(self) -> str:
        """Return the last line that the job wrote to its standard error."""
        names = (STANDARD_ERROR, self.node.get_option("scheduler_stderr"))
        for name in names:
            if name in self.retrieved.base.repository.list_object_names():
                lines = self.retrieved.base.repository.get_object_content(name).split("\n")
                spoken = [line.strip() for line in lines if line.strip()]
                if spoken:
                    return str(spoken[-1])[:300]
        return "(none)"
