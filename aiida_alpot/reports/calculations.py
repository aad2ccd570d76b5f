# SPDX-License-Identifier: MIT
"""The calculations that a potential rests on: each job that made a label it was trained on.

Which they are stands in the ledgers of its training sets, label by label. The archive of them holds
all that the potential comes from, so that the same questions can be asked where it is imported.
"""

from __future__ import annotations

import logging
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.errors import InputFileError, ServiceError
from aiida_alpot.reports.ancestry import ancestors, trace_parents
from aiida_alpot.reports.provenance import training_configurations, training_sets

POTCAR_MARKS = (b"END of PSCTR-controll", b"parameters from PSCTR are:")
"""Lines that stand in every POTCAR file of VASP and in none of its outputs."""


@dataclass(frozen=True)
class LabelRun:
    """One calculation and what it labelled.

    Parameters
    ----------
    uuid : str
        Of the process; of the data where labels were given from outside.
    pk : int
        The same.
    kind : str
        Entry point of the process, "given" for data.
    computer, code : str
        Where it ran and what; empty if not recorded.
    cores : int
        Processes and threads that it asked for.
    labels : tuple of str
        Names of the training configurations that it labelled.
    n_looked_up : int
        How many of them an earlier campaign had paid for.
    level_of_theory : str
        Canonical JSON.
    """

    uuid: str
    pk: int
    kind: str
    computer: str
    code: str
    cores: int
    labels: tuple[str, ...]
    n_looked_up: int
    level_of_theory: str


def label_runs(potential: Any) -> list[LabelRun]:
    """Return the calculations that a potential rests on, in the order in which they were made.

    Raises
    ------
    ServiceError
        If the potential was not fitted in this profile.
    """
    from aiida import orm

    from aiida_alpot.workflows.job_costs import cores_of_node

    by_process: dict[str, list[Any]] = {}
    for one in training_configurations(potential):
        by_process.setdefault(one.label_process or one.training_set, []).append(one)
    levels = {node.uuid: node.level_of_theory for _, node in training_sets(potential.creator)}
    found = []
    for uuid, labels in by_process.items():
        node = orm.load_node(uuid)
        found.append(
            LabelRun(
                uuid=uuid,
                pk=node.pk,
                kind=_kind_of(node),
                computer=node.computer.label if node.computer is not None else "",
                code=_code_of(node),
                cores=cores_of_node(node),
                labels=tuple(one.identifier for one in labels),
                n_looked_up=sum(one.label_status == "looked_up" for one in labels),
                level_of_theory=levels[labels[0].training_set],
            )
        )
    return sorted(found, key=lambda run: run.pk)


def labels_of_potential(potential: Any) -> Configurations:
    """Return all that a potential was trained on, with labels."""
    return concatenate([node.get_configurations() for _, node in training_sets(potential.creator)])


def write_archive(potential: Any, path: Path, *, force: bool = False) -> int:
    """Write an AiiDA archive of a potential and of all that it comes from; return its nodes.

    Parameters
    ----------
    potential : PotentialData
        A stored node.
    path : Path
        Usually with the suffix ``.aiida``.
    force : bool
        Whether a file that is there may be written over.

    Raises
    ------
    InputFileError
        If the file is there already, or cannot be written.
    ServiceError
        If the text of a POTCAR file would go along; nothing is left then.
    """
    from aiida.common.log import override_log_level
    from aiida.tools.archive import create_archive
    from aiida.tools.archive.exceptions import ExportValidationError

    if path.exists() and not force:
        raise InputFileError(f"{path} is there already. Give another name, or --force.")
    outputs = [link.node for link in potential.creator.base.links.get_outgoing().all()]
    ledgers = [
        link.node
        for _, node in training_sets(potential.creator)
        if node.creator is not None
        for link in node.creator.base.links.get_outgoing().all()
    ]
    nodes = [potential, *outputs, *ledgers]
    try:
        with override_log_level(logging.CRITICAL):  # AiiDA tells of every step
            try:
                # with who called what, so that turns and campaigns come along
                create_archive(nodes, filename=path, overwrite=True)
            except ExportValidationError:  # the campaign is still running
                create_archive(
                    nodes,
                    filename=path,
                    overwrite=True,
                    call_calc_backward=False,
                    call_work_backward=False,
                )
    except ExportValidationError as error:
        raise ServiceError(f"Processes of this potential are still running: {error}") from error
    except OSError as error:
        raise InputFileError(f"Cannot write {path}: {error.strerror or error}.") from error
    carrier = find_potcar_text(path)
    if carrier:
        path.unlink()
        raise ServiceError(
            f"The archive would hold the text of a POTCAR file (in {carrier}), which its licence "
            "forbids to pass on. Nothing was written: see docs/security.md."
        )
    return len(ancestors(potential.pk, trace_parents([potential.pk]))) + 1


def find_potcar_text(path: Path) -> str:
    """Return the member of an archive, or the file, that holds the text of a POTCAR; else empty."""
    if not zipfile.is_zipfile(path):
        return str(path) if _has_mark(path.read_bytes()) else ""
    with zipfile.ZipFile(path) as archive:
        for member in archive.namelist():
            with archive.open(member) as file:
                tail = b""
                while block := file.read(2**20):
                    if _has_mark(tail + block):
                        return member
                    tail = block[-100:]
    return ""


def _has_mark(content: bytes) -> bool:
    return any(mark in content for mark in POTCAR_MARKS)


def _kind_of(node: Any) -> str:
    from aiida import orm

    if not isinstance(node, orm.ProcessNode):
        return "given"
    return str(node.process_type or "").rpartition(":")[2]


def _code_of(node: Any) -> str:
    inputs = getattr(node, "inputs", None)
    code = getattr(inputs, "code", None) if inputs is not None and "code" in inputs else None
    return str(code.full_label) if code is not None else ""
