# SPDX-License-Identifier: MIT
"""What VASP wrote into ``vasprun.xml`` in ASE's units, and whether it is a label.

Energies are the free energy, of which VASP's forces are the gradient, and the one extrapolated to
zero smearing. VASP gives the stress in kB with the sign of a pressure; here it is in eV/A^3 with
ASE's sign and Voigt order (xx, yy, zz, yz, xz, xy).

Whether a run converged is judged by its number of electronic steps alone: VASP stops silently at
``NELM``, and the OUTCAR of many versions then says ``aborting loop because EDIFF is reached`` as
it does after a converged run.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from ase.units import GPa

from aiida_alpot.errors import InputFileError
from aiida_alpot.interfaces.vasp_outcar import OutcarFacts, number_or_nan

KILOBAR = 0.1 * GPa
"""One kB in eV/A^3."""

Array = np.ndarray


@dataclass(frozen=True)
class VaspRun:
    """The content of a ``vasprun.xml``; what it lacks is None, NaN or empty.

    Parameters
    ----------
    version : str
        Version of VASP.
    incar : dict
        Tags of the INCAR as VASP read them, names in lower case.
    mesh : tuple of int or None
        Divisions of an automatic mesh of k-points.
    nelm : int
        Most electronic steps that were allowed.
    symbols : tuple of str
        Chemical symbols in the order of the POSCAR.
    cell : (3, 3) float64
        Rows are cell vectors, Angstrom.
    scaled_positions : (n, 3) float64
        In units of the cell vectors.
    electronic_steps : tuple of int
        Number of electronic steps of each ionic step.
    free_energy, energy_extrapolated : float
        eV, of the last ionic step.
    forces : (n, 3) float64
        eV/A.
    stress : (6,) float64
        eV/A^3, ASE's sign and order; NaN where VASP did not compute it.
    """

    version: str
    incar: dict[str, Any]
    mesh: tuple[int, int, int] | None
    nelm: int
    symbols: tuple[str, ...]
    cell: Array
    scaled_positions: Array
    electronic_steps: tuple[int, ...]
    free_energy: float
    energy_extrapolated: float
    forces: Array
    stress: Array


def read_vasprun(content: bytes) -> VaspRun:
    """Read a ``vasprun.xml`` that is whole.

    Values that overflowed their columns (``****``) become NaN.

    Raises
    ------
    InputFileError
        If the file is empty, truncated, not of VASP, or holds no ionic step.
    """
    root, steps = _root_and_steps(content)
    return _run_of(root, steps, steps[-1])


def read_ionic_steps(content: bytes) -> list[VaspRun]:
    """Read each ionic step of a ``vasprun.xml`` that is whole, as of a run at fixed positions.

    Raises
    ------
    InputFileError
        As :func:`read_vasprun`.
    """
    root, steps = _root_and_steps(content)
    return [_run_of(root, [step], step) for step in steps]


def read_potcar_titles(content: bytes) -> dict[str, str]:
    """Return the titles of the POTCAR files of a ``vasprun.xml`` by species.

    Raises
    ------
    InputFileError
        As :func:`read_vasprun`.
    """
    root, _ = _root_and_steps(content)
    rows = [row.findall("c") for row in root.findall(_TYPES)]
    return {_text(row[1]): _text(row[-1]) for row in rows if len(row) > 2}


def _root_and_steps(content: bytes) -> tuple[ElementTree.Element, list[ElementTree.Element]]:
    try:
        root = _parse(content)
    except (ElementTree.ParseError, LookupError, ValueError) as error:  # or an unknown encoding
        told = "is empty" if not content.strip() else f"is truncated or no XML ({error})"
        raise InputFileError(f"vasprun.xml {told}. Run VASP again.") from error
    steps = root.findall("calculation")
    if root.tag != "modeling" or not steps:
        raise InputFileError(
            "vasprun.xml holds no ionic step; VASP ended before its first energy. Run VASP again."
        )
    return root, steps


def _run_of(
    root: ElementTree.Element, steps: list[ElementTree.Element], last: ElementTree.Element
) -> VaspRun:
    energies = _energies(last)
    return VaspRun(
        version=_text(root.find("generator/i[@name='version']")),
        incar={_name(tag): _value(tag) for tag in root.findall("incar/*")},
        mesh=_mesh(root),
        nelm=int(_parameter(root, "NELM", 60)),
        symbols=tuple(_text(row.find("c")) for row in root.findall(_ATOMS)),
        cell=_rows(last.find("structure/crystal/varray[@name='basis']")),
        scaled_positions=_rows(last.find("structure/varray[@name='positions']")),
        electronic_steps=tuple(len(step.findall("scstep")) for step in steps),
        free_energy=energies[0],
        energy_extrapolated=energies[1],
        forces=_rows(last.find("varray[@name='forces']")),
        stress=_stress(last),
    )


_ATOMS = "atominfo/array[@name='atoms']/set/rc"
_TYPES = "atominfo/array[@name='atomtypes']/set/rc"
_BULKY = ("eigenvalues", "projected", "dos", "kpointlist", "partial")


def _parse(content: bytes) -> ElementTree.Element:
    """Return the tree without bands and densities of states, which are most of the file."""
    root = None
    for _, element in ElementTree.iterparse(io.BytesIO(content)):
        if element.tag in _BULKY or element.get("name") in _BULKY:
            element.clear()
        root = element
    if root is None:
        raise ElementTree.ParseError("no element found")
    return root


def _energies(step: ElementTree.Element) -> tuple[float, float]:
    """Return free and extrapolated energy of an ionic step.

    The last block of VASP 5 holds the entropy under the name of the extrapolated energy, so the
    difference of the two is taken from the last electronic step, as ASE does.
    """
    free = number_or_nan(_text(step.find("energy/i[@name='e_fr_energy']")))
    blocks = step.findall("scstep")
    electronic = blocks[-1] if blocks else step
    within = {
        name: number_or_nan(_text(electronic.find(f"energy/i[@name='{name}']")))
        for name in ("e_fr_energy", "e_0_energy")
    }
    return free, free + within["e_0_energy"] - within["e_fr_energy"]


def _stress(step: ElementTree.Element) -> Array:
    block = step.find("varray[@name='stress']")
    if block is None:
        return np.full(6, np.nan)
    tensor = -KILOBAR * _rows(block)
    if tensor.shape != (3, 3):
        return np.full(6, np.nan)
    return np.array(
        [tensor[0, 0], tensor[1, 1], tensor[2, 2], tensor[1, 2], tensor[0, 2], tensor[0, 1]]
    )


def _mesh(root: ElementTree.Element) -> tuple[int, int, int] | None:
    divisions = _text(root.find("kpoints/generation/v[@name='divisions']")).split()
    if len(divisions) != 3:
        return None
    return (int(divisions[0]), int(divisions[1]), int(divisions[2]))


def _parameter(root: ElementTree.Element, name: str, default: float) -> float:
    found = root.find(f"parameters//i[@name='{name}']")
    return default if found is None else number_or_nan(_text(found))


def _rows(block: ElementTree.Element | None) -> Array:
    if block is None:
        return np.zeros((0, 3))
    rows = [[number_or_nan(word) for word in _text(row).split()] for row in block.findall("v")]
    if any(len(row) != 3 for row in rows):
        return np.full((len(rows), 3), np.nan)  # columns that ran into each other
    return np.array(rows, dtype=float).reshape(-1, 3)


def _name(tag: ElementTree.Element) -> str:
    return str(tag.get("name", "")).lower()


def _value(tag: ElementTree.Element) -> Any:
    text, kind = _text(tag), tag.get("type")
    if kind == "logical":
        return text.upper().startswith("T")
    if kind == "string":
        return text
    numbers = [number_or_nan(word) for word in text.split()]
    return numbers[0] if len(numbers) == 1 else numbers


def _text(element: ElementTree.Element | None) -> str:
    return "" if element is None or element.text is None else element.text.strip()


def find_failure(run: VaspRun, outcar: OutcarFacts) -> tuple[str, str] | None:
    """Return cause and reason why a run at fixed positions is no label, or None.

    Parameters
    ----------
    run, outcar : VaspRun, OutcarFacts
        The two files of one run.

    Returns
    -------
    tuple of str or None
        Cause: ``unconverged``, ``truncated`` or ``not finite``; reason in words.
    """
    if len(run.electronic_steps) != 1:
        return "truncated", f"vasprun.xml holds {len(run.electronic_steps)} ionic steps, not one"
    if not outcar.finished:
        return "truncated", "the OUTCAR does not reach the end of a run"
    if outcar.stopped:
        return "unconverged", f"VASP says: {outcar.stopped}"
    (steps,) = run.electronic_steps
    if not 0 < steps < run.nelm:
        return "unconverged", f"{steps} electronic steps of {run.nelm} allowed ones"
    if len(run.symbols) != len(run.forces) or len(run.symbols) == 0:
        return "truncated", f"{len(run.forces)} forces for {len(run.symbols)} atoms"
    for name, value in (("energy", run.free_energy), ("forces", run.forces)):
        if not np.isfinite(value).all():
            return "not finite", f"the {name} of VASP is not finite"
    return None
