# SPDX-License-Identifier: MIT
"""From the outputs of a process to a label: the one calcfunction of all plugins.

The labeller says how to read its outputs; here its result is checked, put into the order of the
configuration, and stored with a verdict. Nothing that is not finite or not whole becomes a label.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import calcfunction
from aiida.plugins.entry_point import is_valid_entry_point_string, load_entry_point_from_string
from ase import Atoms

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.label.cells import Cell, make_cell
from aiida_alpot.workflows.label.recipes import (
    FAILED,
    NOT_FINITE,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    TRUNCATED,
)

LARGEST_SHIFT = 1e-4
"""Angstrom by which a code may move an atom in writing it down."""


@dataclass(frozen=True)
class Label:
    """What a code says of a cell, its atoms in the order in which they were handed over.

    Parameters
    ----------
    energy : float
        eV, of which the forces are the negative gradient: with smearing the free energy.
    forces : (n, 3) array
        eV/A.
    stress : (6,) array, optional
        eV/A^3, positive under tension as in ASE, order xx, yy, zz, yz, xz, xy.
    energy_extrapolated : float
        Energy extrapolated to zero smearing, eV, kept beside the label.
    magnetic_moments : (n,) array, optional
        Bohr magnetons.
    seconds : float, optional
        What the calculation took.
    """

    energy: float
    forces: np.ndarray
    stress: np.ndarray | None = None
    energy_extrapolated: float = float("nan")
    magnetic_moments: np.ndarray | None = None
    seconds: float | None = None


class NoLabelError(Exception):
    """The outputs of a process are not a label.

    Parameters
    ----------
    cause : str
        One of :data:`~aiida_alpot.workflows.label.recipes.CAUSES`, which decides what is tried
        next.
    reason : str
        In words, for the ledger.
    """

    def __init__(self, cause: str, reason: str) -> None:
        super().__init__(reason)
        self.cause = cause


@calcfunction
def make_label(
    configurations: ConfigurationsData, record: orm.Dict, **outputs: orm.Data
) -> dict[str, orm.Data]:
    """Return the label of one configuration where the outputs of a process are one.

    Parameters
    ----------
    configurations : ConfigurationsData
        What is labelled.
    record : Dict
        ``index`` of the configuration; ``labeller``, whose method ``read_label`` reads the
        outputs; ``request``, what was asked of the code; ``level_of_theory``; ``vacuum``;
        ``failure`` and ``cause``, empty where the process ended well.
    **outputs : Data
        Outputs of the process.

    Returns
    -------
    dict
        ``verdict``: a Dict with ``verdicts`` as of a label job, one of them; ``labelled``: the
        labelled configuration, if there is a label.
    """
    content = record.get_dict()
    one = configurations.get_configurations().select([content["index"]])
    cell = make_cell(one.atoms(0), content["vacuum"])
    verdict: dict[str, Any] = {
        "identifier": str(one.identifier[0]),
        "hash": one.hashes()[0],
        "status": "failed",
        "request": content["request"],
    }
    try:
        label = _read(content, outputs, cell)
        labelled = fill_label(one, cell, label, content["level_of_theory"])
    except NoLabelError as error:
        failure = {"reason": f"{error.cause}: {error}", "cause": error.cause, "seconds": None}
        return {"verdict": orm.Dict({"verdicts": [{**verdict, **failure}]})}
    told = {"status": "labelled", "reason": "", "cause": "", "seconds": label.seconds}
    return {
        "verdict": orm.Dict({"verdicts": [{**verdict, **told}]}),
        "labelled": ConfigurationsData.from_configurations(labelled),
    }


def _read(content: Mapping[str, Any], outputs: Mapping[str, orm.Data], cell: Cell) -> Label:
    """Return what the labeller reads; a process that failed is no label whatever it left."""
    try:
        label: Label = load_labeller(content["labeller"]).read_label(
            outputs, cell.atoms, content["request"]
        )
    except NoLabelError as error:
        if content["cause"] in (OUT_OF_TIME, OUT_OF_MEMORY):  # which explains the rest
            raise NoLabelError(content["cause"], f"{content['failure']}; {error}") from error
        raise
    except Exception as error:  # outputs of a run that went wrong can be anything
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        cause = content["cause"] or TRUNCATED
        raise NoLabelError(
            cause, content["failure"] or f"the outputs are not readable: {text}"
        ) from error
    if content["failure"]:
        raise NoLabelError(content["cause"], content["failure"])
    return label


def load_labeller(name: str) -> Any:
    """Return the WorkChain that a process type names: an entry point, or a module and a class."""
    if is_valid_entry_point_string(name):
        return load_entry_point_from_string(name)
    module, _, member = name.rpartition(".")
    return getattr(importlib.import_module(module), member)


def fill_label(one: Configurations, cell: Cell, label: Label, level: str) -> Configurations:
    """Return one configuration with a label, its atoms in their own order.

    Raises
    ------
    NoLabelError
        If the label is not whole or not finite.
    """
    n_atoms = len(cell.atoms)
    forces = np.asarray(label.forces, dtype=float)
    if forces.shape != (n_atoms, 3):
        raise NoLabelError(TRUNCATED, f"forces of shape {forces.shape} for {n_atoms} atoms")
    stress = np.full(6, np.nan)
    if label.stress is not None and one.pbc.all():
        stress = np.asarray(label.stress, dtype=float)
        if stress.shape != (6,):
            raise NoLabelError(FAILED, f"a stress of shape {stress.shape} in place of six numbers")
        _require_finite("stress", stress)
    _require_finite("energy", label.energy)
    _require_finite("forces", forces)
    bare = one.without_labels()
    moments = bare.magnetic_moments
    if label.magnetic_moments is not None:
        moments = cell.restored(np.asarray(label.magnetic_moments, dtype=float))
    return bare.replace(
        energy=np.array([float(label.energy)]),
        energy_extrapolated=np.array([float(label.energy_extrapolated)]),
        forces=cell.restored(forces),
        stress=stress[None, :],
        magnetic_moments=moments,
        level_of_theory=level,
    )


def _require_finite(name: str, value: Any) -> None:
    if not np.isfinite(value).all():
        raise NoLabelError(NOT_FINITE, f"the {name} is not finite")


def require_same_cell(cell: Atoms, other: Atoms) -> None:
    """Raise unless a code calculated the cell that it was given, atom by atom.

    Raises
    ------
    NoLabelError
        If species differ, or an atom or a cell vector is more than :data:`LARGEST_SHIFT` off.
    """
    if list(cell.numbers) != list(other.numbers):
        raise NoLabelError(FAILED, f"the code calculated {other.symbols}, not {cell.symbols}")
    shifts = other.get_scaled_positions(wrap=False) - cell.get_scaled_positions(wrap=False)
    shifts -= np.round(shifts)
    largest = np.abs(shifts @ cell.cell.array).max(initial=0.0)
    largest = max(largest, np.abs(other.cell.array - cell.cell.array).max())
    if largest > LARGEST_SHIFT:
        raise NoLabelError(FAILED, f"the code moved an atom or a cell vector by {largest:.2g} A")
