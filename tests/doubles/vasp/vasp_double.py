#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A test double for VASP. It is not VASP and computes no electrons.

It reads POSCAR, INCAR, KPOINTS and the titles in POTCAR as VASP does, takes energy, forces and
stress from EMT of ASE, and writes vasprun.xml, OUTCAR, OSZICAR, CONTCAR and standard output in
VASP's units and signs, as far as aiida-vasp reads them.

Faults are asked for with the tag SYSTEM of the INCAR or the environment variable VASP_DOUBLE, as
words separated by commas; after ``4:`` a fault is one of cells with four atoms:

    needs N      self-consistency takes N electronic steps; with NELM <= N it is not reached
    holds M      atoms that start with moments below M end without any
    truncated, empty, missing   what becomes of vasprun.xml
    nan          the forces are no numbers
    crash        it dies before it writes anything
    stopped      the run is stopped by hand (LABORT) before it converges
    notice       VASP's complaint that the topmost band is occupied
    slow N       it takes N seconds
    once         the faults are over after the first run that the folder knows of which the
                 environment variable VASP_DOUBLE_STATE names
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import read, write
from ase.units import GPa

KILOBAR = 0.1 * GPa
ENTROPY = 0.050  # eV/atom, scale of the entropy's part of the free energy


def read_incar() -> dict[str, str]:
    """Return the tags of the INCAR, names in upper case."""
    tags = {}
    for line in Path("INCAR").read_text(encoding="utf-8").splitlines():
        name, found, value = line.partition("=")
        if found:
            tags[name.strip().upper()] = value.strip()
    return tags


def read_faults(incar: dict[str, str], n_atoms: int) -> dict[str, float]:
    """Return the faults asked for, each with its number."""
    text = f"{os.environ.get('VASP_DOUBLE', '')},{incar.get('SYSTEM', '')}"
    found = re.findall(r"(?:(\d+):)?\s*([a-z]+)(?:\s+([\d.]+))?\s*(?=,|$)", text)
    faults = {
        word: float(number or 0) for size, word, number in found if int(size or n_atoms) == n_atoms
    }
    state = os.environ.get("VASP_DOUBLE_STATE")
    if "once" in faults and state:
        mark = Path(state) / "happened"
        if mark.exists():
            return {}
        mark.touch()
    return faults


def read_mesh() -> list[int]:
    """Return the divisions of the mesh of k-points."""
    lines = Path("KPOINTS").read_text(encoding="utf-8").splitlines()
    return [int(word) for word in lines[3].split()[:3]]


def check_potcar(atoms: Atoms) -> None:
    """Stop as VASP does where POTCAR and POSCAR do not hold the same species in one order."""
    text = Path("POTCAR").read_text(encoding="utf-8")
    titles = re.findall(r"VRHFIN\s*=\s*([A-Z][a-z]?)\s*:", text)
    species = list(dict.fromkeys(atoms.get_chemical_symbols()))
    if titles != species:
        sys.exit(f"ERROR: POTCAR has {titles}, POSCAR has {species}")


def moments_of(incar: dict[str, str], n_atoms: int) -> np.ndarray:
    """Return the moments to start from."""
    moments: list[float] = []
    for word in incar.get("MAGMOM", "").split():
        count, star, value = word.partition("*")
        moments += [float(value)] * int(count) if star else [float(word)]
    return np.array(moments or [1.0] * n_atoms)


def rows(values: np.ndarray, name: str, indent: str = "   ") -> str:
    """Return a block of numbers as vasprun.xml has them."""
    lines = [indent + " <v> " + " ".join(f"{x:15.8f}" for x in row) + " </v>" for row in values]
    return "\n".join([f'{indent}<varray name="{name}" >', *lines, f"{indent}</varray>"])


def structure(atoms: Atoms, name: str = "") -> str:
    """Return a structure as vasprun.xml has it."""
    attribute = f' name="{name}"' if name else ""
    return f""" <structure{attribute}>
  <crystal>
{rows(atoms.cell.array, "basis")}
   <i name="volume"> {atoms.get_volume():.8f} </i>
{rows(atoms.cell.reciprocal().array, "rec_basis")}
  </crystal>
{rows(atoms.get_scaled_positions(wrap=False), "positions", "  ")}
 </structure>"""


