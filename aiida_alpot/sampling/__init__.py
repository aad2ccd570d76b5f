# SPDX-License-Identifier: MIT
"""Ways to explore configurations, and the one driver that grades, records and stops them.

A sampler yields frames (:mod:`~aiida_alpot.sampling.base`); :func:`run_sampler` iterates over them.
A new sampler is one file and one line in :data:`~aiida_alpot.sampling.registry.SAMPLERS`.
"""

from aiida_alpot.sampling.base import Ending, Frame, Sampler
from aiida_alpot.sampling.chains import ChainResult
from aiida_alpot.sampling.driver import SampleResult, run_sampler
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import SAMPLERS, describe, make_sampler
from aiida_alpot.sampling.stopping import Stop, StopRules

__all__ = [
    "SAMPLERS",
    "ChainResult",
    "Ending",
    "Frame",
    "RecordRules",
    "SampleResult",
    "Sampler",
    "Stop",
    "StopRules",
    "describe",
    "make_sampler",
    "run_sampler",
]
