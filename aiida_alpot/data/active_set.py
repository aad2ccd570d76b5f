# SPDX-License-Identifier: MIT
"""An active set in one node."""

from __future__ import annotations

import io
import zipfile
from typing import Any, ClassVar

import numpy as np

from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.errors import InputFileError


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
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                return {
                    "n_rows": len(stored["rows"]),
                    "mode": str(stored["mode"]),
                    "method": str(stored["method"]),
                    "potential_hash": str(stored["potential_hash"]),
                }
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError) as error:
            raise InputFileError(
                f"{source} is not a readable .npz file of an active set ({error}). It may be "
                "truncated: build the active set again."
            ) from error

    @property
    def potential_hash(self) -> str:
        """Hash of the content of the potential that the rows belong to."""
        return str(self.base.attributes.get("potential_hash"))
