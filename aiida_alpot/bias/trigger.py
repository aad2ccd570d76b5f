# SPDX-License-Identifier: MIT
"""Stop a chain where the forces are uncertain compared with their own size.

The relative error of hyperactive learning (van der Oord, Sachs, Kovacs, Ortner and Csanyi, npj
Comput. Mater. 9, 168 (2023)) is max_i sigma_i / (|F_i| + eps), with sigma_i the deviation of the
force on atom i in a committee, F_i the force that the potential predicts and eps = 0.1 eV/A.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.sampling.stopping import Observation, Stop

Array = np.ndarray
SMALLEST_FORCE = 0.1
"""eps, eV/A: forces below it count as if they were as large."""


def relative_error(deviations: Array, forces: Array) -> float:
    """Return max_i sigma_i / (|F_i| + eps).

    Parameters
    ----------
    deviations : (n_atoms,) float64
        sigma_i, eV/A.
    forces : (n_atoms, 3) float64
        Without a bias, eV/A.
    """
    sizes = np.linalg.norm(forces, axis=1)
    return float((deviations / (sizes + SMALLEST_FORCE)).max(initial=0.0))


class StopOnRelativeError:
    """End a chain at a frame whose relative error exceeds a tolerance; the frame is kept.

    Parameters
    ----------
    tolerance : float
        0.2 to 0.4 is usual.
    calculator : CommitteeMTP
        What tells the deviations of forces.

    Raises
    ------
    SettingError
        If the tolerance is not positive, or the calculator has no committee.
    """

    def __init__(self, tolerance: float, calculator: Any) -> None:
        if not tolerance > 0.0:
            raise SettingError(f"'tolerance' of the bias is {tolerance!r}; it must be positive.")
        if getattr(calculator, "committee", None) is None:
            raise SettingError(
                "'tolerance' of the bias is an error of forces relative to their size, which only "
                "a committee tells. Give a committee, or leave 'tolerance' out."
            )
        self.tolerance = tolerance

    def __call__(self, seen: Observation) -> Stop | None:
        """Compare the relative error of the frame with the tolerance."""
        found = seen.atoms.calc.results["relative_error"]
        if found <= self.tolerance:
            return None
        return Stop(
            "gamma_break",
            f"relative error of the forces {found:.3g} > {self.tolerance:g} at step {seen.step}",
        )
