# SPDX-License-Identifier: MIT
"""``alpot converge``: measure the noise of the labels of a campaign, the floor of its targets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.campaign_commands.options import campaign_file_argument, machines_option
from aiida_alpot.cli.profile import profile_option
from aiida_alpot.errors import SettingError

if TYPE_CHECKING:
    from aiida_alpot.campaign.campaign import Campaign
    from aiida_alpot.configurations import Configurations


@click.command("converge")
@campaign_file_argument
@click.option(
    "--structure",
    "structures",
    multiple=True,
    metavar="NAME",
    help="Crystal among start.structures; may be given again.  [default: the smallest cell of each "
    "composition]",
)
@click.option(
    "--most-atoms",
    type=click.IntRange(min=2),
    default=64,
    show_default=True,
    help="Atoms of the largest supercell that is labelled.",
)
@click.option("--submit", "is_submitted", is_flag=True, help="Leave it to the daemon and return.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as JSON."
)
@machines_option
@profile_option
def command(
    *,
    campaign_file: Path,
    structures: tuple[str, ...],
    most_atoms: int,
    is_submitted: bool,
    json_file: Path | None,
    machines: Path | None,
    profile: str | None,
) -> None:
    """Measure how much labels differ that a potential cannot tell apart.

    Crystals of CAMPAIGN.YAML are labelled by its own labeller: as they are, in cells of other
    shapes, moved, as supercells, and with more k-points and a higher cutoff where there are any.
    The largest difference is the floor of all errors on test sets. The measurement stays in the
    profile, where 'alpot run --dry-run' finds it and warns of targets below the floor.
    """
    from aiida_alpot.campaign.load import load_campaign
    from aiida_alpot.cli.importing import group_reader
    from aiida_alpot.cli.launch import run_or_submit
    from aiida_alpot.cli.profile import open_profile
    from aiida_alpot.reports.noise import noise_lines, target_warnings

    campaign = load_campaign(campaign_file, machines=machines, read_group=group_reader(profile))
    open_profile(profile)
    builder = converge_builder(campaign, structures, most_atoms=most_atoms)
    process = run_or_submit(builder, output="noise", is_submitted=is_submitted)
    if process is None:
        return
    noise = process.outputs.noise.get_dict()
    if json_file is not None:
        from aiida_alpot.cli.job_folder import write_json

        write_json({"process": process.uuid, **noise}, json_file)
    for line in noise_lines(noise):
        click.echo(line)
    for line in target_warnings(noise, targets_of(campaign)):
        click.echo(f"WARNING: {line}")
    click.echo(f"process {process.uuid} (PK {process.pk})")


def targets_of(campaign: Campaign) -> dict[str, float]:
    """Return the strictest target of each error that the campaign file names."""
    found: dict[str, float] = {}
    for targets in (campaign.content.test_targets, campaign.content.converge.targets):
        for name, value in targets.items():
            found[name] = min(value, found.get(name, value))
    return found


def choose_crystals(campaign: Campaign, names: tuple[str, ...]) -> Configurations:
    """Return the starts that are named, else the smallest cell of each composition.

    Raises
    ------
    SettingError
        If there is no start of such a name.
    """
    structures = campaign.structures
    known = [str(name) for name in structures.identifier]
    if names:
        for name in names:
            if name not in campaign.starts:
                raise SettingError(
                    f"start.structures has no {name!r}; there are {', '.join(campaign.starts)}."
                )
        return structures.select([known.index(campaign.starts[name][0]) for name in names])
    smallest: dict[Any, int] = {}
    for index in range(len(structures)):
        formula = structures.atoms(index).symbols.formula.reduce()[0]
        best = smallest.setdefault(str(formula), index)
        if structures.n_atoms[index] < structures.n_atoms[best]:
            smallest[str(formula)] = index
    return structures.select(list(smallest.values()))


def converge_builder(campaign: Campaign, names: tuple[str, ...], *, most_atoms: int) -> Any:
    """Return the inputs of the measurement for a campaign, nothing of it stored.

    Raises
    ------
    ServiceError
        If a code is not there.
    AlpotError
        If the labeller is not there, or the crystals do not fit.
    """
    from aiida import orm

    from aiida_alpot.campaign.equivalent_cells import distorted_crystals
    from aiida_alpot.campaign.settings import code_labels, workchain_options
    from aiida_alpot.cli.profile import find_code
    from aiida_alpot.data import ConfigurationsData
    from aiida_alpot.workflows.converge import ConvergeWorkChain
    from aiida_alpot.workflows.label.builder import complete_level

    chosen = choose_crystals(campaign, names)
    seed = campaign.content.seed
    crystals = distorted_crystals(chosen, seed=seed, most_atoms=most_atoms)
    level = complete_level(campaign.as_settings()["label"], list(campaign.content.species))
    builder = ConvergeWorkChain.get_builder()
    builder.settings = orm.Dict(campaign.at_level(level).as_settings())
    builder.crystals = ConfigurationsData.from_configurations(crystals)
    builder.most_atoms = orm.Int(most_atoms)
    builder.codes = {role: find_code(label) for role, label in code_labels(campaign).items()}
    builder.options = orm.Dict(workchain_options(campaign))
    builder.files = {name: orm.SinglefileData(path) for name, path in campaign.files.items()}
    builder.metadata.label = f"noise of labels of {campaign.content.name}"
    return builder
