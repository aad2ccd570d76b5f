# SPDX-License-Identifier: MIT
"""The step of a turn that selects: which frames are worth a label, and how many may be spent."""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode

from aiida_alpot.calculations import SelectCalculation
from aiida_alpot.campaign.forecast import costs_of_labels, exponent_of_costs
from aiida_alpot.workflows.fan_out import MAX_ATTEMPTS, describe_end, is_fault_of_the_job
from aiida_alpot.workflows.forecasting import law_of_forecast, room_for_labels
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.label.quarantine import find_quarantined
from aiida_alpot.workflows.label.skipped import list_skipped
from aiida_alpot.workflows.measuring import MeasuringWorkChain
from aiida_alpot.workflows.options import code_for, job_options
from aiida_alpot.workflows.ports import MEMBERS
from aiida_alpot.workflows.records import is_extrapolating
from aiida_alpot.workflows.scratch import clean_folders
from aiida_alpot.workflows.settings import (
    COMMITTEE,
    BudgetSettings,
    ExplorationSettings,
    GradeSettings,
    PotentialSettings,
    ThreadSettings,
    derive_seed,
    read_criterion,
    read_section,
)


class SelectingWorkChain(MeasuringWorkChain):
    """Base of the turn: compare the candidates of its samplers and select the few to label."""

    def has_candidates(self) -> bool:
        """Return whether any sampler left the known region while labels may be spent."""
        if "candidates" not in self.ctx.samples.outputs or self.room_for_selection() <= 0:
            return False
        grades = read_section(self.ctx.settings.get_dict(), GradeSettings)
        results = self.ctx.samples.outputs.results.values()
        chains = [chain for node in results for chain in node.get_dict()["chains"]]
        return is_extrapolating(chains, grades.gamma_select)

    def room_for_selection(self) -> int:
        """Return how many labels may be spent on training: those left, and what they may cost.

        Labels for the audits are kept back, but from the first selection, which nothing precedes.
        """
        settings = self.inputs.settings.get_dict()
        left = int(self.inputs.labels_left.value)
        if "potential" in self.inputs:
            left -= read_criterion(settings).reserved_labels
        forecast = self.forecast()
        if left <= 0 or forecast is None or forecast["core_seconds_left"] is None:
            return left
        if "room" not in self.ctx:
            candidates = self.ctx.samples.outputs.candidates.values()
            works = [work for node in candidates for work in self.works_of_labels(node)]
            wanted = min(left, read_section(settings, BudgetSettings).labels_per_turn)
            self.ctx.room = room_for_labels(forecast, works, wanted)
            if self.ctx.room < wanted:
                self.report(f"{self.ctx.room} labels instead of {wanted}: core-hours are short")
        return int(self.ctx.room)

    def has_no_selection(self) -> bool:
        """Return whether the candidates are still to be compared."""
        return "selection" not in self.ctx or not self.ctx.selection.is_finished_ok

    def select(self) -> None:
        """Pass the candidates through the gate and select what is worth a label."""
        self.ctx.n_selections = self.ctx.get("n_selections", 0) + 1
        settings = self.ctx.settings.get_dict()
        builder = SelectCalculation.get_builder()
        builder.code = code_for(self.inputs.codes, "fit")
        builder.candidates = dict(self.ctx.samples.outputs.candidates)
        builder.training = self.inputs.get("training", {})
        builder.quarantined = find_quarantined(settings)
        builder.frozen = self.inputs.get("test", {})
        if OUTSTANDING in self.inputs:
            builder.pending = {OUTSTANDING: self.inputs[OUTSTANDING]}
        if "potential" in self.inputs:
            builder.potential = self.inputs.potential
            if asks_committee(read_section(settings, GradeSettings)):
                builder.committee = MEMBERS.of(self.inputs)
        request = select_request(
            settings,
            turn=self.inputs.turn.value,
            labels_left=self.room_for_selection(),
            is_first="potential" not in self.inputs,
        )
        grades = read_section(settings, GradeSettings)
        if grades.per_cost:
            sets = [node for _, node in sorted(self.ctx.samples.outputs.candidates.items())]
            works = [work for node in sets for work in self.works_as_carved(node)]
            law = law_of_forecast(self.forecast())
            exponent = exponent_of_costs(law, grades.cost_exponent)
            request["costs"] = costs_of_labels(works, law, exponent=exponent)
            if "carve" in request:
                request["cost_exponent"] = exponent  # of a chunk by its frame
        builder.settings = orm.Dict(request)
        options = job_options(self.inputs.get("options"), "fit", builder.code)
        builder.metadata = {**self._metadata("select"), "options": options}
        if self.ctx.n_selections > 1:
            builder.metadata.call_link_label = f"select_attempt_{self.ctx.n_selections}"
        self.to_context(selection=self.submit(builder))

    def inspect_selection(self) -> ExitCode | None:
        """Stop the turn if the candidates could not be compared, unless another try may help."""
        selection = self.ctx.selection
        clean_folders(self, [selection])
        if selection.is_finished_ok:
            if selection.outputs.result.get_dict().get("refused"):
                metadata = {"call_link_label": "list_skipped"}
                result, turn = selection.outputs.result, self.inputs.turn
                self.out("ledger_skipped", list_skipped(result, turn, metadata=metadata))
            return None
        message = describe_end(selection)
        self.report(f"SelectCalculation<{selection.pk}> ended with {message}")
        if self.ctx.n_selections >= MAX_ATTEMPTS or not is_fault_of_the_job(selection):
            return self.exit_codes.ERROR_SELECTION_FAILED.format(message=message)
        return None

    def has_selection(self) -> bool:
        """Return whether a candidate is to be labelled for training."""
        if "selection" not in self.ctx:
            return False
        return bool(self.ctx.selection.outputs.selected.n_configurations)


def asks_committee(grades: GradeSettings) -> bool:
    """Return whether the committee says which frames are selected."""
    return grades.grader == COMMITTEE and (grades.rule is None or grades.goes_by_grades)


def select_request(
    settings: dict[str, Any], *, turn: int, labels_left: int, is_first: bool
) -> dict[str, Any]:
    """Return the keys of a select request that are no files.

    Before there is a potential the request names its form, so that an untrained one can tell
    environments apart by MAXVOL, also where a committee grades later.
    """
    grades = read_section(settings, GradeSettings)
    budget = read_section(settings, BudgetSettings)
    request: dict[str, Any] = {
        "mode": grades.mode,
        "method": grades.method,
        "limit": min(budget.labels_per_turn, labels_left),
        "gate": settings["gate"],
        "test_fraction": settings["test_fraction"],
        "seed": derive_seed(settings["seed"], turn, "select"),
        "threads": read_section(settings, ThreadSettings).fit,
    }
    if not (is_first and grades.grader == COMMITTEE):  # its thresholds are no grades of MAXVOL
        request["threshold"] = grades.gamma_select
        request["entry"] = grades.gamma_entry
    if settings.get("carve") is not None:
        request["carve"] = dict(settings["carve"])
    if grades.rule is not None and not (is_first and grades.goes_by_grades):
        request["rule"] = grades.rule
        request |= {
            name: getattr(grades, name)
            for name in ("tail_k", "tail_kind")
            if getattr(grades, name) is not None
        }
    if is_first:
        potential = read_section(settings, PotentialSettings)
        request["species"] = settings["species"]
        request["level"] = potential.level
        request["cutoff"] = potential.cutoff
        request["limit"] = min(read_section(settings, ExplorationSettings).labels, labels_left)
    return request
