# SPDX-License-Identifier: MIT
"""Where the jobs of a campaign run: the machines file, or the local computer.

The campaign file says what is done, the machines file where; a campaign moves from a laptop to a
cluster by another machines file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from aiida_alpot.campaign.machine_options import require_plain_options, require_single_lines
from aiida_alpot.campaign.messages import from_validation
from aiida_alpot.campaign.schema import MachinesFile, Role
from aiida_alpot.campaign.yaml_file import read_yaml

LOCAL_CODE = "alpot@localhost"
ROLES = ("fit", "sample", "label")


def load_machines(
    path: str | Path | MachinesFile | None, *, is_named_by_campaign: bool = False
) -> MachinesFile:
    """Read a machines file; without one, every job runs on the local computer with one process.

    ``is_named_by_campaign`` refuses options that can run programs, see
    :mod:`aiida_alpot.campaign.machine_options`.

    Raises
    ------
    CampaignFileError
        If the file cannot be read or holds a wrong key or value.
    """
    if isinstance(path, MachinesFile):
        return path
    if path is None:
        return MachinesFile()
    content = read_yaml(path)
    try:
        machines = MachinesFile.model_validate(content)
    except ValidationError as error:
        raise from_validation(str(path), MachinesFile, error) from error
    require_single_lines(machines, str(path))
    if is_named_by_campaign:
        require_plain_options(machines, str(path))
    return machines


def job_options(role: Role, extra: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return ``metadata.options`` of the jobs of a role; ``extra`` goes before the role's own."""
    return {"resources": role.resources, **role.options, **(extra or {})}


def cluster_machines(
    computer: str,
    *,
    processes: int,
    queue: str = "",
    account: str = "",
    label_code: str | None = None,
) -> str:
    """Return the text of a machines file for a cluster with Slurm, to begin with and to edit.

    Parameters
    ----------
    computer : str
        Label of the computer.
    processes : int
        Cores of a node. A fit takes them as threads, a label job as MPI processes, a sampler one.
    queue, account : str
        Partition and account; left out where empty.
    label_code : str, optional
        Label of the code that labels, without the computer; ``alpot`` if absent.
    """
    common: dict[str, Any] = {}
    if queue:
        common["queue_name"] = queue
    if account:
        common["account"] = account
    one = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
    roles = {
        "fit": {
            "code": f"alpot@{computer}",
            "threads": processes,
            "resources": {**one, "num_cores_per_mpiproc": processes},
            "options": {**common, "max_wallclock_seconds": 12 * 3600},
        },
        "sample": {
            "code": f"alpot@{computer}",
            "threads": 1,
            "resources": one,
            "options": {**common, "max_wallclock_seconds": 12 * 3600},
            "max_jobs": 20,
        },
        "label": {
            "code": f"{label_code or 'alpot'}@{computer}",
            "resources": {"num_machines": 1, "num_mpiprocs_per_machine": processes},
            "options": {**common, "max_wallclock_seconds": 24 * 3600},
            "max_jobs": 20,
        },
    }
    head = "# Where the jobs of a campaign run; docs/campaign-file.md has all keys"
    return head + "\n" + yaml.safe_dump(roles, sort_keys=False)
