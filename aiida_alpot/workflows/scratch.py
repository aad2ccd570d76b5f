# SPDX-License-Identifier: MIT
"""Folders of jobs on their computers: cleaned when all was fetched, kept after a failure.

What a job wrote that its parser keeps lies in the repository of AiiDA by the time a WorkChain
looks at it; the folder on the computer is of use only where something went wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiida import orm

from aiida_alpot.calculations.exit_codes import UNFINISHED

KEEP_FOLDERS = "keep_folders"
"""Key of the options of a campaign, beside the roles: clean nothing."""


def keeps_folders(options: orm.Dict | None) -> bool:
    """Return whether the folders of jobs that ended well are kept too."""
    return options is not None and bool(options.get_dict().get(KEEP_FOLDERS, False))


def clean_folders(process: Any, jobs: Iterable[orm.ProcessNode]) -> None:
    """Empty the folders of jobs that ended well or go on, with one connection for each computer.

    A folder that cannot be reached stays, and is told of; it is no reason to stop a campaign.

    Parameters
    ----------
    process : WorkChain
        Whose input ``options`` may say that folders are kept, and which reports.
    jobs : iterable of ProcessNode
        Jobs, or processes that called some.
    """
    if keeps_folders(process.inputs.get("options")):
        return
    by_computer: dict[int, list[orm.RemoteData]] = {}
    for folder in _folders(jobs):
        by_computer.setdefault(folder.computer.pk, []).append(folder)
    for folders in by_computer.values():
        try:
            with folders[0].get_authinfo().get_transport() as transport:
                for folder in folders:
                    folder._clean(transport=transport)
        # whatever a transport or a file system may say
        except Exception as error:
            process.report(
                f"{len(folders)} folders on {folders[0].computer.label} are not cleaned: {error}"
            )


def _folders(jobs: Iterable[orm.ProcessNode]) -> Iterable[orm.RemoteData]:
    for job in jobs:
        if not job.is_finished_ok and job.exit_status != UNFINISHED:
            continue
        if isinstance(job, orm.WorkChainNode):
            yield from _folders(job.called)
        elif isinstance(job, orm.CalcJobNode):
            is_own = not job.base.caching.is_created_from_cache
            if is_own and "remote_folder" in job.outputs:
                yield job.outputs.remote_folder
