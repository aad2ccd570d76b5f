# SPDX-License-Identifier: MIT
"""Which files a campaign may name: those below its folder, or below folders that its owner names.

A campaign file may come from somebody else. What it reads must lie in its own folder, links
followed, so that it cannot carry foreign files into structures, messages or jobs. Large data sets
that several campaigns share lie elsewhere: the environment variable ``ALPOT_DATA_PATH`` names
folders from which files are read too.
"""

from __future__ import annotations

import os
from pathlib import Path

from aiida_alpot.errors import CampaignFileError, InputFileError

DATA_PATH = "ALPOT_DATA_PATH"
RESERVED = ("request.json", "result.json", "label_driver.py", "configurations.npz", "labelled.npz")
"""Names of the files of a label job, which an attachment must not replace."""
_HIDDEN = ("_", ".")  # AiiDA's own files in the folder of a job


def file_of_campaign(folder: Path, name: str, *, place: str) -> Path:
    """Return the resolved path of a file that a campaign names.

    Parameters
    ----------
    folder : Path
        Of the campaign file, from which relative names count.
    name : str
        As it stands in the campaign file.
    place : str
        Names file and key in messages.

    Raises
    ------
    CampaignFileError
        If the file lies outside of the folder and of those in ``ALPOT_DATA_PATH``.
    InputFileError
        If there is no such file.
    """
    try:
        path = (folder / name).resolve()
        is_file = path.is_file()
    except (OSError, ValueError, RuntimeError) as error:
        raise CampaignFileError(f"{place} is {name!r}, which is no file name.") from error
    allowed = [folder.resolve(), *shared_folders()]
    if not any(path.is_relative_to(one) for one in allowed):
        raise CampaignFileError(
            f"{place} is {name!r}, which lies outside of the folder of the campaign. Copy it "
            f"there, or name its folder in the environment variable {DATA_PATH}."
        )
    if not is_file:
        raise InputFileError(f"{place} is {name!r}, but there is no such file: {path}.")
    return path


def shared_folders() -> list[Path]:
    """Return the folders that the environment names, resolved."""
    named = os.environ.get(DATA_PATH, "").split(os.pathsep)
    return [Path(one).resolve() for one in named if one and Path(one).is_absolute()]


def require_name_of_attachment(name: str, *, place: str) -> None:
    """Refuse a file whose name would stand for another file in the folder of a job.

    Raises
    ------
    CampaignFileError
        If it does.
    """
    if name in RESERVED or name.startswith(_HIDDEN) or "\n" in name or "\r" in name:
        raise CampaignFileError(
            f"{place} is called {name!r}, a name that jobs keep for files of their own. Rename it."
        )
