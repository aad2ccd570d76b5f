# SPDX-License-Identifier: MIT
"""Base of the node types: one file of a fixed name, described by attributes read from its content.

A file is checked when it enters a node, whatever the constructor, so that a node that exists can be
read. Two nodes with equal content have equal attributes and equal hashes.
"""

from __future__ import annotations

import io
from abc import abstractmethod
from pathlib import Path
from typing import IO, Any, ClassVar

from aiida.common import exceptions
from aiida.orm import SinglefileData

from aiida_alpot.whole_files import read_content


class ContentFileData(SinglefileData):
    """A node that holds one file under the name ``FILENAME``."""

    FILENAME: ClassVar[str]
    DESCRIBED_BY: ClassVar[tuple[str, ...]]

    @classmethod
    @abstractmethod
    def describe(cls, content: bytes, source: str) -> dict[str, Any]:
        """Return the attributes named in ``DESCRIBED_BY``; refuse content that cannot be used."""

    @classmethod
    def from_file(cls, path: str | Path) -> Any:
        """Return an unstored node with the file at ``path``.

        Raises
        ------
        InputFileError
            If the file cannot be read or is of another kind.
        """
        content = read_content(path)
        node = cls()
        node._set_content(content, source=str(path))
        return node

    def set_file(self, file: str | Path | IO[Any], filename: str | Path | None = None) -> None:
        """Check and keep the content of ``file``; ``filename`` names it in messages only."""
        if isinstance(file, (str, Path)):
            content, source = Path(file).read_bytes(), str(file)
        else:
            given = file.read()
            content = given.encode("utf-8") if isinstance(given, str) else given
            source = str(filename or getattr(file, "name", self.FILENAME))
        self._set_content(content, source=source)

    @property
    def content(self) -> bytes:
        """The bytes of the file."""
        # the base class opens it twice, which takes longer than reading an increment
        content: bytes = self.base.repository.get_object_content(self.FILENAME, mode="rb")
        return content

    def _set_content(self, content: bytes, *, source: str) -> None:
        attributes = self.describe(content, source)
        # the copy in the base class also drops any file that was there before
        super().set_file(io.BytesIO(content), self.FILENAME)
        self.base.attributes.set_many(attributes)

    def _validate(self) -> None:
        super()._validate()
        missing = [name for name in self.DESCRIBED_BY if name not in self.base.attributes.all]
        if self.filename != self.FILENAME or missing:
            raise exceptions.ValidationError(
                f"A {type(self).__name__} is made with its constructors from_...(), which set "
                f"{', '.join(missing) or 'the file name'}."
            )
