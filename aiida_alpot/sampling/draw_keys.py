# SPDX-License-Identifier: MIT
"""Pseudo-random numbers that belong to frames, so that a draw does not depend on what else runs."""

from __future__ import annotations

import hashlib


def draw_key(seed: int, sampler: str, chain: str, step: int) -> int:
    """Return the number of a frame, uniform below 2^64 (SHA-256 of seed, sampler, chain, step)."""
    text = f"{seed}/{sampler}/{chain}/{step}"
    return int(hashlib.sha256(text.encode()).hexdigest()[:16], 16)
