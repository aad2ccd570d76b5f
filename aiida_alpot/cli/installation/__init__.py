# SPDX-License-Identifier: MIT
"""Setting up AiiDA for campaigns: a profile, computers, codes, the daemon.

Every step looks first whether its result is there, so that it can be repeated. A profile that was
made elsewhere is only added to when it is named.
"""

from aiida_alpot.cli.installation.codes import (
    alpot_here,
    ensure_alpot_code,
    ensure_code,
    ensure_gpaw_code,
    imports_gpaw,
)
from aiida_alpot.cli.installation.computers import Cluster, ensure_cluster, ensure_computer
from aiida_alpot.cli.installation.daemon import find_own_verdi, start_daemon
from aiida_alpot.cli.installation.profiles import ensure_profile, let_readers_and_writers_meet
from aiida_alpot.cli.installation.services import Broker, Database

__all__ = [
    "Broker",
    "Cluster",
    "Database",
    "alpot_here",
    "ensure_alpot_code",
    "ensure_cluster",
    "ensure_code",
    "ensure_computer",
    "ensure_gpaw_code",
    "ensure_profile",
    "find_own_verdi",
    "imports_gpaw",
    "let_readers_and_writers_meet",
    "start_daemon",
]
