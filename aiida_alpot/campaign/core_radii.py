# SPDX-License-Identifier: MIT
"""Radii of PAW cores for the gate: of GPAW's data sets, or out of a POTCAR file.

``gate.core_radii`` of a campaign file is a mapping of species to Angstrom, or a text that stands
for one: ``gpaw``, or the name of a POTCAR file (of one species or of several in a row).
"""

from __future__ import annotations

import re
from pathlib import Path

from ase.units import Bohr

from aiida_alpot.campaign.messages import wrong_value
from aiida_alpot.campaign.schema import CampaignFile
from aiida_alpot.errors import InputFileError
from aiida_alpot.whole_files import read_content

KEY = "core_radii"
GPAW = "gpaw"
# fmt: off
_GPAW_RADII = {
    "H": 0.9, "He": 1.5, "Li": 2, "Be": 1.5, "B": 1.2, "C": 1.2, "N": 1.14, "O": 1.3, "F": 1.2,
    "Ne": 1.8, "Na": 2.34, "Mg": 2.06, "Al": 2.05, "Si": 2, "P": 1.8, "S": 1.85, "Cl": 1.5,
    "Ar": 1.6, "K": 2.12, "Ca": 2.22, "Sc": 2.42, "Ti": 2.4, "V": 2.42, "Cr": 2.3, "Mn": 2.42,
    "Fe": 2.2, "Co": 2, "Ni": 2.28, "Cu": 2.2, "Zn": 2.43, "Ga": 2.2, "Ge": 1.9, "As": 2,
    "Se": 1.9, "Br": 2.1, "Kr": 2.2, "Rb": 2.6, "Sr": 2.44, "Y": 2.51, "Zr": 2.52, "Nb": 2.5,
    "Mo": 2.45, "Ru": 2.43, "Rh": 2.61, "Pd": 2.57, "Ag": 2.51, "Cd": 2.32, "In": 2.35,
    "Sn": 2.4, "Sb": 2.33, "Te": 2.34, "I": 2.2, "Xe": 2.4, "Cs": 2.2, "Ba": 2.2, "Hf": 2.64,
    "Ta": 2.58, "W": 2.56, "Re": 2.6, "Os": 2.64, "Ir": 2.51, "Pt": 2.59, "Au": 2.5, "Hg": 2.47,
    "Tl": 2.4, "Pb": 2.41, "Bi": 2.55, "Rn": 2.31,
}
# fmt: on
"""Largest cutoff radius among the states of the PBE data set of each element, in Bohr radii
(gpaw-setups 0.9.20000)."""


def with_core_radii(content: CampaignFile, folder: Path, source: str) -> CampaignFile:
    """Return the campaign with radii in place of a text that stands for them.

    Parameters
    ----------
    content : CampaignFile
        The campaign.
    folder : path
        Relative names of files count from here.
    source : str
        Names the campaign file in messages.

    Raises
    ------
    InputFileError
        If a POTCAR file is missing, or is none.
    CampaignFileError
        If a species of the campaign has no radius.
    """
    given = content.gate.get(KEY)
    if not isinstance(given, str):
        return content
    radii = gpaw_core_radii() if given == GPAW else read_potcar_radii(folder / given)
    missing = [symbol for symbol in content.species if symbol not in radii]
    if missing:
        allowed = f"radii for all species; {given} has none for {', '.join(missing)}"
        raise wrong_value(source, ("gate", KEY), given, allowed)
    of_species = {symbol: radii[symbol] for symbol in content.species}
    return content.model_copy(update={"gate": {**content.gate, KEY: of_species}})


def gpaw_core_radii() -> dict[str, float]:
    """Return the radii of GPAW's PBE data sets by species, Angstrom."""
    return {symbol: round(radius * Bohr, 4) for symbol, radius in _GPAW_RADII.items()}


def read_potcar_radii(path: Path) -> dict[str, float]:
    """Return the outermost cutoff radius (RCORE) of each species in a POTCAR file, Angstrom.

    Raises
    ------
    InputFileError
        If the file is missing or has no radius.
    """
    text = read_content(path).decode("utf-8", errors="replace")
    radii: dict[str, float] = {}
    for part in re.split(r"(?=VRHFIN)", text)[1:]:
        symbol = re.match(r"VRHFIN\s*=\s*([A-Z][a-z]?)", part)
        radius = re.search(r"RCORE\s*=\s*([0-9.]+)", part)
        if symbol and radius:
            radii[symbol.group(1)] = round(float(radius.group(1)) * Bohr, 4)
    if not radii:
        raise InputFileError(
            f"{path} is no POTCAR file with the tags VRHFIN and RCORE. Give one, or radii by "
            "species in Angstrom."
        )
    return radii
