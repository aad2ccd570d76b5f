# SPDX-License-Identifier: MIT
"""Test sets that tell the truth: whole chains are held out, never single frames.

Neighbouring frames of one trajectory are nearly the same; a test frame whose neighbours were
trained on measures memory, not prediction. What stems from independent structures, such as derived
or random ones, or frames that selection has found to be unlike, may be split by frames.

Two kinds of test sets are told apart (Waters and Rondinelli): *difficult* ones are a share of what
was selected, *gentle* ones are drawn from what needed no label. Both stay frozen: what is like one
of their frames is never trained on (:func:`like_frozen`).
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.ase_structures import sampler_of_frame
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.selection.duplicates import find_like_known
from aiida_alpot.selection.fingerprints import fingerprints
from aiida_alpot.selection.picking import ALIKE_WITHIN, pick_in_order

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
    _check_fraction(fraction)
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


def split_by_frame(
    configurations: Configurations, fraction: float, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Split configurations into training and test at random, one by one.

    Arguments and errors as those of :func:`split_by_chain`; the number held out is the nearest to
    the fraction, and at least one is left to train on.
    """
    _check_fraction(fraction)
    n = len(configurations)
    count = min(round(fraction * n), max(n - 1, 0))
    held_out = np.sort(rng.permutation(n)[:count])
    return np.setdiff1d(np.arange(n), held_out), held_out


def draw_gentle(
    candidates: Configurations,
    spare: Array,
    count: int,
    rng: np.random.Generator,
    *,
    selected: Configurations,
    alike_within: float = ALIKE_WITHIN,
) -> Array:
    """Draw frames for a gentle test set from those that need no label.

    Parameters
    ----------
    candidates : Configurations
        What selection was made from.
    spare : (n,) int64
        Places of those that were not selected.
    count : int
        How many are wanted; fewer are drawn where there are fewer.
    rng : numpy.random.Generator
        Decides which.
    selected : Configurations
        Selected ones; what is like one of them is not drawn, nor what is like one drawn before.
    alike_within : float
        See :func:`~aiida_alpot.selection.picking.pick_in_order`.

    Returns
    -------
    (k,) int64
        Places of candidates, increasing.
    """
    if count < 1 or not len(spare):
        return np.zeros(0, dtype=np.int64)
    order = spare[rng.permutation(len(spare))].tolist()
    picked = pick_in_order(
        order, candidates, known=selected, limit=count, alike_within=alike_within
    )
    return np.sort(picked.indices)


def like_frozen(
    candidates: Configurations, frozen: Configurations, *, alike_within: float = ALIKE_WITHIN
) -> Array:
    """(n,) bool: whether each candidate is like a frame of a frozen test set."""
    if not len(frozen) or not len(candidates):
        return np.zeros(len(candidates), dtype=bool)
    found = find_like_known(fingerprints(candidates), fingerprints(frozen), alike_within)
    return np.array([other is not None for other in found])


def _check_fraction(fraction: float) -> None:
    if not 0.0 <= fraction < 1.0:
        raise SettingError(
            f"The test fraction is {fraction:g}; it must be at least 0 and less than 1."
        )


def chain_indices(configurations: Configurations) -> Array:
    """(n,) int64: number of the chain of each configuration, in the order of first appearance."""
    numbers: dict[tuple[int, str, str], int] = {}
    keys = zip(
        configurations.turn.tolist(),
        map(sampler_of_frame, configurations.sampler.tolist()),
        configurations.chain.tolist(),
        strict=True,
    )
    return np.array([numbers.setdefault(key, len(numbers)) for key in keys], dtype=np.int64)
