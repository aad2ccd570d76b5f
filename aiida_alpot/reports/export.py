# SPDX-License-Identifier: MIT
"""A campaign as plain files, usable where there is no AiiDA."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import InputFileError, ServiceError
from aiida_alpot.jobs.requests import to_plain_json
from aiida_alpot.mtp.pair_tables import dump_pair_tables, pair_commands
from aiida_alpot.mtp.structure_files import write_configurations
from aiida_alpot.reports.calculations import find_potcar_text
from aiida_alpot.reports.found import FoundByJob, describe_found, found_by_searches
from aiida_alpot.reports.lammps_files import lammps_files
from aiida_alpot.reports.provenance import (
    potential_of_campaign,
    training_configurations,
    training_sets,
)

if TYPE_CHECKING:
    from aiida_alpot.mtp.potential import MomentTensorPotential

NOTE = """\
{name}: a moment tensor potential of {species}, level {level}, cutoff {cutoff:g} A.

potential.mtp     the potential in the format of MLIP-2
training.xyz      what it was trained on, with labels (extended XYZ)
test_NAME.xyz     frozen test sets, where there are any
found_NAME.xyz    what the searches of the last turn found, where there are any; energies
                  by the potential stand in provenance.json
active_set.npz    the active set, for extrapolation grades
potential.almtp   potential and active set in the format of MLIP-3
provenance.json   where each training configuration and its label came from
campaign.yaml     the campaign file
in.lammps         a short run of LAMMPS with MLIP-2: with setup.lammps, dynamics.lammps,
                  structure.data and mlip.ini
run_lammps.py     the same run by stock LAMMPS and this package

Types: {types}.

LAMMPS with the MLIP-2 interface (mlip.ini holds the two lines):

    mtp-filename potential.mtp
    select FALSE

    pair_style mlip mlip.ini
    pair_coeff * *

The masses and the order of the types in the LAMMPS data file must be those above.

Python:

    from aiida_alpot.mtp import MTP
    atoms.calc = MTP("potential.mtp", active_set="active_set.npz")
"""
TABLE_FILE = "zbl.table"
NOTE_ON_CORE = """
The potential has a ZBL core, which does not travel: MLIP, LAMMPS and motep read potential.mtp
without it. Their results are those of Python as long as no pair is nearer than its outer radius
({radii}). Below it use Python.
"""
NOTE_ON_OVERLAY = """
The potential has a ZBL core, which does not travel: MLIP, LAMMPS and motep read potential.mtp
without it. It is an overlay, V(r) of ZBL switched off between two radii ({radii}), which LAMMPS
can add from the tables in zbl.table:

