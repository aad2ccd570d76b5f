# SPDX-License-Identifier: MIT
"""Any bias of PLUMED, where it is installed.

PLUMED: Tribello et al., Comput. Phys. Commun. 185, 604 (2014). Its input is written in lines, its
energies in kJ/mol and lengths in nm unless a first line ``UNITS`` says otherwise. Files that the
input names (``HILLS``, ``COLVAR``) and the log, ``plumed.log``, lie in the folder where the sampler
runs.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from typing import Any

from ase import Atoms, units

from aiida_alpot.errors import SettingError

LOG_FILE = "plumed.log"
# what compiles, loads or imports code, and what reads more input that nobody has seen
_FORBIDDEN = re.compile(r"\b(LOAD|INCLUDE|PY[A-Z_]+)\b", re.IGNORECASE)


def forbidden_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines of input that could run code of their own."""
    return [line for line in lines if _FORBIDDEN.search(line)]


def require_plumed() -> None:
    """Raise SettingError unless PLUMED and its Python module are installed."""
    if importlib.util.find_spec("plumed") is None:
        raise SettingError(
            "The setting 'plumed' needs PLUMED and its Python module, which are not installed: "
            "'conda install -c conda-forge py-plumed'. Or name 'variables' instead."
        )


def with_plumed(
    atoms: Atoms, lines: Sequence[str], *, timestep_fs: float, temperature_K: float
) -> Any:
    """Return a calculator that adds the bias of PLUMED to that of ``atoms``.

    Parameters
    ----------
    atoms : Atoms
        With the calculator that is biased.
    lines : sequence of str
        Input of PLUMED.
    timestep_fs, temperature_K : float
        Of the dynamics.

    Raises
    ------
    SettingError
        If PLUMED does not understand the input, or its library is not found.
    """
    from ase.calculators.plumed import Plumed

    try:
        return Plumed(
            calc=atoms.calc,
            input=list(lines),
            timestep=timestep_fs * units.fs,
            atoms=atoms,
            kT=units.kB * temperature_K,
            log=LOG_FILE,
        )
    except RuntimeError as error:
        told = [line for line in str(error).splitlines() if line and not line.startswith("(")]
        raise SettingError(f"PLUMED refuses the setting 'plumed': {'; '.join(told)}") from error
