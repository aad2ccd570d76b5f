# SPDX-License-Identifier: MIT
"""Label configurations: look up what is known, calculate the rest, keep a ledger.

What every way to label shares: each configuration is looked up before anything is submitted,
jobs run side by side within limits, what fails is tried again with a change that suits its cause,
and every configuration ends in the ledger. Two subclasses say what a job is:
:class:`~aiida_alpot.workflows.label.batch.BatchLabelWorkChain` runs batches of the label job of
this package, :class:`~aiida_alpot.workflows.label.plugin.PluginLabelWorkChain` one process of any
AiiDA plugin for each configuration. Labels are in eV, eV/A and eV/A^3.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec

from aiida_alpot.campaign.calculators import check_calculator
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import AlpotError, SettingError
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.label.adoption import leave_alone
from aiida_alpot.workflows.label.bookkeeping import BookkeepingWorkChain
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.label.known import Job
from aiida_alpot.workflows.label.quarantine import QUARANTINED
from aiida_alpot.workflows.label.recipes import RECIPES, Recipes
from aiida_alpot.workflows.label.retries import plan_retries
from aiida_alpot.workflows.label.sizes import check_sizes, options_for, plan_batches
from aiida_alpot.workflows.label.throttle import MARK, room_for
from aiida_alpot.workflows.options import job_options
from aiida_alpot.workflows.ports import define_job_inputs
from aiida_alpot.workflows.scratch import clean_folders


class LabelWorkChain(BookkeepingWorkChain):
    """Label a set of configurations at one level of theory.

    A job is plain JSON: ``indices`` of its configurations, ``changes`` of the recipes so far,
    the name of the last ``recipe``, how often each cause was met (``tried``), and how many of the
    attempts ended before they came to these configurations (``spared``).
    """

    ROLE: ClassVar[str] = "label"
    RECIPES: ClassVar[Recipes] = RECIPES
    """What the next attempt does differently, by cause."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.input("settings", valid_type=orm.Dict, help="Read: the section `label`.")
        spec.input("configurations", valid_type=ConfigurationsData)
        spec.input("turn", valid_type=orm.Int, required=False, help="For the ledger.")
        spec.input(
            OUTSTANDING,
            valid_type=ConfigurationsData,
            required=False,
            help="Which of the configurations an earlier turn asked for before it closed.",
        )
        spec.input("code", valid_type=orm.AbstractCode)
        define_job_inputs(spec)
        spec.outline(
            cls.check_inputs,
            cls.look_up_labels,
            cls.fan_out(),
            cls.collect,
            cls.judge,
        )
        spec.output("labelled", valid_type=ConfigurationsData, required=False)
        spec.output("ledger", valid_type=orm.Dict, required=False)
        spec.output(
            QUARANTINED,
            valid_type=ConfigurationsData,
            required=False,
            help="What failed for good and is not asked for again.",
        )
        spec.output(
            OUTSTANDING,
            valid_type=ConfigurationsData,
            required=False,
            help="Whose jobs were at work when the deadline passed.",
        )
        spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
        spec.exit_code(203, "ERROR_LEVEL_OF_THEORY", message="{message}")
        spec.exit_code(207, "ERROR_EMPTY_DATA", message="there is no configuration to label")
        spec.exit_code(301, "ERROR_NOTHING_LABELLED", message="nothing was labelled: {message}")
        spec.exit_code(
            401, "ERROR_TOO_FEW_LABELS", message="{n_labelled} of {n_requested} labels: {message}"
        )

    # --- what a subclass may say

    @classmethod
    def refuse_calculator(cls, calculator: Mapping[str, Any]) -> str | None:
        """Return why this WorkChain cannot label with ``calculator``, or None."""
        return None

    @classmethod
    def check_settings(cls, calculator: Mapping[str, Any]) -> dict[str, Any]:
        """Return the settings of the calculator with defaults filled in.

        Raises
        ------
        SettingError
            If a setting is unknown or not valid.
        """
        return check_calculator(str(calculator.get("name")), calculator.get("settings") or {})

    @classmethod
    def level_of_theory(cls, calculator: Mapping[str, Any], species: list[str]) -> str | None:
        """Return the level of theory of labels for these species, None where jobs check it.

        Raises
        ------
        AlpotError
            If it cannot be told, for instance because a pseudopotential is missing.
        """
        return None

    @classmethod
    def work_of(cls, configurations: Configurations, index: int, settings: Job) -> int:
        """Return atoms x k-points of a configuration, by which resources are chosen."""
        return int(configurations.n_atoms[index])

    def batch_size(self) -> int:
        """Return how many configurations share a job at most."""
        return self.label_settings().batch_size

    @abstractmethod
    def read_job(self, entry: dict[str, Any], node: orm.ProcessNode) -> dict[int, str]:
        """Keep what an attempt gave in ``entry``; return the causes of what has no label."""

    # --- the steps

    def check_inputs(self) -> ExitCode | None:
        """Refuse settings, and labels of another level of theory, before anything is submitted."""
        self.node.base.extras.set(MARK, True)
        try:
            label = self.label_settings()
            refused = self.refuse_calculator(label.calculator)
            if refused is not None:
                raise SettingError(refused)
            check_sizes(label.sizes)
            self.check_settings(label.calculator)
            own = self.level_of_theory(label.calculator, self.species())
        except AlpotError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        if own is not None and own != label.level_of_theory:
            return self.exit_codes.ERROR_LEVEL_OF_THEORY.format(
                message=f"the labels asked for are of {label.level_of_theory}, this calculator "
                f"gives {own}; submit the campaign again, which settles its level"
            )
        requested = self.inputs.configurations
        if requested.n_configurations == 0:
            return self.exit_codes.ERROR_EMPTY_DATA
        if requested.n_labelled and requested.level_of_theory != label.level_of_theory:
            return self.exit_codes.ERROR_LEVEL_OF_THEORY.format(
                message=f"{requested.n_labelled} configurations are labelled at "
                f"{requested.level_of_theory or 'a level that is not recorded'}, the labels asked "
                f"for are of {label.level_of_theory}; drop those labels or label at that level"
            )
        return None

    def look_up_labels(self) -> None:
        """Find the labels that are there; plan jobs for the others, each configuration once."""
        label = self.label_settings()
        self.ctx.gathered = {}
        self.ctx.n_gathered = 0
        missing, adopted = self.find_known()
        settings = self.check_settings(label.calculator)
        works = {index: self.work_of(self.requested(), index, settings) for index in missing}
        batches = plan_batches(works, label.sizes, self.batch_size())
        jobs = {
            f"batch_{number:03d}": {"indices": batch, "changes": {}, "recipe": "", "tried": {}}
            for number, batch in enumerate(batches)
        }
        self.plan_jobs(jobs, max_jobs=label.max_jobs)
        self.wait_for_others(adopted)

    def run_jobs(self) -> None:
        """Submit the next jobs, as many as may be in flight here and on the computer."""
        # the jobs of others hold up none of ours
        n_own = sum(not entry.get("is_adopted") for entry in self.ctx.in_flight)
        n_wanted = min(self.n_waiting, self.ctx.max_jobs - n_own)
        most = self.label_settings().max_submitted
        room, other = room_for(n_wanted, self.inputs.code.computer, most)
        self.submit_jobs(self.take_jobs(room))
        self.wait_for_jobs()
        self.ctx.waited_for = None
        if n_wanted and other is not None:
            self.report(f"{most} label jobs on the computer already, waiting for PK {other}")
            if other not in {entry["pk"] for entry in self.ctx.in_flight}:
                self.to_context(waited_for=orm.load_node(other))

    def awaited(self) -> list[Any]:
        """Return what stands for the jobs in flight, and for that of somebody else."""
        other = self.ctx.get("waited_for")
        return [*super().awaited(), *([] if other is None else [other])]

    def inspect_jobs(self) -> None:
        """Read what the last jobs gave; plan the next attempt at what has no label."""
        retries = []
        ended = self.take_ended()
        for entry, node in ended:
            entry["late"] = not node.is_terminated
            if entry["late"]:
                leave_alone(node)
                continue
            causes = self.read_job(entry, node)
            entry["causes"] = {str(index): cause for index, cause in causes.items()}
            if not causes:
                continue
            again = plan_retries(entry, causes, self.RECIPES, max_attempts=self.max_attempts())
            entry["given_up"] = self.is_closed and bool(again)
            told = ", ".join(f"'{one['job']['recipe']}'" for one in again)
            self.report(
                f"{node.process_label}<{node.pk}> '{entry['name']}' left {len(causes)} without a "
                f"label ({', '.join(sorted(set(causes.values())))}), {describe_end(node)}"
                + (f"; trying again: {told}" if again else "")
            )
            retries += again
        self.ctx.retries = [*retries, *self.ctx.retries]
        if self.is_closed:
            self.forget_jobs()
        self.ctx.ended = self.ctx.ended + [entry for entry, _ in ended]
        clean_folders(self, [node for _, node in ended])
        self.gather_ended()

    def left_over(self, job: Job, node: orm.CalcJobNode) -> dict[str, Any] | None:
        """Return nothing: what is tried again, :func:`.retries.plan_retries` says."""
        return None

    # --- the deadline

    def hours_to_deadline(self) -> float | None:
        """Return after how many hours the labels of a turn close; first sets never do."""
        if "turn" not in self.inputs or self.inputs.turn.value < 1:
            return None
        return self.label_settings().turn_deadline_hours

    # --- what the steps and the subclasses use

    def species(self) -> list[str]:
        """Return the species of the campaign, those of the configurations where it names none."""
        named = self.inputs.settings.get_dict().get("species")
        return list(named or self.inputs.configurations.species)

    def works(self) -> list[int]:
        """Return atoms x k-points of each configuration."""
        configurations = self.requested()
        settings = self.check_settings(self.label_settings().calculator)
        return [self.work_of(configurations, i, settings) for i in range(len(configurations))]

    def max_attempts(self) -> int:
        """Return how often a configuration is tried at most."""
        return self.label_settings().max_attempts

    def options_of(self, work: int, job: Job, code: orm.AbstractCode) -> dict[str, Any]:
        """Return ``metadata.options`` of a job by the size of its largest cell."""
        label = self.label_settings()
        chosen = job_options(self.inputs.get("options"), self.ROLE, code)
        retry = label.retry_options if job["changes"].get("options") == "retry" else None
        return options_for(chosen, work, label.sizes, retry=retry)
