# SPDX-License-Identifier: MIT
"""Label with any AiiDA plugin: one process, CalcJob or WorkChain, for each configuration.

A labeller is a subclass that names the process, its inputs for a cell, and how its outputs become
a label; docs/how-to/new-labeller.md is the guide. Look-up, limits, retries, ledger and provenance
are those of every labeller.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.common.links import LinkType
from aiida.engine import ProcessBuilder
from aiida.plugins import CalculationFactory, WorkflowFactory
from aiida.plugins.entry_point import get_entry_point_names
from ase import Atoms

from aiida_alpot.campaign.calculators import plain_level
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.label.base import LabelWorkChain
from aiida_alpot.workflows.label.cells import Cell, make_cell, make_structure
from aiida_alpot.workflows.label.known import Job
from aiida_alpot.workflows.label.reading import Label, make_label
from aiida_alpot.workflows.label.recipes import cause_of_end


class PluginLabelWorkChain(LabelWorkChain):
    """Base of the labellers that run one process of a plugin for each configuration."""

    PROCESS: ClassVar[str]
    """Entry point of the process, a calculation or a workflow."""
    READS: ClassVar[tuple[str, ...]]
    """Outputs of the process that :meth:`read_label` needs."""
    VACUUM: ClassVar[float] = 5.0
    """Angstrom on each side where a cell has no vector, unless the settings have ``vacuum``."""

    # --- what a labeller says

    @abstractmethod
    def inputs_for(
        self, structure: orm.StructureData, atoms: Atoms, request: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the inputs of the process for one cell, but for label and call link.

        Parameters
        ----------
        structure : StructureData
            The cell.
        atoms : Atoms
            The same cell.
        request : mapping
            What :meth:`request_for` returned, with ``options``: ``metadata.options`` of the job.
        """

    @classmethod
    @abstractmethod
    def read_label(
        cls, outputs: Mapping[str, orm.Data], atoms: Atoms, request: Mapping[str, Any]
    ) -> Label:
        """Return the label that the outputs of the process hold.

        Parameters
        ----------
        outputs : mapping of Data
            Those of :data:`READS` that are there.
        atoms : Atoms
            The cell; results are in the order of its atoms.
        request : mapping
            What :meth:`request_for` returned.

        Raises
        ------
        NoLabelError
            If the outputs are no label, with cause and reason.
        """

    @classmethod
    def check_settings(cls, calculator: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the calculator with defaults filled in.

        Raises
        ------
        SettingError
            If a setting is unknown or not valid.
        """
        return dict(calculator.get("settings") or {})

    @classmethod
    def level_of_theory(cls, calculator: Mapping[str, Any], species: list[str]) -> str:
        """Return the level of theory as canonical JSON; here every setting decides."""
        return plain_level(str(calculator["name"]), calculator.get("settings") or {})

    @classmethod
    def request_for(
        cls,
        atoms: Atoms,
        settings: Mapping[str, Any],
        changes: Mapping[str, Any],
        names: tuple[str, ...],
    ) -> dict[str, Any]:
        """Return as plain JSON what is asked of the code for a cell; it is stored with the label.

        Parameters
        ----------
        atoms : Atoms
            The cell.
        settings : mapping
            Checked settings.
        changes : mapping
            What the recipes of failed attempts change.
        names : tuple of str
            Identifier of the configuration, and the structure that it came from.
        """
        return {}

    # --- how it is done

    @classmethod
    def process_class(cls) -> Any:
        """Return the class of the process."""
        if cls.PROCESS in get_entry_point_names("aiida.calculations"):
            return CalculationFactory(cls.PROCESS)
        return WorkflowFactory(cls.PROCESS)

    def batch_size(self) -> int:
        """Return one: every configuration has a process of its own."""
        return 1

    def cell_of(self, index: int) -> Cell:
        """Return a configuration as it is handed to the code."""
        return make_cell(self.requested().atoms(index), self.vacuum())

    def vacuum(self) -> float:
        """Return the empty space beside a cell that has no vector."""
        settings = self.check_settings(self.label_settings().calculator)
        return float(settings.get("vacuum", self.VACUUM))

    def request_of(self, job: Job) -> dict[str, Any]:
        """Return what a job asks of the code."""
        (index,) = job["indices"]
        configurations = self.requested()
        names = (str(configurations.identifier[index]), str(configurations.chain[index]))
        settings = self.check_settings(self.label_settings().calculator)
        return self.request_for(self.cell_of(index).atoms, settings, job["changes"], names)

    def code_for(self, request: Mapping[str, Any]) -> orm.AbstractCode:
        """Return the code of a job."""
        return self.inputs.code

    def build_job(self, name: str, job: Job, attempt: int) -> ProcessBuilder:
        """Return the inputs of the process that labels one configuration."""
        (index,) = job["indices"]
        request = self.request_of(job)
        settings = self.check_settings(self.label_settings().calculator)
        work = self.work_of(self.requested(), index, settings)
        options = self.options_of(work, job, self.code_for(request))
        inputs = self.inputs_for(
            self.structure_of(index), self.cell_of(index).atoms, {**request, "options": options}
        )
        metadata = {**inputs.pop("metadata", {}), **self.names_of(name, attempt)}
        builder: ProcessBuilder = self.process_class().get_builder()
        builder._merge({**inputs, "metadata": metadata})
        return builder

    def structure_of(self, index: int) -> orm.StructureData:
        """Return the structure of a configuration, made once for all attempts."""
        made = self.ctx.setdefault("structures", {})
        if str(index) not in made:
            structure = make_structure(
                self.inputs.configurations,
                orm.Dict({"index": index, "vacuum": self.vacuum()}),
                metadata={"call_link_label": f"structure_{index:05d}"},
            )
            made[str(index)] = structure.uuid
        return orm.load_node(made[str(index)])

    def read_job(self, entry: dict[str, Any], node: orm.ProcessNode) -> dict[int, str]:
        """Make a label of what the process left, or a verdict why there is none."""
        (index,) = entry["job"]["indices"]
        job = last_job_of(node)
        entry["node"] = (job or node).uuid
        outputs = {**outputs_of(job, self.READS), **outputs_of(node, self.READS)}
        cause = "" if node.is_finished_ok else cause_of_end(node)
        if not outputs:
            return {index: cause_of_end(node)}
        made = make_label(
            self.inputs.configurations,
            orm.Dict(
                {
                    "labeller": self.node.process_type,
                    "index": index,
                    "vacuum": self.vacuum(),
                    "level_of_theory": self.label_settings().level_of_theory,
                    "request": self.request_of(entry["job"]),
                    "failure": "" if node.is_finished_ok else describe_end(node),
                    "cause": cause,
                }
            ),
            metadata={"call_link_label": f"label_{entry['name']}_attempt_{entry['attempt']}"},
            **outputs,
        )
        entry["outputs"] = {"result": made["verdict"].uuid}
        if "labelled" in made:
            entry["outputs"]["labelled"] = made["labelled"].uuid
        (verdict,) = made["verdict"]["verdicts"]
        if not verdict["cause"]:
            self.ctx.get("structures", {}).pop(str(index), None)
            return {}
        forbid_reuse(node)
        return {index: verdict["cause"]}


def last_job_of(node: orm.ProcessNode) -> orm.CalcJobNode | None:
    """Return the CalcJob that a process ran last, itself if it is one."""
    if isinstance(node, orm.CalcJobNode):
        return node
    jobs = [one for one in node.called_descendants if isinstance(one, orm.CalcJobNode)]
    return max(jobs, key=lambda job: job.pk) if jobs else None


def outputs_of(node: orm.ProcessNode | None, names: tuple[str, ...]) -> dict[str, orm.Data]:
    """Return those outputs of a process that are there."""
    if node is None:
        return {}
    links = node.base.links.get_outgoing(link_type=(LinkType.CREATE, LinkType.RETURN)).all()
    outputs = {link.link_label: link.node for link in links}
    return {name: outputs[name] for name in names if name in outputs}


def forbid_reuse(node: orm.ProcessNode) -> None:
    """Keep AiiDA's cache from replaying jobs that gave no label, whatever their exit code."""
    for one in [node, *node.called_descendants]:
        if isinstance(one, orm.CalcJobNode):
            one.base.caching.is_valid_cache = False


def require_settings(settings: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings over their defaults; a small check for labellers of plugins.

    Parameters
    ----------
    settings : mapping
        As given in a campaign file.
    known : mapping
        Default of each setting; ``...`` where it must be given.

    Raises
    ------
    SettingError
        If a setting is unknown or missing.
    """
    for name in settings:
        if name not in known:
            raise SettingError(f"Unknown setting {name!r}; allowed are {', '.join(sorted(known))}.")
    for name, default in known.items():
        if default is ... and name not in settings:
            raise SettingError(f"The setting {name!r} is missing.")
    return {name: settings.get(name, default) for name, default in known.items()}
