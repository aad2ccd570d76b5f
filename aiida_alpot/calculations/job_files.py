# SPDX-License-Identifier: MIT
"""Files that a job reads: which node each comes from and what the request calls it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida.common.folders import Folder
from aiida.orm import SinglefileData

from aiida_alpot.campaign.file_names import require_name_of_attachment
from aiida_alpot.configurations import Configurations
from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.errors import CampaignFileError


def refuse_reserved_names(nodes: Mapping[str, SinglefileData] | None, _: Any) -> str | None:
    """Return why files cannot travel under the names that they have, or None."""
    for node in (nodes or {}).values():
        try:
            require_name_of_attachment(node.filename, place="a file of the job")
        except CampaignFileError as error:
            return str(error)
    return None


class JobFiles:
    """Collects the files of a job; every method returns the name that goes into the request.

    Files of whole nodes are copied from the repository and not stored a second time; only
    subsets are written into the folder of the job.
    """

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.copies: list[tuple[str, str, str]] = []

    def add(self, node: ContentFileData, stem: str) -> str:
        """Ship the file of ``node`` under the name ``stem`` with the suffix of its kind."""
        name = stem + Path(node.filename).suffix
        self.copies.append((node.uuid, node.filename, name))
        return name

    def add_optional(self, node: ContentFileData | None, stem: str) -> str | None:
        """Ship the file of ``node`` if there is one."""
        return None if node is None else self.add(node, stem)

    def add_each(self, nodes: Mapping[str, ContentFileData], stem: str) -> list[str]:
        """Ship the files of a namespace in the order of their keys."""
        return [self.add(nodes[key], f"{stem}_{key}") for key in sorted(nodes)]

    def add_named(self, nodes: Mapping[str, ContentFileData], stem: str) -> dict[str, str]:
        """Ship the files of a namespace and keep their keys as names."""
        return {key: self.add(nodes[key], f"{stem}_{key}") for key in sorted(nodes)}

    def add_attachments(self, nodes: Mapping[str, SinglefileData]) -> None:
        """Ship files that the settings of a calculator name, under the names they have."""
        for key in sorted(nodes):
            node = nodes[key]
            self.copies.append((node.uuid, node.filename, node.filename))

    def write(self, configurations: Configurations, stem: str) -> str:
        """Write a subset that is no node of its own."""
        name = f"{stem}.npz"
        with self.folder.open(name, "wb") as handle:
            handle.write(configurations.to_bytes())
        return name
