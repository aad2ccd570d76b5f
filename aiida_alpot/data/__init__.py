# SPDX-License-Identifier: MIT
"""Node types: configurations, potentials and active sets, each a single file.

The content alone decides the hash of a node: no UUID, path or date stands in any of the files.
"""

from aiida_alpot.data.active_set import ActiveSetData
from aiida_alpot.data.configurations import ConfigurationsData
from aiida_alpot.data.potential import PotentialData

__all__ = ["ActiveSetData", "ConfigurationsData", "PotentialData"]
