# SPDX-License-Identifier: MIT
"""Moment tensor potentials: basis, evaluation, ASE calculator, files of MLIP.

``aiida_alpot.mtp.evaluate`` is the module; its function is not exported here for that reason.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

# numba takes half a second to import: it is loaded by the first name that needs it
_HOME = {
    "MTP": "calculator",
    "Evaluation": "evaluate",
    "MomentBasis": "contractions",
    "MomentTensorPotential": "potential",
    "energy_rows": "evaluate",
    "initial_potential": "potential",
    "loss_gradient": "gradient",
    "moment_basis": "contractions",
    "read_potential": "mlip_files",
    "write_potential": "mlip_files",
}
__all__ = [
    "MTP",
    "Evaluation",
    "MomentBasis",
    "MomentTensorPotential",
    "energy_rows",
    "initial_potential",
    "loss_gradient",
    "moment_basis",
    "read_potential",
    "write_potential",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
