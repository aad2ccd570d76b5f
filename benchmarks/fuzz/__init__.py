# SPDX-License-Identifier: MIT
"""Hostile files: every reader is given valid files that were damaged, and plain noise.

Run ``python -m fuzz --seconds 600`` in the folder ``benchmarks``; ``--readers`` chooses some,
``--json FILE`` keeps the figures. The suite runs a moderate number of the same inputs
(``tests/security``).

A reader passes if it returns, or raises one of our own errors. It fails if anything else is
raised, if it takes more than :data:`.guard.LONGEST` seconds of processor time, asks for more memory
than :data:`.guard.MOST_MEMORY` bytes, starts a program, opens a connection, or a file outside its
folder. Inputs are drawn by hypothesis: structure is respected as often as it is broken.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # before NumPy is loaded