def entropy_of(atoms: Atoms) -> float:
    """Return a made-up entropy times temperature, eV, that changes with the positions."""
    return ENTROPY * float(np.sum(1.1 + np.sin(atoms.positions[:, 0])))


def energies(free: float, entropy: float, indent: str) -> str:
    """Return a block of energies: free, without entropy, extrapolated to zero smearing."""
    values = {
        "e_fr_energy": free,
        "e_wo_entrp": free + entropy,
        "e_0_energy": free + 0.5 * entropy,
    }
    lines = [f'{indent} <i name="{name}"> {value:.8f} </i>' for name, value in values.items()]
    return "\n".join([f"{indent}<energy>", *lines, f"{indent}</energy>"])


def incar_block(incar: dict[str, str]) -> str:
    """Return the tags as VASP writes what it read."""
    lines = []
    for name, value in incar.items():
        if value.upper() in (".TRUE.", ".FALSE.", "T", "F"):
            word = "T" if value.upper().strip(".")[0] == "T" else "F"
            lines.append(f'  <i type="logical" name="{name}"> {word}  </i>')
        elif re.fullmatch(r"[+-]?\d+", value):
            lines.append(f'  <i type="int" name="{name}"> {value}</i>')
        elif re.fullmatch(r"[+-]?[\d.]+(?:[eEdD][+-]?\d+)?", value):
            lines.append(f'  <i name="{name}"> {float(value):15.8f}</i>')
        else:
            lines.append(f'  <i type="string" name="{name}">{value}</i>')
    return "\n".join(lines)


def vasprun(
    atoms: Atoms, incar: dict[str, str], mesh: list[int], steps: int, results: dict[str, object]
) -> str:
    """Return vasprun.xml."""
    symbols = atoms.get_chemical_symbols()
    kinds = list(dict.fromkeys(symbols))
    listed = "\n".join(
        f"    <rc><c>{symbol:2s}</c><c>{kinds.index(symbol) + 1:4d}</c></rc>" for symbol in symbols
    )
    free = float(results["free_energy"])  # type: ignore[arg-type]
    entropy = entropy_of(atoms)
    off = [10.0 ** (2 - n) for n in range(1, steps)] + [0.0]  # eV, on the way to the last step
    blocks = "\n".join(
        f"  <scstep>\n{energies(free + away, entropy, '   ')}\n  </scstep>" for away in off
    )
    nelm, ispin = incar.get("NELM", "60"), incar.get("ISPIN", "1")
    return f"""<?xml version="1.0" encoding="ISO-8859-1"?>
<modeling>
 <generator>
  <i name="program" type="string">vasp </i>
  <i name="version" type="string">6.4.2  </i>
  <i name="subversion" type="string">a test double, not VASP </i>
 </generator>
 <incar>
{incar_block(incar)}
 </incar>
 <kpoints>
  <generation param="Gamma">
   <v type="int" name="divisions"> {" ".join(f"{n:8d}" for n in mesh)} </v>
  </generation>
{rows(np.zeros((1, 3)), "kpointlist", "  ")}
  <varray name="weights" >
   <v> 1.00000000 </v>
  </varray>
 </kpoints>
 <parameters>
  <separator name="electronic" >
   <i type="int" name="NELM"> {nelm} </i>
   <i type="int" name="ISPIN"> {ispin} </i>
   <i type="int" name="NBANDS"> 8 </i>
   <i name="EDIFF"> {float(incar.get("EDIFF", "1e-4")):.8f} </i>
   <separator name="electronic spin" ><i type="int" name="ISPIN"> {ispin} </i></separator>
   <separator name="electronic convergence" ><i type="int" name="NELM"> {nelm} </i></separator>
  </separator>
  <separator name="ionic" >
   <i type="int" name="NSW"> 0 </i>
   <i type="int" name="IBRION"> -1 </i>
  </separator>
 </parameters>
 <atominfo>
  <atoms> {len(atoms)} </atoms>
  <types> {len(kinds)} </types>
  <array name="atoms" >
   <dimension dim="1">ion</dimension>
   <field type="string">element</field>
   <field type="int">atomtype</field>
   <set>
{listed}
   </set>
  </array>
 </atominfo>
{structure(atoms, "initialpos")}
 <calculation>
{blocks}
{structure(atoms)}
{rows(np.asarray(results["forces"]), "forces", "  ")}
{rows(np.asarray(results["kilobar"]), "stress", "  ")}
{energies(free, entropy, "  ")}
  <dos><i name="efermi"> 1.0 </i></dos>
 </calculation>
{structure(atoms, "finalpos")}
</modeling>
"""


