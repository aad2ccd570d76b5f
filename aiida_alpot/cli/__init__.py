# SPDX-License-Identifier: MIT
"""The command ``alpot``: jobs on files, and campaigns in AiiDA.

Commands are loaded when they are called, so that ``alpot --help`` is quick and the file commands
work where AiiDA is not installed.
"""

from aiida_alpot.cli.application import main

__all__ = ["main"]
