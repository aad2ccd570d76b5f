# SPDX-License-Identifier: MIT
"""Settings of a calculator with more k-points, or with a higher cutoff, than a campaign asks for.

They are another level of theory on purpose: what they give tells how far labels of the campaign are
from converged, and is never trained on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

K_MESH, CUTOFF = "k_mesh", "cutoff"
DENSER = 1.5
"""Factor on the number of k-points along each direction."""
HIGHER = 1.3
"""Factor on the cutoff of the plane waves."""
_CUTOFFS = {"GPAW": "ecut", "VASP": "encut"}


def finer_settings(calculator: str, settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings that are finer in one respect each, by what is finer.

    Parameters
    ----------
    calculator : str
        GPAW or VASP; others have nothing to refine.
    settings : mapping
        As in the campaign file.

    Examples
    --------
    >>> finer_settings("GPAW", {"ecut": 400, "kpts": [4, 4, 1]})["k_mesh"]["kpts"]
    [6, 6, 2]
    """
    if calculator not in _CUTOFFS:
        return {}
    name = _CUTOFFS[calculator]
    if settings.get("kpts") is not None:
        mesh: dict[str, Any] = {"kpts": [math.ceil(DENSER * n) for n in settings["kpts"]]}
    else:
        mesh = {"kspacing": _plain(settings["kspacing"] / DENSER)}
    return {
        K_MESH: {**settings, **mesh},
        CUTOFF: {**settings, name: _plain(HIGHER * float(settings[name]))},
    }


def _plain(value: float) -> float:
    """Return a number of few digits: AiiDA keeps 14, and a level of theory must not change."""
    return float(f"{value:.6g}")
