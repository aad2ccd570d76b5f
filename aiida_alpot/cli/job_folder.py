# SPDX-License-Identifier: MIT
"""File commands run the very jobs that AiiDA runs: flags become a request in a folder of its own.

So a number that a person gets on the command line is the number that a campaign gets.
"""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from aiida_alpot.errors import AlpotError, SettingError

if TYPE_CHECKING:
    from aiida_alpot.configurations import Configurations


class JobFolder:
    """A temporary folder with the files of one job.

    Files are added under plain names, :meth:`run` writes the request and runs it, and the folder
    goes with the ``with`` block.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="alpot-")
        self.path = Path(self._folder.name)
        self._copies: dict[str, Path] = {}

    def __enter__(self) -> JobFolder:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def add_file(self, path: Path) -> str:
        """Copy a file as it is, whatever its size, and return how a request names it.

        Errors of the job name the file that was copied.
        """
        folder = self.path / "input"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(path, folder / path.name)
        self._copies[str((folder / path.name).resolve())] = path
        return f"input/{path.name}"

    def add_configurations(self, configurations: Configurations, name: str) -> str:
        """Write configurations as ``name.npz`` and return the name of the file."""
        configurations.save(self.path / f"{name}.npz")
        return f"{name}.npz"

    def add_potential(self, path: Path, species: Sequence[str]) -> str:
        """Copy a potential with its species recorded, and return the name of the file.

        Raises
        ------
        InputFileError
            If the file is missing, unreadable or truncated.
        SpeciesError
            If neither the file nor ``species`` says which type is which element.
        """
        from aiida_alpot.mtp.mlip_files import read_potential, write_potential

        potential = read_potential(path, species or None)
        write_potential(potential, self.path / "potential.mtp")
        return "potential.mtp"

    def add_committee(self, paths: Sequence[Path], species: Sequence[str]) -> list[str]:
        """Copy the members of a committee, and return the names of the files.

        Raises
        ------
        InputFileError, SpeciesError
            As for :meth:`add_potential`.
        """
        from aiida_alpot.mtp.mlip_files import read_potential, write_potential

        names = [f"member_{number:03d}.mtp" for number in range(len(paths))]
        for path, name in zip(paths, names, strict=True):
            write_potential(read_potential(path, species or None), self.path / name)
        return names

    def add_active_set(self, path: Path, species: Sequence[str]) -> str:
        """Copy an active set, or that in an ``.almtp`` file, and return the name of the file.

        Raises
        ------
        InputFileError
            If the file is missing, unreadable or holds no active set.
        """
        from aiida_alpot.grading.mlip_state import load_active_set

        load_active_set(path, species or None).save(self.path / "active_set.npz")
        return "active_set.npz"

    def run(self, job: str, **keys: Any) -> dict[str, Any]:
        """Run a job with these keys and return its result.

        Raises
        ------
        SettingError
            If a number is infinite or none at all.
        AlpotError
            Whatever the job raises.
        """
        from aiida_alpot.jobs.requests import REQUEST_FILE, SCHEMA
        from aiida_alpot.jobs.run import run_request

        for key, value in keys.items():
            _require_numbers(key, value)
        request = {"schema": SCHEMA, "job": job, **keys}
        file = self.path / REQUEST_FILE
        file.write_text(json.dumps(request, indent=1), encoding="utf-8")
        try:
            return run_request(file)
        except AlpotError as error:
            text = str(error)
            for copy, original in self._copies.items():
                text = text.replace(copy, str(original))
            if text == str(error):
                raise
            raise type(error)(text) from error

    def configurations(self, name: str) -> Configurations:
        """Return the configurations that the job wrote as ``name``."""
        from aiida_alpot.configurations import Configurations

        return Configurations.load(self.path / name)


def species_of(path: Path, species: Sequence[str]) -> tuple[str, ...]:
    """Return the species of a potential file; ``species`` if it records none."""
    from aiida_alpot.mtp.mlip_files import read_potential

    return tuple(read_potential(path, species or None).species)


def holds_active_set(path: Path) -> bool:
    """Return whether a potential file holds an active set as well."""
    from aiida_alpot.mtp.selection_state import split_content
    from aiida_alpot.whole_files import read_content

    return split_content(read_content(path)).state is not None


def read_all(paths: Sequence[Path], species: Sequence[str] | None = None) -> Configurations:
    """Read the configurations of several files into one set.

    Raises
    ------
    InputFileError, EmptyDataError, LevelOfTheoryError
        If a file cannot be read or is empty, or the files do not go together.
    """
    from aiida_alpot.configurations import concatenate
    from aiida_alpot.mtp.structure_files import read_configurations

    return concatenate([read_configurations(path, species=species or None) for path in paths])


def read_usable(paths: Sequence[Path], species: Sequence[str] | None = None) -> Configurations:
    """Read as :func:`read_all`, and refuse structures that nothing can be computed for.

    Raises
    ------
    InputFileError, EmptyDataError, LevelOfTheoryError
        As :func:`read_all`.
    GeometryError
        If a position is not finite, atoms overlap or a cell has no volume.
    """
    from aiida_alpot.configuration_checks import check_geometry

    configurations = read_all(paths, species)
    check_geometry(configurations)
    return configurations


def write_json(content: Any, path: Path) -> None:
    """Write plain JSON, whole or not at all; NaN becomes null."""
    from aiida_alpot.jobs.requests import to_plain_json
    from aiida_alpot.whole_files import write_text

    write_text(path, json.dumps(to_plain_json(content), indent=1, allow_nan=False) + "\n")


def parse_settings(pairs: Sequence[str], option: str = "--set") -> dict[str, Any]:
    """Return settings given as ``KEY=VALUE``, values read as in a campaign file.

    Raises
    ------
    SettingError
        If one is not of that form or a key stands twice.
    """
    from aiida_alpot.campaign.yaml_file import parse_yaml

    settings: dict[str, Any] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise SettingError(f"{option} {pair} is not of the form KEY=VALUE.")
        if key in settings:
            raise SettingError(f"{option} {key} stands twice; keep one of them.")
        settings[key] = parse_yaml(f"value: {value}", source=f"{option} {pair}")["value"]
    return settings


def _require_numbers(key: str, value: Any) -> None:
    """Raise SettingError if a number within a value of a request is NaN or infinite."""
    if isinstance(value, float) and not math.isfinite(value):
        raise SettingError(f"'{key}' is {value}; it must be a number.")
    if isinstance(value, dict):
        for name, one in value.items():
            _require_numbers(f"{key}.{name}", one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            _require_numbers(key, one)
