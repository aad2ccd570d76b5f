# SPDX-License-Identifier: MIT
"""The section ``carve``: chunks in place of frames that are too large to be labelled."""

from __future__ import annotations

from typing import Literal

from aiida_alpot.campaign.schema.keys import Count, NotNegative, PositiveFloat, Section, Symbol, key


class CarveSection(Section):
    """What is labelled of frames that are too large for the calculator of the labels."""

    above_atoms: Count = key(
        100,
        "Frames with more atoms than this are never labelled as a whole, but chunks of them, which "
        "hold no more atoms either: where the radius would take in more the chunk is smaller.",
        "numbers from 1",
    )
    radius: PositiveFloat = key(
        8.0,
        "A chunk holds all atoms up to this distance from its central atom, A.",
        "numbers from potential.cutoff",
    )
    vacuum: NotNegative = key(
        5.0, "Vacuum between a chunk and the faces of its cell, A.", "numbers from 0"
    )
    kind: Literal["cluster", "periodic"] = key(
        "cluster",
        "Clusters in vacuum, or for bulk smaller periodic cells without a surface.",
        "cluster or periodic",
    )
    passivate: Symbol | None = key(
        None,
        "Element that saturates the cut bonds of clusters, which covalent solids need. A potential "
        "whose species do not name it is trained on chunks without these atoms.",
        "the symbol of an element, or nothing; with VASP one of species",
    )
    per_structure: Count = key(
        3,
        "Most chunks of one frame, about the atoms of it that are known least.",
        "numbers from 1 to budget.labels_per_turn",
    )
