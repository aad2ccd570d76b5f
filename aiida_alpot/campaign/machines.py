# SPDX-License-Identifier: MIT
"""Where the jobs of a campaign run: the machines file, or the local computer.

The campaign file says what is done, the machines file where; a campaign moves from a laptop to a
cluster by another machines file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from aiida_alpot.campaign.messages import from_validation
from aiida_alpot.campaign.schema import MachinesFile, Role
from aiida_alpot.campaign.yaml_file import read_yaml

LOCAL_CODE = "alpot@localhost"
ROLES = ("fit", "sample", "label")


def load_machines(path: str | Path | None) -> MachinesFile:
    """Read a machines file; without one, every job runs on the local computer with one process.

    Raises
    ------
    CampaignFileError
        If the file cannot be read or holds a wrong key or value.
    """
    if path is None:
        return MachinesFile()
    content = read_yaml(path)
    try:
        return MachinesFile.model_validate(content)
    except ValidationError as error:
        raise from_validation(str(path), MachinesFile, error) from error


def job_options(role: Role, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return ``metadata.options`` of the jobs of a role; ``extra`` goes before the role's own."""
    return {"resources": role.resources, **role.options, **(extra or {})}
