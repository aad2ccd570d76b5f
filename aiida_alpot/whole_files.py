# SPDX-License-Identifier: MIT
"""Files read and written in one go, the ways to fail told in one line."""

from __future__ import annotations

from pathlib import Path

from aiida_alpot.errors import InputFileError


def read_content(path: str | Path) -> bytes:
    """Return the bytes at ``path``.

    Raises
    ------
    InputFileError
        If the file is missing or cannot be read.
    """
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputFileError(f"Cannot read {path}: {error.strerror}.") from error


def read_text(path: str | Path, *, wanted: str) -> str:
    """Return the text at ``path``; ``wanted`` names for messages what it should be.

    Raises
    ------
    InputFileError
        If the file is missing, cannot be read or is no text in UTF-8.
    """
    try:
        return read_content(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputFileError(f"{path} is not a text file. Give {wanted}.") from error


def write_whole(path: str | Path, content: bytes) -> None:
    """Write ``content`` at ``path``, whole or not at all.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(content)
    partial.replace(target)


def write_content(path: str | Path, content: bytes) -> None:
    """Write ``content`` at ``path``, whole or not at all.

    Raises
    ------
    InputFileError
        If the file cannot be written.
    """
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror}.") from error


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` at ``path``, whole or not at all; errors as :func:`write_content`."""
    write_content(path, text.encode("utf-8"))