{commands}
"""


def export_campaign(node: Any, folder: Path, *, force: bool = False) -> list[Path]:
    """Write the files of a campaign to ``folder`` and return their paths.

    Parameters
    ----------
    node : WorkChainNode
        A campaign, finished or running: then its last potential is taken.
    folder : Path
        Made if it is not there.
    force : bool
        Whether files that are there may be written over.

    Raises
    ------
    InputFileError
        If a file is there already, or the folder cannot be written to.
    ServiceError
        If the campaign has no potential yet.
    """
    potential = potential_of_campaign(node)
    fit = potential.creator
    found = found_by_searches(node)
    files: dict[str, bytes | str] = {
        "potential.mtp": potential.get_text(),
        "provenance.json": _provenance(node, potential, found),
        "README.txt": _note(node, potential),
    }
    core = potential.get_potential().core
    if core is not None and not core.fades:
        files[TABLE_FILE] = dump_pair_tables(potential.get_potential())
    text = node.base.extras.get("alpot_campaign", {}).get("text")
    if text:
        files["campaign.yaml"] = text
    sets = {"training.xyz": [one for _, one in training_sets(fit)]}
    training = _as_trained_on(potential, sets["training.xyz"])
    files |= lammps_files(
        potential.get_potential(), training, has_active_set="active_set" in fit.outputs
    )
    for link in fit.base.links.get_outgoing().all():
        if link.link_label == "active_set":
            files["active_set.npz"] = link.node.content
            files["potential.almtp"] = _almtp(potential, link.node.content, training)
    for link in fit.base.links.get_incoming(link_label_filter="test__%").all():
        sets[f"test_{link.link_label.removeprefix('test__')}.xyz"] = [link.node]
    sets |= {f"found_{one.job}.xyz": [one.node] for one in found}
    return _write(folder, files, sets, force=force)


def _as_trained_on(potential: Any, training: list[Any]) -> Configurations:
    """Return the training set without atoms that only saturate bonds of chunks."""
    from aiida_alpot.carving.labels import without_saturation

    joined = concatenate([one.get_configurations() for one in training])
    return without_saturation(joined, potential.get_potential().species)


def _almtp(potential: Any, active_set: bytes, training: Configurations) -> bytes:
    from aiida_alpot.grading.active_rows import ActiveSet
    from aiida_alpot.grading.mlip_state import dump_almtp

    return dump_almtp(potential.get_potential(), ActiveSet.from_bytes(active_set), training)


def _write(
    folder: Path, files: dict[str, bytes | str], sets: dict[str, list[Any]], *, force: bool
) -> list[Path]:
    there = [name for name in (*files, *sets) if (folder / name).exists()]
    if there and not force:
        raise InputFileError(
            f"{folder / there[0]} is there already. Give another folder with --output, or --force "
            "to write over it."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            data = content.encode("utf-8") if isinstance(content, str) else content
            (folder / name).write_bytes(data)
    except OSError as error:
        raise InputFileError(f"Cannot write to {folder}: {error.strerror}.") from error
    for name, nodes in sets.items():
        joined = concatenate([one.get_configurations() for one in nodes])
        write_configurations(joined, folder / name)
    written = [folder / name for name in (*files, *sets)]
    require_no_potcar(written)
    return written


def require_no_potcar(paths: list[Path]) -> None:
    """Take everything back if the text of a POTCAR file went along, which its licence forbids."""
    carriers = [path for path in paths if find_potcar_text(path)]
    if carriers:
        for path in paths:
            path.unlink()
        raise ServiceError(
            f"{carriers[0].name} would hold the text of a POTCAR file, which its licence forbids "
            "to pass on. Nothing was written: see docs/security.md."
        )


def _note(node: Any, potential: Any) -> str:
    species = potential.species
    note = NOTE.format(
        name=node.inputs.settings.get_dict()["name"],
        species=", ".join(species),
        level=potential.level,
        cutoff=potential.cutoff,
        types=", ".join(f"{index} = {symbol}" for index, symbol in enumerate(species, start=1)),
    )
    return note + note_on_core(potential.get_potential())


def note_on_core(potential: MomentTensorPotential) -> str:
    """Return what users of other codes must know about the core of a potential; empty if none."""
    core = potential.core
    if core is None:
        return ""
    if core.fades:
        radii = ", ".join(f"{one.first}-{one.second} {one.outer:.3f} A" for one in core.pairs)
        return NOTE_ON_CORE.format(radii=radii)
    radii = ", ".join(
        f"{one.first}-{one.second} {one.inner:.3f} to {one.outer:.3f} A" for one in core.pairs
    )
    commands = "\n".join(f"    {line}" for line in pair_commands(potential, TABLE_FILE))
    return NOTE_ON_OVERLAY.format(radii=radii, commands=commands)


def _provenance(node: Any, potential: Any, found: list[FoundByJob]) -> str:
    content = {
        "campaign": {"name": node.inputs.settings.get_dict()["name"], "uuid": node.uuid},
        "potential": potential.uuid,
        "fit": potential.creator.uuid,
        "settings": node.inputs.settings.get_dict(),
        "training": training_configurations(potential),
        "found": describe_found(found),
        "ledger": node.outputs.ledger.get_dict()["entries"] if "ledger" in node.outputs else None,
    }
    return json.dumps(to_plain_json(content), indent=1, allow_nan=False) + "\n"
