# SPDX-License-Identifier: MIT
"""Files that a calculator reads, such as an EAM potential: where they lie, what jobs call them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot.campaign.file_names import file_of_campaign, require_name_of_attachment
from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile

KEY = "file"


def calculator_files(content: CampaignFile, folder: Path, source: str) -> dict[str, Path]:
    """Return the files of the calculators that label and explore first, by names of inputs.

    Parameters
    ----------
    content : CampaignFile
        The campaign.
    folder : path
        Relative names count from here.
    source : str
        Names the campaign file in messages.

    Raises
    ------
    InputFileError
        If a file is missing.
    CampaignFileError
        If a file lies outside of the folder, has a name that jobs keep for themselves, or two
        different files have one name: jobs have them in one folder.
    """
    files = {}
    label, first = content.label, content.start.calculator
    if KEY in label.settings:
        files["label"] = _existing(folder, label.settings[KEY], "label.settings.file", source)
    if first is not None and KEY in first.settings:
        at = "start.calculator.settings.file"
        path = _existing(folder, first.settings[KEY], at, source)
        same = files.get("label")
        if same is not None and same.name == path.name and same != path:
            raise wrong_value(
                source,
                ("start", "calculator", "settings", KEY),
                first.settings[KEY],
                "another name than that of label.settings.file, unless it is the same file",
            )
        if path != same:
            files["first"] = path
    return files


def settings_in_job(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a calculator as its job needs them: files lie in its own folder."""
    return {name: Path(value).name if name == KEY else value for name, value in settings.items()}


def _existing(folder: Path, name: str, key: str, source: str) -> Path:
    place = f"{source}: {key}"
    path = file_of_campaign(folder, str(name), place=place)
    require_name_of_attachment(path.name, place=place)
    return path
