# SPDX-License-Identifier: MIT
"""The label job: energies, forces and stresses of configurations from a reference calculator.

All of it is :mod:`aiida_alpot.jobs.label_driver`, one self-contained file that also runs alone
under the Python of a DFT code. Writes ``labelled.npz`` (the labelled configurations alone) and a
verdict for each configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.requests import Request


@dataclass(frozen=True)
class LabelRequest(Request):
    """Keys of the label job.

    Parameters
    ----------
    configurations : str
        File of the configurations to label (``.npz``).
    calculator : mapping
        ``{"name": ..., "settings": {...}}``, of the allow-list of the driver.
    level_of_theory : str
        Level of theory the labels are for, as :func:`aiida_alpot.level_of_theory.level_of_theory`
        gives it; a request whose calculator has another one is refused. Empty: that of the
        calculator.
    """

    configurations: str
    calculator: Mapping[str, Any]
    level_of_theory: str = ""


REQUEST = LabelRequest


def run(request: LabelRequest, folder: Path) -> Mapping[str, Any]:
    """Label the configurations of the request; see :func:`label_driver.label_configurations`.

    Raises
    ------
    label_driver.DriverError
        If the calculator, its settings or a file are wrong; the run of a request turns it into the
        error of the same name in :mod:`aiida_alpot.errors`.
    """
    return label_driver.label_configurations(
        request.configurations, request.calculator, request.level_of_theory, folder
    )
