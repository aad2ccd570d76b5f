# SPDX-License-Identifier: MIT
"""What decides the value of a label, in one canonical text.

Two labels may be trained on together, and one may stand for the other, if their levels of theory
are the same text. The calculator, its exchange-correlation functional, plane-wave cutoff, k-points,
smearing, PAW sets, convergence and parameters are in it, defaults filled in; resources, batches,
mixing, logging and names of files are not. Versions of a code are not either: the level says what
was asked for, the result of the label job says which versions answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiida_alpot.jobs import label_driver
from aiida_alpot.jobs.driver_errors import alpot_errors


def level_of_theory(
    calculator: str, settings: Mapping[str, Any], *, folder: str | Path | None = None
) -> str:
    """Return the level of theory of a calculator as canonical JSON.

    Settings in another order, 300 in place of 300.0 and defaults written out or left out give the
    same text.

    Parameters
    ----------
    calculator : str
        A name of the allow-list, for instance ``"GPAW"``.
    settings : mapping
        Its settings, as in the campaign file.
    folder : path, optional
        Where a file named by the settings lies (its content counts); the current folder by default.

    Raises
    ------
    SettingError
        If the calculator or a setting is not allowed.
    InputFileError
        If a file named by the settings is missing.

    Examples
    --------
    >>> level_of_theory("EMT", {})
    '{"calculator":"EMT","settings":{"asap_cutoff":false}}'
    """
    with alpot_errors():
        return label_driver.level_of_theory(calculator, settings, folder)


def level_hash(level: str) -> str:
    """Return the SHA-256 of a level of theory, half of the key by which a label is looked up."""
    return hashlib.sha256(level.encode("utf-8")).hexdigest()
