# SPDX-License-Identifier: MIT
"""The keys of a campaign file, their types, limits and defaults, as pydantic models.

Each section of the file has a module of its own. Each key carries a description and a text that
says what is allowed, which error messages and documentation use. What depends on more than one key
stands in :mod:`aiida_alpot.campaign.checks`. Units: Angstrom, eV, Kelvin, femtoseconds.
"""

from aiida_alpot.campaign.schema.budget import BudgetSection
from aiida_alpot.campaign.schema.campaign_file import CampaignFile
from aiida_alpot.campaign.schema.carve import CarveSection
from aiida_alpot.campaign.schema.converge import ConvergeSection, StationaryProperty
from aiida_alpot.campaign.schema.explore import SamplerEntry
from aiida_alpot.campaign.schema.fit import (
    CommitteeSection,
    FitSection,
    WeightingSection,
    WeightsSection,
)
from aiida_alpot.campaign.schema.grades import GradesSection
from aiida_alpot.campaign.schema.keys import OpenSection, Section
from aiida_alpot.campaign.schema.label import LabelSection
from aiida_alpot.campaign.schema.machines import MachinesFile, Role, SizeClass
from aiida_alpot.campaign.schema.potential import PotentialSection, ZblSection
from aiida_alpot.campaign.schema.start import CRYSTALS, FirstCalculator, StartSection, StructureItem
from aiida_alpot.campaign.schema.validation import PropertyEntry

__all__ = [
    "CRYSTALS",
    "BudgetSection",
    "CampaignFile",
    "CarveSection",
    "CommitteeSection",
    "ConvergeSection",
    "FirstCalculator",
    "FitSection",
    "GradesSection",
    "LabelSection",
    "MachinesFile",
    "OpenSection",
    "PotentialSection",
    "PropertyEntry",
    "Role",
    "SamplerEntry",
    "Section",
    "SizeClass",
    "StartSection",
    "StationaryProperty",
    "StructureItem",
    "WeightingSection",
    "WeightsSection",
    "ZblSection",
]
