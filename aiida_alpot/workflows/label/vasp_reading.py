# SPDX-License-Identifier: MIT
"""Whether what a run of VASP left is a label: its files, aiida-vasp's summary, its moments.

Each check raises :class:`~aiida_alpot.workflows.label.reading.NoLabelError` with cause and reason.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms

from aiida_alpot.campaign.vasp_settings import deciding_tags
from aiida_alpot.errors import InputFileError
from aiida_alpot.interfaces.vasp_outcar import OutcarFacts, read_outcar
from aiida_alpot.interfaces.vasp_output import VaspRun, find_failure, read_vasprun
from aiida_alpot.interfaces.vasp_rules import find_left_state
from aiida_alpot.workflows.label.reading import NoLabelError, require_same_cell
from aiida_alpot.workflows.label.recipes import FAILED, MAGNETIC_STATE, TRUNCATED, UNCONVERGED

HARMLESS_IF_CONVERGED = ("edddav_zhegv", "eddrmm_zhegv")


def read_run(retrieved: orm.FolderData | None) -> tuple[VaspRun, OutcarFacts]:
    """Return what the files of a run hold that converged and came to its end.

    Raises
    ------
    NoLabelError
        If a file is missing, cut off or empty, or the run did not converge.
    """
    if retrieved is None:
        raise NoLabelError(TRUNCATED, "nothing was retrieved")
    try:
        run = read_vasprun(_content(retrieved, "vasprun.xml"))
    except InputFileError as error:
        raise NoLabelError(TRUNCATED, str(error)) from error
    outcar = _read_outcar(retrieved)
    failure = find_failure(run, outcar)
    if failure is not None:
        raise NoLabelError(*failure)
    return run, outcar


def _content(retrieved: orm.FolderData, name: str) -> bytes:
    try:
        content: bytes = retrieved.base.repository.get_object_content(name, mode="rb")
    except FileNotFoundError as error:
        raise NoLabelError(TRUNCATED, f"there is no {name}") from error
    return content


def _read_outcar(retrieved: orm.FolderData) -> OutcarFacts:
    """Read the OUTCAR line by line, since it can be large."""
    try:
        with retrieved.base.repository.open("OUTCAR", mode="rb") as stream:
            return read_outcar(line.decode("utf-8", "replace") for line in stream)
    except FileNotFoundError as error:
        raise NoLabelError(TRUNCATED, "there is no OUTCAR") from error


def require_what_was_asked(run: VaspRun, atoms: Atoms, request: Mapping[str, Any]) -> None:
    """Refuse a run of another cell, other k-points or another level of theory."""
    other = Atoms(run.symbols, scaled_positions=run.scaled_positions, cell=run.cell, pbc=True)
    require_same_cell(atoms, other)
    if run.mesh is not None and list(run.mesh) != list(request["mesh"]):
        raise NoLabelError(FAILED, f"VASP took the mesh {run.mesh}, not {request['mesh']}")
    for tag, asked in deciding_tags(request["incar"]).items():
        if tag in run.incar and not _is_same(run.incar[tag], asked):
            raise NoLabelError(
                FAILED, f"VASP ran with {tag.upper()} = {run.incar[tag]}, not {asked}"
            )


def _is_same(found: Any, asked: Any) -> bool:
    """Return whether a tag was read as it was asked for; VASP shortens texts and numbers."""
    if isinstance(asked, list):
        words = found if isinstance(found, list) else [found]
        return len(words) == len(asked) and all(map(_is_same, words, asked))
    if isinstance(asked, str) and isinstance(found, str):
        short, long = sorted((found.strip().lower(), asked), key=len)
        return long.startswith(short)
    if isinstance(asked, float) and isinstance(found, float):
        return math.isclose(found, asked, rel_tol=1e-6, abs_tol=1e-8)
    return bool(found == asked) if isinstance(found, bool) == isinstance(asked, bool) else True


def require_good_summary(misc: orm.Dict | None, run: VaspRun) -> None:
    """Refuse a run of which aiida-vasp's parser has something bad to say."""
    from aiida_vasp.parsers.vasp import ParserSettingsConfig

    if misc is None:
        raise NoLabelError(TRUNCATED, "aiida-vasp parsed no summary of the run")
    summary = misc.get_dict()
    status = summary.get("run_status", {})
    if not status.get("finished"):
        raise NoLabelError(TRUNCATED, "aiida-vasp says that the run did not finish")
    if not status.get("electronic_converged") or status.get("contains_nelm_breach"):
        raise NoLabelError(UNCONVERGED, "aiida-vasp says that the electrons did not converge")
    fatal = set(ParserSettingsConfig().critical_notification_errors) - set(HARMLESS_IF_CONVERGED)
    for notification in summary.get("notifications", []):
        if notification["name"] in fatal:
            raise NoLabelError(FAILED, f"VASP says: {notification['message']}")
    energy = summary.get("total_energies", {}).get("energy_free")
    if energy is not None and not math.isclose(energy, run.free_energy, abs_tol=1e-5):
        raise NoLabelError(
            FAILED,
            f"aiida-vasp read the free energy {energy} eV, vasprun.xml has {run.free_energy}",
        )


def require_state(moments: np.ndarray | None, request: Mapping[str, Any]) -> None:
    """Refuse a run whose atoms left the magnetic state that was asked for."""
    if moments is None or len(moments) != len(request["moments"]):
        raise NoLabelError(TRUNCATED, "the OUTCAR has no moments of the atoms")
    left = find_left_state(np.array(request["moments"]), moments, kept=request["moment_kept"])
    if left is not None:
        raise NoLabelError(MAGNETIC_STATE, left)
