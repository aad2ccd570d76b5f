# SPDX-License-Identifier: MIT
"""POTCAR files: does the family hold one for each species."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.errors import AlpotError

if TYPE_CHECKING:
    from aiida_alpot.cli.checkup.plan import Potcars


def check_potcars(potcars: Potcars) -> Finding:
    """Check that a family has the POTCAR file of each species, and name those that it lacks."""
    family = potcars.family
    name = f"POTCAR family {family}"
    upload = (
        f"aiida-vasp potcar uploadfamily --path FOLDER --name {family} --description TEXT, or "
        "another name in label.settings.mapping"
    )
    try:
        from aiida_alpot.workflows.label.potcars import potcar_hashes
    except ImportError as error:
        return Finding(name, False, f"aiida-vasp is missing: {error}", "pip install aiida-vasp")
    missing, reason = [], ""
    for symbol in potcars.species:
        try:
            potcar_hashes([symbol], family, potcars.mapping)
        except AlpotError as error:
            missing.append(potcars.mapping.get(symbol, symbol))
            reason = str(error)
    if len(missing) == 1:
        return Finding(name, False, reason, upload)
    if missing:
        return Finding(name, False, f"it lacks {', '.join(missing)}", upload)
    files = [potcars.mapping.get(symbol, symbol) for symbol in potcars.species]
    return Finding(name, True, f"complete for {', '.join(files)}")
