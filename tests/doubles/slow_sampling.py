# SPDX-License-Identifier: MIT
"""A test double: the command ``alpot``, whose samplers take their time for each frame.

``SECONDS_PER_FRAME`` in the environment says how long, ``SECONDS_BETWEEN`` how often they write a
checkpoint, which takes minutes otherwise; everything else is as ever.

    SECONDS_PER_FRAME=0.7 SECONDS_BETWEEN=5 python slow_sampling.py sample request.json
"""

from __future__ import annotations

import os
import sys
import time

from aiida_alpot.cli import main
from aiida_alpot.jobs import sample
from aiida_alpot.jobs.checkpoints import Checkpoints
from aiida_alpot.sampling.chains import Chain

original = Chain.take


def take_slowly(chain, frame, results):
    """Wait, then do with the frame what the driver does."""
    time.sleep(float(os.environ["SECONDS_PER_FRAME"]))
    return original(chain, frame, results)


class FrequentCheckpoints(Checkpoints):
    """Checkpoints as often as the environment says."""

    def __init__(self, folder, *, every, stop_after=None):
        every = float(os.environ["SECONDS_BETWEEN"])
        super().__init__(folder, every=every, stop_after=stop_after)


if __name__ == "__main__":
    Chain.take = take_slowly
    sample.Checkpoints = FrequentCheckpoints
    sys.exit(main())
