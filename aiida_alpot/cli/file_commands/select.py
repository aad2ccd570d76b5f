# SPDX-License-Identifier: MIT
"""``alpot select``: which candidates to label, by any rule of selection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from aiida_alpot.cli.file_commands.select_options import (
    MAXVOL_METHODS,
    pool_options,
    rule_options,
    test_options,
)
from aiida_alpot.cli.job_command import JobCommand
from aiida_alpot.cli.options import (
    FILE,
    committee_option,
    existing,
    json_option,
    mode_option,
    require_beside,
    required_output_option,
    seed_option,
    several_files_option,
    species_option,
)

if TYPE_CHECKING:
    from aiida_alpot.cli.job_folder import JobFolder
    from aiida_alpot.configurations import Configurations

NO_GATE = {
    "min_distance_factor": 0.0,
    "min_volume_factor": None,
    "max_volume_factor": None,
    "min_cell_angle": None,
    "max_aspect_ratio": None,
    "min_thickness": None,
    "fragment_factor": None,
    "max_force": None,
    "duplicate_tolerance": None,
}


@click.command("select", cls=JobCommand)
@click.argument("potential", type=FILE, callback=existing, required=False)
@click.argument("candidates", type=FILE, callback=existing, required=False)
@several_files_option("--training", help="Training set, in one file or several.")
@committee_option(
    help="Select what these potentials disagree about most, in place of what extends the set."
)
@species_option
@pool_options
@rule_options
@mode_option
@click.option("--limit", type=click.IntRange(min=1), help="Most configurations to select.")
@click.option(
    "--gate/--no-gate",
    default=True,
    show_default=True,
    help="Refuse candidates that are no sane structures or duplicates, or take all, as MLIP-2.",
)
@test_options
@seed_option
@required_output_option
@json_option
def command(
    *,
    potential: Path | None,
    candidates: Path | None,
    training: tuple[Path, ...],
    committee: tuple[Path, ...],
    species: tuple[str, ...],
    pool: Path | None,
    level: int | None,
    cutoff: float | None,
    method: str,
    mode: str,
    threshold: float | None,
    tail_k: float | None,
    tail_kind: str | None,
    cost: float | None,
    limit: int | None,
    gate: bool,
    frozen: tuple[Path, ...],
    test_fraction: float,
    test_split: str,
    difficult: Path | None,
    gentle: Path | None,
    gentle_size: int,
    seed: int,
    output: Path,
    json_file: Path | None,
) -> None:
    """Select from CANDIDATES what extends the training set most, and write it to a file.

    With a --committee those are selected that its members, to which POTENTIAL belongs only if it is
    named again, disagree about most; candidates that are alike teach the same, and one of them is
    taken. The training set is then for the gate, which refuses what is in it already, frames
    whose atoms overlap, and predicted forces beyond 25 eV/A.

    Before there is a potential, --pool takes the place of POTENTIAL and CANDIDATES: those of the
    pool are selected that a potential of --level and --cutoff could tell apart best.
    """
    from aiida_alpot.cli.job_folder import JobFolder, read_usable, species_of, write_json
    from aiida_alpot.mtp.structure_files import write_configurations

    require_beside("--difficult", difficult is not None, "test_fraction", "test_split")
    require_beside("--gentle", gentle is not None, "gentle_size")
    require_beside("--method tail", method == "tail", "tail_k", "tail_kind")
    _check_arguments(
        potential=potential,
        candidates=candidates,
        training=training,
        pool=pool,
        level=level,
        cutoff=cutoff,
        limit=limit,
    )
    if pool is None:
        assert potential is not None
        assert candidates is not None
        species = species_of(potential, species)
        given = read_usable([candidates], species)
    else:
        given = read_usable([pool], species)
        species = species or given.species
    rules = _rules(method, threshold, has_committee=bool(committee), has_pool=pool is not None)
    if cost is not None:
        rules["cost_exponent"] = cost
    rules |= {
        key: value
        for key, value in (("tail_k", tail_k), ("tail_kind", tail_kind))
        if value is not None
    }
    with JobFolder() as job:
        if committee:
            rules["committee"] = job.add_committee(committee, species)
        if frozen:
            rules["frozen"] = [job.add_configurations(read_usable(frozen, species), "frozen")]
        if potential is not None and pool is None:
            rules["potential"] = job.add_potential(potential, species)
        else:
            rules |= {"species": list(species), "level": level, "cutoff": cutoff}
        if training:
            rules["training"] = [job.add_configurations(read_usable(training, species), "training")]
        result = job.run(
            "select",
            candidates=[job.add_configurations(given, "candidates")],
            mode=mode,
            limit=limit,
            gate={} if gate else NO_GATE,
            test_fraction=test_fraction if difficult is not None else 0.0,
            test_split=test_split,
            gentle_tests=gentle_size if gentle is not None else 0,
            seed=seed,
            **rules,
        )
        selected = job.configurations("selected.npz")
        write_configurations(selected, output, species=species)
        tests = _write_tests(job, difficult, gentle, species)
    if json_file is not None:
        names = ("n_candidates", "n_selected", "largest_grade", "verdicts", "candidates")
        write_json({name: result[name] for name in names}, json_file)
    click.echo(_describe(result, selected, method, output, has_committee=bool(committee)) + tests)


def _check_arguments(
    *,
    potential: Path | None,
    candidates: Path | None,
    training: tuple[Path, ...],
    pool: Path | None,
    level: int | None,
    cutoff: float | None,
    limit: int | None,
) -> None:
    if pool is not None:
        if potential is not None or candidates is not None:
            raise click.UsageError("--pool takes the place of POTENTIAL and CANDIDATES.")
        if level is None or cutoff is None or limit is None:
            raise click.UsageError(
                "--pool needs --level and --cutoff of the potential that is to come, and --limit, "
                "the number of configurations to label first."
            )
        return
    for value, name in ((potential, "POTENTIAL"), (candidates, "CANDIDATES")):
        if value is None:
            raise click.UsageError(f"Missing argument '{name}', or --pool in place of both.")
    if not training:
        raise click.UsageError("Missing option '--training'.")
    if level is not None or cutoff is not None:
        raise click.UsageError("--level and --cutoff are for --pool; POTENTIAL has its own.")


def _rules(
    method: str, threshold: float | None, *, has_committee: bool, has_pool: bool
) -> dict[str, Any]:
    """Return rule, method and thresholds by the keys of the job."""
    if method not in MAXVOL_METHODS:
        chosen = {"rule": method, "method": "projected"}
        return chosen if threshold is None else {**chosen, "threshold": threshold}
    if has_committee and threshold is None:
        raise click.UsageError(
            "--committee needs --threshold, the deviation of forces in eV/A above which a frame "
            "is worth a label, such as 0.1."
        )
    if threshold is None:
        # whatever adds to the volume is worth a label where there is no potential yet
        threshold = 1.0 if has_pool else 2.0
    if not has_committee and threshold < 1.0:
        raise click.BadParameter(f"{threshold:g} is below 1, where nothing extrapolates.")
    # of a pool so many are wanted as the limit says, which the projected way knows how to find
    chosen = {"method": "projected" if has_pool or method == "maxvol" else method}
    thresholds = {"threshold": threshold}
    return {**chosen, **thresholds, "entry": threshold} if has_committee else chosen | thresholds


def _write_tests(
    job: JobFolder, difficult: Path | None, gentle: Path | None, species: Sequence[str]
) -> str:
    """Write the test sets that are asked for; return what to say of them."""
    from aiida_alpot.mtp.structure_files import write_configurations

    said = ""
    for path, name, kind in ((difficult, "test", "difficult"), (gentle, "gentle", "gentle")):
        # nothing is held out where nothing was selected
        if path is not None and (job.path / f"{name}.npz").is_file():
            found = job.configurations(f"{name}.npz")
            write_configurations(found, path, species=species)
            said += f"; {len(found)} {kind} ones for tests to {path}"
    return said


def _describe(
    result: dict[str, Any],
    selected: Configurations,
    method: str,
    output: Path,
    *,
    has_committee: bool,
) -> str:
    text = (
        f"{result['n_selected']} of {result['n_candidates']} candidates selected, "
        f"{int(selected.n_atoms.sum())} atoms"
    )
    largest = result["largest_grade"]
    if largest is not None or method in MAXVOL_METHODS:
        shown = "infinite" if largest is None else f"{largest:.4g}"
        kind = ("largest deviation of forces", " eV/A") if has_committee else ("largest grade", "")
        text += f", {kind[0]} {shown}{kind[1]}"
    text = f"{text}; written to {output}"
    refused = Counter(one["rule"] for one in result["refused"]) + Counter(
        result["refused_unlisted"]
    )
    if refused:
        rules = ", ".join(f"{rule} {count}" for rule, count in sorted(refused.items()))
        text += f"; {refused.total()} refused by the gate ({rules}; --no-gate takes them)"
    return text
