# SPDX-License-Identifier: MIT
"""The section ``potential``: form of the potential and its repulsive core."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from aiida_alpot.campaign.schema.keys import PositiveFloat, Section, key


class ZblSection(Section):
    """The repulsive core for pairs nearer than any in the data."""

    inner: PositiveFloat | None = key(
        None,
        "Radius in A below which a pair repels as screened nuclei do, for all pairs of species; "
        "0.65 of the smallest distance of each pair in the first data if absent.",
        "numbers above 0 and below outer, or nothing",
    )
    outer: PositiveFloat | None = key(
        None,
        "Radius in A beyond which there is no repulsion; 0.95 of the smallest distance of each "
        "pair if absent.",
        "numbers above inner and below the cutoff, or nothing",
    )
    pairs: dict[str, Annotated[list[PositiveFloat], Field(min_length=2, max_length=2)]] = key(
        {},
        "Inner and outer radius in A of single pairs of species, in place of the others: "
        "{W-H: [0.9, 1.4]}.",
        "pairs of species with two numbers, the first below the second",
    )
    overlay: bool = key(
        False,
        "Whether the radial functions stay as they are below the outer radius, as in codes that "
        "add a pair potential, instead of fading out.",
        "true or false",
    )


class PotentialSection(Section):
    """The moment tensor potential."""

    level: int = key(
        8,
        "Level of the potential: accuracy against cost.",
        "even numbers from 2 to 28",
        ge=2,
        le=28,
        multiple_of=2,
    )
    cutoff: float = key(5.0, "Cutoff radius in A.", "numbers from 1 to 20", ge=1, le=20)
    min_distance: PositiveFloat | None = key(
        None,
        "Inner end of the radial functions in A; 0.99 of the smallest distance in the first data "
        "if absent. It stays as it is during a campaign.",
        "numbers above 0 and below the cutoff, or nothing",
    )
    zbl: ZblSection | None = key(
        None,
        "Repulsive core (ZBL) for pairs nearer than any in the data; {} takes its defaults, none "
        "if absent. Its radii stay as they are during a campaign.",
        "inner, outer, pairs, overlay, or nothing",
    )
