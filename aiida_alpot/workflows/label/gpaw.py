# SPDX-License-Identifier: MIT
"""Label with GPAW, by a driver that travels with each job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.workflows.label.base import LabelWorkChain


class GpawLabelWorkChain(LabelWorkChain):
    """Label with GPAW through the Python that it is installed in, or through ``gpaw python``.

    The set-up of the code decides whether the job runs under MPI. Memory and time are those of
    the role ``label``.
    """

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Refuse every calculator but GPAW."""
        name = calculator.get("name")
        if str(name).lower() != "gpaw":
            return f"The workchain 'gpaw' labels with GPAW, not with {name!r}; use 'ase' for that."
        return None
