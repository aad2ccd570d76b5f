# SPDX-License-Identifier: MIT
"""Train moment tensor potentials by active learning, with AiiDA keeping the provenance.

The package is built in floors; a floor imports only from those below it (``docs/architecture.md``).
Importing this module loads nothing heavy.
"""

__version__ = "0.1.0"
