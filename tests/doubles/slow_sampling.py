# SPDX-License-Identifier: MIT
"""A test double: the command ``alpot``, whose samplers take their time for each frame.

``SECONDS_PER_FRAME`` in the environment says how long; everything else is as ever.

    SECONDS_PER_FRAME=1.5 python slow_sampling.py sample request.json
"""

from __future__ import annotations

import os
import sys
import time

from aiida_alpot.cli import main
from aiida_alpot.sampling import driver

original = driver._Chain.take


def take_slowly(chain, frame, results):
    """Wait, then do with the frame what the driver does."""
    time.sleep(float(os.environ["SECONDS_PER_FRAME"]))
    original(chain, frame, results)


if __name__ == "__main__":
    driver._Chain.take = take_slowly
    sys.exit(main())