def outcar(incar: dict[str, str], steps: int, moments: np.ndarray | None, stopped: bool) -> str:
    """Return the OUTCAR; as many versions do, it calls EDIFF reached whatever happened."""
    rule = "-" * 24
    end = " hard stop encountered!  aborting job ..." if stopped else ""
    iterations = "\n".join(f"{rule} Iteration      1({n:4d})  {rule}" for n in range(1, steps + 1))
    table = ""
    if moments is not None:
        lines = [
            f"    {number:4d}       0.000   0.000{moment:8.3f}{moment:8.3f}"
            for number, moment in enumerate(moments, start=1)
        ]
        total = f"tot             0.000   0.000{moments.sum():8.3f}{moments.sum():8.3f}"
        ruler = "-" * 46
        heading = [
            "",
            " magnetization (x)",
            "",
            "# of ion       s       p       d       tot",
            ruler,
        ]
        table = "\n".join([*heading, *lines, ruler, total, ""])
    return f""" vasp.6.4.2 (a test double, not VASP)
   NELM   = {int(incar.get("NELM", 60)):6d};   NELMIN=  2; NELMDL= -5     # of ELM steps
   IBRION =     -1    ionic relax: 0-MD 1-quasi-New 2-CG
   NSW    =      0    number of steps for IOM
   NBANDS=      8
{iterations}
{end}
{rule} aborting loop because EDIFF is reached {rule}{rule}
{table}
 General timing and accounting informations for this job:
                  Total CPU time used (sec):        1.000
                            User time (sec):        1.000
                          System time (sec):        0.000
                         Elapsed time (sec):        1.000
                   Maximum memory used (kb):      100000.
                   Average memory used (kb):          0.
"""


def calculate(atoms: Atoms, faults: dict[str, float]) -> dict[str, object]:
    """Return the free energy in eV, forces in eV/A, and the stress in kB with VASP's sign."""
    atoms.calc = EMT()
    forces = atoms.get_forces()
    if "nan" in faults:
        forces = np.full_like(forces, np.nan)
    return {
        "free_energy": atoms.get_potential_energy(),
        "forces": forces,
        "kilobar": -atoms.get_stress(voigt=False) / KILOBAR,
    }


def write_vasprun(text: str, faults: dict[str, float]) -> None:
    """Write vasprun.xml, whole or as the faults want it."""
    if "missing" in faults:
        return
    if "truncated" in faults:
        text = text[: text.index("</calculation>")]
    Path("vasprun.xml").write_text("" if "empty" in faults else text, encoding="latin-1")


def main() -> int:
    """Run as VASP does, in the current folder."""
    atoms = read("POSCAR", format="vasp")
    incar = read_incar()
    faults = read_faults(incar, len(atoms))
    check_potcar(atoms)
    time.sleep(faults.get("slow", 0))
    if "crash" in faults:
        print("forrtl: severe (174): SIGSEGV, segmentation fault occurred", file=sys.stderr)
        return 174
    nelm, needed = int(incar.get("NELM", 60)), int(faults.get("needs", 12))
    steps = min(nelm, needed)
    results = calculate(atoms, faults)
    moments = None
    if incar.get("ISPIN") == "2":
        moments = moments_of(incar, len(atoms))
        moments = np.where(np.abs(moments) < faults.get("holds", 0), 0.001, moments)
    write_vasprun(vasprun(atoms, incar, read_mesh(), steps, results), faults)
    Path("OUTCAR").write_text(outcar(incar, steps, moments, "stopped" in faults), encoding="utf-8")
    write("CONTCAR", atoms, format="vasp", direct=True)
    free = float(results["free_energy"])  # type: ignore[arg-type]
    line = f"   1 F= {free:.8E} E0= {free + 0.5 * entropy_of(atoms):.8E}  d E =0.0"
    Path("OSZICAR").write_text(line + "\n", encoding="utf-8")
    print(" running on    1 total cores\n vasp.6.4.2 (a test double, not VASP)")
    if "notice" in faults:
        print("|     TOO FEW BANDS!! the topmost band is occupied at one or more k-points    |")
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
