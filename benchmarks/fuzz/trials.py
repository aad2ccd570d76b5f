# SPDX-License-Identifier: MIT
"""Give damaged files to a reader and look what it does."""

from __future__ import annotations

import warnings
from pathlib import Path

import ase.io
from hypothesis import HealthCheck, Phase, given, seed, settings

from aiida_alpot.errors import AlpotError

from .campaign_files import MACHINES
from .guard import Finding, done_so_far, guarded
from .mutations import hostile
from .readers import Reader
from .structures import structures


def try_content(reader: Reader, content: bytes, folder: Path) -> str:
    """Read ``content``; return the name of our error, or an empty text where it is accepted.

    Raises
    ------
    Finding
        If the reader did what it must not do.
    """
    (folder / reader.filename).write_bytes(content)
    outcome = ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with guarded(folder):
            try:
                reader.read(folder / reader.filename)
            except AlpotError as error:
                outcome = type(error).__name__
                cause: BaseException | None = error
                while cause is not None:
                    if isinstance(cause, MemoryError):
                        raise Finding("it asks for more memory than it may") from cause
                    cause = cause.__cause__ or cause.__context__
            except Exception as error:
                told = f"{type(error).__name__}: {error!s:.200}; {done_so_far()}"
                raise Finding(told.rstrip("; ")) from error
    if (folder / "hacked").exists():
        raise Finding("it ran a command")
    return outcome


def prepare_folder(folder: Path) -> None:
    """Write the files that a campaign names."""
    (folder / "machines.yaml").write_text(MACHINES, encoding="utf-8")
    ase.io.write(folder / "cells.xyz", structures()[0::2])
    for name in ("a.npz", "b.npz", "p.mtp"):
        (folder / name).touch()


def fuzz(
    reader: Reader, folder: Path, *, examples: int, start: int = 0, shrink: bool = True
) -> dict[str, int]:
    """Try so many inputs; return how many ended in which error.

    Raises
    ------
    Finding
        On the smallest input that hypothesis finds to make the reader fail.
    """
    outcomes: dict[str, int] = {}
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    @seed(start)
    @settings(
        max_examples=examples,
        deadline=None,
        report_multiple_bugs=False,
        database=None,
        phases=phases,
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile(reader.seeds))
    def run(content: bytes) -> None:
        try:
            outcome = try_content(reader, content, folder)
        except Finding as finding:
            # hypothesis shrinks what is an Exception
            raise AssertionError(f"{finding} on {content[:3000]!r}") from finding
        outcomes[outcome or "accepted"] = outcomes.get(outcome or "accepted", 0) + 1

    run()
    return outcomes
