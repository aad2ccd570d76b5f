# SPDX-License-Identifier: MIT
"""docs/campaign-file.md documents every key there is, and none that there is not."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from aiida_alpot.campaign import schema
from aiida_alpot.campaign.messages import allowed_by, field_names
from aiida_alpot.campaign.schema import CampaignFile, MachinesFile
from aiida_alpot.campaign.validation import TEST_FIGURES, figures_of
from aiida_alpot.jobs.label_driver import CALCULATORS
from aiida_alpot.properties.registry import PROPERTIES
from aiida_alpot.sampling.bias_settings import BiasSettings
from aiida_alpot.sampling.registry import SAMPLERS
from aiida_alpot.selection.gate import GateSettings

DOCS = Path(__file__).parents[2] / "docs"
DOCUMENT = (DOCS / "campaign-file.md").read_text(encoding="utf-8")
SAMPLERS_DOCUMENT = (DOCS / "samplers.md").read_text(encoding="utf-8")

SECTIONS = {
    "potential.": schema.PotentialSection,
    "potential.zbl.": schema.ZblSection,
    "start.": schema.StartSection,
    "start.calculator.": schema.FirstCalculator,
    "ITEM.": schema.StructureItem,
    "explore[].": schema.SamplerEntry,
    "grades.": schema.GradesSection,
    "carve.": schema.CarveSection,
    "label.": schema.LabelSection,
    "fit.": schema.FitSection,
    "fit.weights.": schema.WeightsSection,
    "fit.committee.": schema.CommitteeSection,
    "fit.weighting.": schema.WeightingSection,
    "budget.": schema.BudgetSection,
    "converge.": schema.ConvergeSection,
    "converge.properties[].": schema.StationaryProperty,
    "validate[].": schema.PropertyEntry,
    "ROLE.": schema.Role,
    "ROLE.sizes[].": schema.SizeClass,
}
OTHERS = {"gate": (None, GateSettings), "bias": (None, BiasSettings)}
KINDS = {
    f"{kind}.": settings
    for kinds in (SAMPLERS, PROPERTIES, OTHERS)
    for kind, (_, settings) in kinds.items()
}


def keys_of_the_schema() -> set[str]:
    keys = {*field_names(CampaignFile), *field_names(MachinesFile)}
    keys |= {prefix + name for prefix, section in SECTIONS.items() for name in field_names(section)}
    return keys | {
        prefix + field.name for prefix, kind in KINDS.items() for field in dataclasses.fields(kind)
    }


def documented_keys() -> set[str]:
    cells = re.findall(r"^\| ([^|]*) \|", DOCUMENT, flags=re.MULTILINE)
    in_gpaw = DOCUMENT[DOCUMENT.index("Settings of GPAW") :]
    in_gpaw = in_gpaw[: in_gpaw.index("Settings of the others")]
    cells = [cell for cell in cells if f"| {cell} |" not in in_gpaw]
    cells += re.findall(r"^\| ([^|]*) \|", SAMPLERS_DOCUMENT, flags=re.MULTILINE)
    return {key for cell in cells for key in re.findall("`([^`]*)`", cell)}


def test_the_documented_keys_are_those_of_the_schema():
    assert documented_keys() == keys_of_the_schema()


@pytest.mark.parametrize("section", [CampaignFile, MachinesFile, *SECTIONS.values()])
def test_every_key_has_a_description_and_says_what_is_allowed(section):
    for name, field in section.model_fields.items():
        assert field.description, name
        assert allowed_by(field), name
        assert " ".join(field.description.split()) in DOCUMENT


@pytest.mark.parametrize("calculator", CALCULATORS)
def test_every_setting_of_every_calculator_is_named(calculator):
    part = DOCUMENT[DOCUMENT.index("## label") : DOCUMENT.index("## fit")]
    for setting in CALCULATORS[calculator].settings:
        assert f"`{setting}`" in part


@pytest.mark.parametrize("kind", PROPERTIES)
def test_every_figure_that_can_be_a_target_is_named(kind):
    part = DOCUMENT[DOCUMENT.index(f"### kind: {kind}") :].split("###")[1]
    for figure in figures_of(kind):
        assert f"`{figure}`" in part


@pytest.mark.parametrize("figure", TEST_FIGURES)
def test_every_figure_of_test_sets_is_named(figure):
    assert f"`{figure}`" in DOCUMENT


def test_the_example_in_the_documentation_loads(tmp_path):
    from aiida_alpot.campaign import load_campaign

    example = re.search(r"```yaml\n(.*?)```", DOCUMENT, flags=re.DOTALL).group(1)
    assert yaml.safe_load(example)["name"] == "copper"
    (tmp_path / "campaign.yaml").write_text(example, encoding="utf-8")
    assert len(load_campaign(tmp_path / "campaign.yaml").training) == 4
