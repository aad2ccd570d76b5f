# SPDX-License-Identifier: MIT
"""An active set in one node."""

from __future__ import annotations

from typing import Any, ClassVar

from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.grading.active_rows import ActiveSet


class ActiveSetData(ContentFileData):
    """Rows, origins and factorised matrix of an active set, as one ``.npz`` file.

    The set names its potential by the hash of that potential's content; the jobs check it on use.
    """

    FILENAME: ClassVar[str] = "active_set.npz"
    DESCRIBED_BY: ClassVar[tuple[str, ...]] = ("n_rows", "mode", "method", "potential_hash")

    @classmethod
    def describe(cls, content: bytes, source: str) -> dict[str, Any]:
        """Return the number of rows, the mode, the method and the hash of the potential.

        Raises
        ------
        InputFileError
            If the content is not an ``.npz`` file of an active set.
        """
        active_set = ActiveSet.from_bytes(content, source=source)
        return {
            "n_rows": active_set.rank,
            "mode": active_set.mode,
            "method": active_set.method,
            "potential_hash": active_set.potential_hash,
        }

    def get_active_set(self) -> ActiveSet:
        """Return the active set that the node holds."""
        return ActiveSet.from_bytes(self.content, source=f"node {self.uuid}")

    @property
    def n_rows(self) -> int:
        """Number of places."""
        return int(self.base.attributes.get("n_rows"))

    @property
    def mode(self) -> str:
        """What a row stands for: ``neighborhood`` or ``configuration``."""
        return str(self.base.attributes.get("mode"))

    @property
    def method(self) -> str:
        """How coordinates are made: ``projected`` or ``parity``."""
        return str(self.base.attributes.get("method"))

    @property
    def potential_hash(self) -> str:
        """Hash of the content of the potential that the rows belong to."""
        return str(self.base.attributes.get("potential_hash"))
