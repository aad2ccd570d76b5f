# SPDX-License-Identifier: MIT
"""Files that only save time: made once, shared by the processes of a user, deleted at will.

Several processes, hosts and versions may use the folder at once. A file is written under a name of
its own and then moved to its place, so that nobody ever reads half of one; whoever keeps files here
names them by all that decides their content. Nothing here may stop a job: a folder that cannot be
written, or a full disk, only means that the work is done again.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

VARIABLE = "ALPOT_CACHE_DIR"
"""Environment variable that names another folder, as one on the disk of a compute node."""


@cache
def user_cache_folder() -> Path | None:
    """Return the first folder for such files that can be written to, None if there is none.

    Candidates are ``$ALPOT_CACHE_DIR``, ``$XDG_CACHE_HOME/aiida-alpot`` (``~/.cache/aiida-alpot``
    where that is not set), and a folder of the user in the place for temporary files.
    """
    return next((folder for folder in _candidates() if can_write(folder)), None)


def keep_file(path: Path, content: bytes) -> bool:
    """Write a file in one move, whatever other processes do; return whether that was possible."""
    try:
        descriptor, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
            Path(partial).replace(path)
        except OSError:
            Path(partial).unlink(missing_ok=True)
            raise
    except OSError:
        return False
    return True


def can_write(folder: Path) -> bool:
    """Return whether a folder is there or can be made, and takes files."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


def _candidates() -> Iterator[Path]:
    if os.environ.get(VARIABLE):
        yield Path(os.environ[VARIABLE])
    if os.environ.get("XDG_CACHE_HOME"):
        yield Path(os.environ["XDG_CACHE_HOME"], "aiida-alpot")
    else:
        yield Path("~/.cache/aiida-alpot").expanduser()
    user = os.getuid() if hasattr(os, "getuid") else 0
    shared = Path(tempfile.gettempdir(), f"aiida-alpot-{user}")
    if _is_private(shared, user):
        yield shared


def _is_private(folder: Path, user: int) -> bool:
    """Return whether nobody else could have put files there."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return status.st_uid == user and not folder.is_symlink() and not status.st_mode & 0o022
