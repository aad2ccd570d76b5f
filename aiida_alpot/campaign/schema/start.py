# SPDX-License-Identifier: MIT
"""The section ``start``: first training structures, and where the samplers start."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from aiida_alpot.campaign.schema.keys import (
    Count,
    Fraction,
    Name,
    PositiveFloat,
    Section,
    Symbol,
    key,
)

CRYSTALS = (
    "sc",
    "fcc",
    "bcc",
    "hcp",
    "tetragonal",
    "bct",
    "orthorhombic",
    "rhombohedral",
    "diamond",
    "zincblende",
    "rocksalt",
    "cesiumchloride",
    "fluorite",
    "wurtzite",
)


class StructureItem(Section):
    """Structures from a file, or a crystal built in, and what is done to them."""

    file: str | None = key(
        None,
        "File of structures (any that ASE reads, .cfg or .npz), relative to the campaign.",
        "the path of a file",
    )
    index: str | int | None = key(
        None,
        "Which structures of the file, as in Python (all if absent).",
        "a number or a slice such as '::10'",
    )
    group: str | None = key(
        None,
        "Group of AiiDA with labelled configurations, as 'alpot import' makes it.",
        "the label of a group",
    )
    level_of_theory: Literal["force"] | None = key(
        None,
        "'force' takes labels of another level of theory as if they were of this campaign's.",
        "force, or nothing",
    )
    labels: Literal["use", "drop"] | None = key(
        None,
        "What to do with energies and forces in the file: 'use' says that they were made at the "
        "level of theory of this campaign, 'drop' has them labelled anew.",
        "use or drop",
    )
    crystal: Literal[CRYSTALS] | None = key(  # type: ignore[valid-type]
        None, "Crystal structure to build.", ", ".join(CRYSTALS)
    )
    formula: str | None = key(
        None,
        "Chemical formula of the crystal, such as Cu or NaCl; the species of the campaign "
        "if there is only one.",
        "a formula of species of the campaign",
    )
    a: PositiveFloat | None = key(None, "Lattice constant in A.", "numbers above 0")
    b: PositiveFloat | None = key(None, "Second lattice constant in A.", "numbers above 0")
    c: PositiveFloat | None = key(None, "Third lattice constant in A.", "numbers above 0")
    cubic: bool = key(
        False, "Build the conventional cubic cell instead of the primitive one.", "true or false"
    )
    supercell: Count | Annotated[list[Count], Field(min_length=3, max_length=3)] = key(
        1, "Repetitions of the cell, one number or three.", "numbers from 1, or three of them"
    )
    substitute: dict[Symbol, Fraction] = key(
        {},
        "Share of the atoms that becomes another species, at random sites: {Au: 0.5}.",
        "species with shares above 0, at most 1 together",
    )
    vacancies: int = key(0, "Number of atoms to take out, at random.", "numbers from 0", ge=0)
    scales: list[PositiveFloat] = key(
        [1.0],
        "Factors of all cell vectors; each gives a structure.",
        "a list of numbers above 0",
        min_length=1,
    )
    strain: float = key(
        0.0,
        "Largest component of a random symmetric strain of the cell.",
        "numbers from 0 to 0.5",
        ge=0,
        le=0.5,
    )
    rattle: float = key(
        0.0, "Standard deviation of random displacements in A.", "numbers from 0 to 1", ge=0, le=1
    )
    copies: Count = key(
        1,
        "How many times each structure is taken, each with its own strain, rattle, vacancies "
        "and substitution.",
        "numbers from 1",
    )


class FirstCalculator(Section):
    """A calculator that explores before there is a potential."""

    name: str = key(..., "ASE calculator that drives the first exploration.", "a calculator")
    settings: dict[str, Any] = key({}, "Its settings.", "settings of that calculator")
    labels: Count = key(
        20, "How many of its frames are labelled for the first potential.", "numbers from 1"
    )
    samplers: list[str] = key(
        [], "Samplers of 'explore' that it runs; all of them if empty.", "names in explore"
    )


class StartSection(Section):
    """Where the campaign starts from."""

    training: list[StructureItem] = key(
        [], "First training structures, labelled before the first fit.", "a list of structures"
    )
    pool: str | None = key(
        None,
        "File of structures, relative to the campaign, from which the first ones to label are "
        "chosen before there is a potential: those that differ most for one of its form. Labels in "
        "it are not looked at.",
        "the path of a file, or nothing",
    )
    select: Count | None = key(
        None,
        "How many structures of the pool to label first, beside those of training.",
        "numbers from 1, at most the size of the pool; needed with pool",
    )
    potential: str | None = key(
        None,
        "File of a potential that the first fit goes on from, .mtp or .almtp, relative to the "
        "campaign: of the same cutoff, of the same or a lower level, of all species or some.",
        "the path of a file, or nothing",
    )
    structures: dict[Name, StructureItem] = key(
        {}, "Named structures from which the samplers start.", "names with structures"
    )
    calculator: FirstCalculator | None = key(
        None,
        "Calculator that explores first, in place of a first potential.",
        "name, settings, labels, samplers",
    )
