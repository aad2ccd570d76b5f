# SPDX-License-Identifier: MIT
"""Loading a campaign: from the YAML file to checked settings and structures.

Everything that can be wrong with a campaign file is found here, before anything is submitted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ase import Atoms
from pydantic import ValidationError

from aiida_alpot.campaign.calculator_files import calculator_files, settings_in_job
from aiida_alpot.campaign.calculators import level_of_label
from aiida_alpot.campaign.campaign import Campaign
from aiida_alpot.campaign.carve_checks import check_large_starts
from aiida_alpot.campaign.checks import check_campaign, items_of
from aiida_alpot.campaign.core_radii import with_core_radii
from aiida_alpot.campaign.file_names import file_of_campaign
from aiida_alpot.campaign.first_potential import read_first_potential
from aiida_alpot.campaign.kinds import settings_of
from aiida_alpot.campaign.machine_options import refuse_programs
from aiida_alpot.campaign.machines import load_machines
from aiida_alpot.campaign.messages import dotted, from_validation, wrong_value
from aiida_alpot.campaign.pool import add_from_pool
from aiida_alpot.campaign.schema import CampaignFile, MachinesFile, StructureItem
from aiida_alpot.campaign.schema.label import LabelSection
from aiida_alpot.campaign.structures import (
    build_structures,
    generator_for,
    identifiers_of,
    named_configurations,
)
from aiida_alpot.campaign.yaml_file import parse_yaml, read_yaml_text
from aiida_alpot.configuration_checks import check_geometry, check_labels
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import AlpotError, CampaignFileError, SpeciesError

if TYPE_CHECKING:
    pass

GroupReader = Callable[[str, LabelSection, str], Configurations]


def load_campaign(
    path: str | Path,
    *,
    machines: str | Path | MachinesFile | None = None,
    text: str | None = None,
    read_group: GroupReader | None = None,
) -> Campaign:
    """Read, check and build the campaign that stands in a YAML file.

    Parameters
    ----------
    path : path
        The campaign file; file names in it count from its folder.
    machines : path or MachinesFile, optional
        A machines file, or what one holds, in place of the one that the campaign names.
    text : str, optional
        What stands for the content of the file, as where a campaign is amended.
    read_group : callable, optional
        Reads the labels of a group of AiiDA, where the campaign names one; see
        :func:`aiida_alpot.cli.importing.group_reader`.

    Raises
    ------
    CampaignFileError
        With one line that names the key, its value and what is allowed.
    InputFileError, GeometryError, LabelError, LevelOfTheoryError
        If a file of structures cannot be read or holds what cannot be used.
    """
    path = Path(path)
    text = read_yaml_text(path) if text is None else text
    content = _validated(parse_yaml(text, source=str(path)), str(path))
    content = with_core_radii(content, path.parent, str(path))
    check_campaign(content, str(path))
    refuse_programs(content.label.options, f"{path}: label.options")
    refuse_programs(content.label.retry_options, f"{path}: label.retry_options")
    is_named_here = machines is None and content.machines is not None
    if is_named_here:
        place = f"{path}: machines"
        machines = file_of_campaign(path.parent, str(content.machines), place=place)
    files = calculator_files(content, path.parent, str(path))
    level = level_of_label(
        content.label.calculator,
        settings_in_job(content.label.settings),
        workchain=content.label.workchain,
        folder=files["label"].parent if "label" in files else None,
    )
    builder = _Builder(content, str(path), path.parent, level, read_group)
    training = builder.collect(
        {f"start_{i}": [item] for i, item in enumerate(content.start.training)}, "start.training"
    )
    training = add_from_pool(content, training, path.parent, str(path))
    structures = builder.collect(
        {name: [item] for name, item in content.start.structures.items()}, "start.structures"
    )
    tests = {
        name: builder.collect({name: items}, f"test_sets.{name}")
        for name, items in content.test_sets.items()
    }
    _check_species_have_starts(content, str(path), training, structures)
    campaign = Campaign(
        content=content,
        machines=load_machines(machines, is_named_by_campaign=is_named_here),
        training=training,
        structures=structures,
        starts=builder.identifiers,
        test_sets=tests,
        level_of_theory=level,
        files=files,
        path=path,
        text=text,
        potential=read_first_potential(content, path.parent, str(path)),
    )
    _check_starts(campaign, str(path))
    check_large_starts(campaign, str(path))
    _check_first_labels(campaign, str(path))
    _check_codes(campaign, str(path))
    return campaign


def _validated(keys: dict[str, Any], source: str) -> CampaignFile:
    try:
        return CampaignFile.model_validate(keys)
    except ValidationError as error:
        raise from_validation(source, CampaignFile, error) from error


class _Builder:
    """Builds the structures of items and names the place of an item in every message."""

    def __init__(
        self,
        content: CampaignFile,
        source: str,
        folder: Path,
        level: str,
        read_group: GroupReader | None,
    ):
        self.content = content
        self.read_group = read_group
        self.source = source
        self.folder = folder
        self.level = level
        self.identifiers: dict[str, list[str]] = {}
        self.places = {id(item): dotted(place) for place, item in items_of(content)}

    def collect(self, items: dict[str, list[StructureItem]], section: str) -> Configurations:
        """Return the checked configurations of named items."""
        built: dict[str, Sequence[Atoms]] = {
            name: [atoms for item in members for atoms in self.build(item, f"{section}/{name}")]
            for name, members in items.items()
        }
        if section == "start.structures":
            self.identifiers = {name: identifiers_of(name, len(one)) for name, one in built.items()}
            self._check_unique_identifiers()
        configurations = named_configurations(built)
        if configurations.labelled.any():
            check_labels(configurations.select(configurations.labelled))
            configurations = configurations.replace(level_of_theory=self.level)
        return configurations

    def group_reader(self) -> Callable[[str], Configurations] | None:
        """Return what reads a group for this campaign."""
        read = self.read_group
        if read is None:
            return None
        return lambda group: read(group, self.content.label, self.level)

    def build(self, item: StructureItem, name: str) -> list[Atoms]:
        """Return the structures of one item after checking each."""
        place = self.places[id(item)]
        rng = generator_for(self.content.seed, f"{name}/{place}")
        try:
            made = build_structures(
                item,
                rng,
                species=self.content.species,
                folder=self.folder,
                level=self.level,
                read_group=self.group_reader(),
            )
            check_geometry(Configurations.from_atoms(made))
        except AlpotError as error:
            raise type(error)(f"{self.source}: {place}: {error}") from error
        for atoms in made:
            foreign = sorted(set(atoms.get_chemical_symbols()) - set(self.content.species))
            if foreign:
                raise SpeciesError(
                    f"{self.source}: {place} holds {', '.join(foreign)}, but species is "
                    f"{self.content.species}; add it there or leave the structure out."
                )
        return made

    def _check_unique_identifiers(self) -> None:
        seen: dict[str, str] = {}
        for name, identifiers in self.identifiers.items():
            for identifier in identifiers:
                if identifier in seen:
                    raise CampaignFileError(
                        f"{self.source}: start.structures.{name} makes the structure {identifier}, "
                        f"a name that {seen[identifier]} has already; rename one of them."
                    )
                seen[identifier] = name


def _check_species_have_starts(
    content: CampaignFile, source: str, training: Configurations, structures: Configurations
) -> None:
    present = set(training.species) | set(structures.species)
    for symbol in content.species:
        if symbol not in present:
            raise wrong_value(
                source,
                ("species",),
                content.species,
                f"species that occur in start, where {symbol} does not",
            )


def _check_starts(campaign: Campaign, source: str) -> None:
    """Let every sampler look at its starts."""
    from aiida_alpot.sampling.registry import make_sampler

    structures = {str(one.info["identifier"]): one for one in campaign.structures}
    for index, entry in enumerate(campaign.content.explore):
        identifiers = [name for start in entry.starts for name in campaign.starts[start]]
        try:
            sampler = make_sampler(entry.kind, settings_of(entry))
            sampler.check([structures[name] for name in identifiers])
        except AlpotError as error:
            raise type(error)(f"{source}: explore[{index}].starts: {error}") from error


def _check_first_labels(campaign: Campaign, source: str) -> None:
    """Refuse a budget that the labels before the first turn would use up."""
    content = campaign.content
    first = len(campaign.training) + sum(len(one) for one in campaign.test_sets.values())
    if content.start.calculator is not None:
        first += content.start.calculator.labels
    if first > content.budget.labels:
        raise wrong_value(
            source,
            ("budget", "labels"),
            content.budget.labels,
            f"at least {first}, which start and test sets need",
        )


def _check_codes(campaign: Campaign, source: str) -> None:
    from aiida_alpot.campaign.calculators import needs_code

    label = campaign.content.label
    if needs_code(label.calculator) and not (label.code or campaign.machines.label.code):
        raise CampaignFileError(
            f"{source}: the key label.code is missing; allowed: the label of a code that runs "
            f"{label.calculator}, such as {label.calculator.lower()}@localhost."
        )
