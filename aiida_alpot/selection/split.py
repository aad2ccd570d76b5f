# SPDX-License-Identifier: MIT
"""Test sets that tell the truth: whole chains are held out, never single frames.

Neighbouring frames of one trajectory are nearly the same; a test frame whose neighbours were
trained on measures memory, not prediction.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError

Array = np.ndarray


def split_by_chain(
    configurations: Configurations, fraction: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Split configurations into training and test, chain by chain.

    A chain is what has the same turn, sampler and chain name; configurations given from outside
    without a chain count as one, since nothing is known about their kinship. Chains are drawn at
    random until the number of test configurations is as near to the fraction as whole chains allow;
    at least one chain is held out if the fraction is positive, and at least one is always left to
    train on.

    Parameters
    ----------
    configurations : Configurations
        To split.
    fraction : float
        Fraction of the configurations that is to be held out, ``0 <= fraction < 1``.
    rng : numpy.random.Generator
        Decides which chains.

    Returns
    -------
    training, test : int64 arrays
        Indices, increasing.

    Raises
    ------
    SettingError
        If the fraction is out of range.
    """
    if not 0.0 <= fraction < 1.0:
        raise SettingError(
            f"The test fraction is {fraction:g}; it must be at least 0 and less than 1."
        )
    chain_of = chain_indices(configurations)
    n_chains = int(chain_of.max(initial=-1)) + 1
    sizes = np.bincount(chain_of, minlength=n_chains)
    wanted = fraction * len(configurations)
    held_out: list[int] = []
    count = 0
    for chain in rng.permutation(n_chains) if fraction > 0.0 else ():
        nearer = abs(count + sizes[chain] - wanted) <= abs(count - wanted)
        if len(held_out) < n_chains - 1 and (nearer or not held_out):
            held_out.append(int(chain))
            count += int(sizes[chain])
    in_test = np.isin(chain_of, held_out)
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def chain_indices(configurations: Configurations) -> Array:
    """(n,) int64: number of the chain of each configuration, in the order of first appearance."""
    numbers: dict[tuple[int, str, str], int] = {}
    keys = zip(
        configurations.turn.tolist(),
        configurations.sampler.tolist(),
        configurations.chain.tolist(),
        strict=True,
    )
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
