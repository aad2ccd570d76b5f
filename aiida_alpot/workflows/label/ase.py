# SPDX-License-Identifier: MIT
"""Label with a calculator of ASE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.workflows.label.batch import BatchLabelWorkChain


class AseLabelWorkChain(BatchLabelWorkChain):
    """Label with a calculator of the allow-list that needs no code of its own."""

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Send GPAW to its own WorkChain; which other names are allowed, the job knows."""
        if str(calculator.get("name", "")).lower() == "gpaw":
            return "GPAW labels with the workchain 'gpaw', not 'ase'."
        return None
