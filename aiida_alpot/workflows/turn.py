# SPDX-License-Identifier: MIT
"""One turn of the loop: sample, select, label, fit, and what tells whether to go on.

A turn is the unit of restart: it goes from one data set, potential and active set to the next.
A turn in which no sampler leaves the known region ends after sampling and hands on the
potential that it was given. A turn without a potential explores with a calculator of ASE and
fits the first one.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, if_, while_

from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.accounting import costs_of_jobs, sum_by
from aiida_alpot.workflows.calibrating import set_thresholds
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.fit import FitWorkChain
from aiida_alpot.workflows.label.builder import label_builder
from aiida_alpot.workflows.label.deadline import OUTSTANDING, join_outstanding
from aiida_alpot.workflows.options import code_for
from aiida_alpot.workflows.pausing import PausingWorkChain
from aiida_alpot.workflows.ports import (
    MEMBERS,
    RESTARTS,
    define_campaign_inputs,
    define_turn_exit_codes,
    held_out_name,
    increment_name,
)
from aiida_alpot.workflows.records import (
    HISTORY,
    LEDGERS,
    write_turn_record,
)
from aiida_alpot.workflows.sample import SampleWorkChain
from aiida_alpot.workflows.selecting import SelectingWorkChain
from aiida_alpot.workflows.settings import (
    check_settings,
    require_committee,
)


class TurnWorkChain(SelectingWorkChain, PausingWorkChain):
    """Go from one data set and potential to the next."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        define_campaign_inputs(spec)
        spec.input("turn", valid_type=orm.Int)
        spec.input("labels_left", valid_type=orm.Int, help="What is left of the budget.")
        spec.input("potential", valid_type=PotentialData, required=False)
        spec.input("active_set", valid_type=ActiveSetData, required=False)
        spec.input(
            "initial",
            valid_type=PotentialData,
            required=False,
            help="What a first fit goes on from; it moves no atoms.",
        )
        spec.input(
            OUTSTANDING,
            valid_type=ConfigurationsData,
            required=False,
            help="Whose labels were on their way when the turn before closed.",
        )
        MEMBERS.define_input(spec)
        RESTARTS.define_input(spec)
        spec.input_namespace(
            "training", valid_type=ConfigurationsData, dynamic=True, required=False
        )
        spec.input_namespace(
            "history",
            valid_type=orm.Dict,
            dynamic=True,
            required=False,
            help="Records of the turns before, as many as the criterion looks at.",
        )
        spec.input(
            "forecast", valid_type=orm.Dict, required=False, help="What this turn will cost."
        )
        spec.outline(
            cls.check_inputs,
            cls.sample,
            cls.inspect_samples,
            if_(cls.has_candidates)(
                while_(cls.has_no_selection)(cls.select, cls.inspect_selection),
            ),
            if_(cls.draws_audit)(cls.draw_audit),
            if_(cls.asks_for_labels)(
                if_(cls.pauses_before_labels)(cls.pause_before_labels),
            ),
            if_(cls.has_labels_to_make)(
                cls.label,
                cls.inspect_labels,
                if_(cls.calibrates)(cls.calibrate, cls.inspect_calibration),
                if_(cls.has_increment)(
                    if_(cls.pauses_before_fit)(cls.pause_before_fit), cls.fit, cls.inspect_fit
                ),
            ),
            if_(cls.has_audit)(
                cls.label_audit,
                cls.inspect_audit_labels,
                if_(cls.has_audit_labels)(cls.evaluate_audit, cls.inspect_audit),
            ),
            if_(cls.measures_properties)(cls.measure, cls.inspect_properties),
            cls.results,
        )
        spec.output("potential", valid_type=PotentialData, required=False)
        spec.output("active_set", valid_type=ActiveSetData, required=False)
        MEMBERS.define_output(spec)
        RESTARTS.define_output(spec)
        spec.output("increment", valid_type=ConfigurationsData, required=False)
        spec.output("held_out", valid_type=ConfigurationsData, required=False)
        spec.output(
            "audit",
            valid_type=ConfigurationsData,
            required=False,
            help="Labels of frames that were drawn at random; for tests, not for training.",
        )
        spec.output("ledger", valid_type=orm.Dict, required=False)
        spec.output("ledger_audit", valid_type=orm.Dict, required=False)
        spec.output("ledger_held_out", valid_type=orm.Dict, required=False)
        spec.output(
            "ledger_skipped", valid_type=orm.Dict, required=False, help="What the gate refused."
        )
        spec.output(
            OUTSTANDING,
            valid_type=ConfigurationsData,
            required=False,
            help="Whose labels are on their way; they are for the next turn.",
        )
        spec.output("record", valid_type=orm.Dict)
        define_turn_exit_codes(spec)

    def check_inputs(self) -> ExitCode | None:
        """Refuse settings that do not belong to a whole campaign."""
        try:
            check_settings(self.inputs.settings.get_dict())
            if "potential" in self.inputs:
                require_committee(self.inputs.settings.get_dict(), self.inputs)
        except SettingError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        self.ctx.settings = self.inputs.settings
        if self.has_target_error():
            metadata = {"call_link_label": "set_thresholds"}
            history = self.inputs.get("history", {})
            self.ctx.settings = set_thresholds(self.inputs.settings, metadata=metadata, **history)
        return None

    def sample(self) -> None:
        """Run every sampler from each of its starts."""
        builder = SampleWorkChain.get_builder()
        for name in ("turn", "structures", "potential", "active_set", "options"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        builder.settings = self.ctx.settings
        builder.files = self.inputs.get("files", {})
        builder.committee = MEMBERS.of(self.inputs)
        builder.restarts = RESTARTS.of(self.inputs)
        builder.code = code_for(self.inputs.codes, "sample")
        builder.metadata = self._metadata("sample")
        self.to_context(samples=self.submit(builder))

    def inspect_samples(self) -> ExitCode | None:
        """Go on where at least one job of the samplers ended well."""
        samples = self.ctx.samples
        if "results" not in samples.outputs:
            return self.exit_codes.ERROR_SAMPLING_FAILED.format(message=describe_end(samples))
        if not samples.is_finished_ok:
            self.report(f"sampling ended with {describe_end(samples)}; this turn does not converge")
        return None

    def has_labels_to_make(self) -> bool:
        """Return whether anything was selected, or is on its way since the turn before."""
        return self.has_selection() or OUTSTANDING in self.inputs

    def asks_for_labels(self) -> bool:
        """Return whether anything new is to be labelled, for training, tests or an audit."""
        return bool(self.sets_to_label())

    def sets_to_label(self) -> list[ConfigurationsData]:
        """Return what is to be labelled in this turn; what is on its way was asked for before."""
        sets = list(self._selected_sets().values())
        if self.has_audit():
            sets.append(self.ctx.drawn)
        return [node for node in sets if node.n_configurations]

    def has_increment(self) -> bool:
        """Return whether there are labels to fit to that no earlier turn had."""
        return "increment" in self.outputs

    def label(self) -> None:
        """Label what was selected, and what is held out for tests."""
        sets = {}
        if self.has_selection():
            sets["selected"] = self.ctx.selection.outputs.selected
        late = self.inputs.get(OUTSTANDING)
        if late is not None:
            metadata = {"call_link_label": "join_outstanding"}
            sets["selected"] = join_outstanding(late, metadata=metadata, **sets)
        builder = self._label_builder(sets["selected"], "label", outstanding=late)
        self.to_context(labels=self.submit(builder))
        held_out = self._selected_sets().get("held_out")
        if held_out is not None and held_out.n_configurations:
            builder = self._label_builder(held_out, "label_held_out")
            self.to_context(held_out=self.submit(builder))

    def inspect_labels(self) -> ExitCode | None:
        """Keep the labels that there are; go on if they are enough."""
        for child, label, ledger in (
            ("labels", "increment", "ledger"),
            ("held_out", "held_out", "ledger_held_out"),
        ):
            if child not in self.ctx:
                continue
            outputs = self.ctx[child].outputs
            if "ledger" in outputs:
                self.out(ledger, outputs.ledger)
            if "labelled" in outputs and outputs.labelled.n_configurations:
                self.out(label, outputs.labelled)
        if OUTSTANDING in self.ctx.labels.outputs:
            self.out(OUTSTANDING, self.ctx.labels.outputs[OUTSTANDING])
        if not self.has_selection() and not self.ctx.labels.is_finished_ok:
            self.report(f"outstanding labels ended with {describe_end(self.ctx.labels)}")
            return None
        if not self.ctx.labels.is_finished_ok:
            return self.exit_codes.ERROR_LABELLING_FAILED.format(
                message=describe_end(self.ctx.labels)
            )
        return None

    def fit(self) -> None:
        """Fit to the data set and its new increment."""
        turn = self.inputs.turn.value
        builder = FitWorkChain.get_builder()
        for name in ("settings", "turn", "options"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        for name in ("potential", "initial"):
            if name in self.inputs and "initial" not in builder:
                builder.initial = self.inputs[name]
        builder.training = {
            **self.inputs.get("training", {}),
            increment_name(turn, self.inputs.get("training", {})): self.outputs["increment"],
        }
        builder.test = dict(self.inputs.get("test", {}))
        if "held_out" in self.outputs:
            builder.test[held_out_name(turn)] = self.outputs["held_out"]
        builder.code = code_for(self.inputs.codes, "fit")
        builder.metadata = self._metadata("fit")
        self.to_context(fit=self.submit(builder))

    def inspect_fit(self) -> ExitCode | None:
        """Stop if there is no potential; the labels of this turn are kept."""
        if not self.ctx.fit.is_finished_ok:
            return self.exit_codes.ERROR_FIT_FAILED.format(message=describe_end(self.ctx.fit))
        return None

    def results(self) -> ExitCode | None:
        """Hand on the new potential, or the old one, and the record of the turn."""
        parts = {f"sample_{name}": node for name, node in self.ctx.samples.outputs.results.items()}
        if "selection" in self.ctx:
            parts["select"] = self.ctx.selection.outputs.result
        parts |= {name: self.outputs[name] for name in LEDGERS if name in self.outputs}
        if "fit" in self.ctx:
            parts["fit"] = self.ctx.fit.outputs.result
        parts |= self.measured_parts()
        parts["costs"] = orm.Dict(sum_by(costs_of_jobs(self.node), "stage"))
        for name, node in self.inputs.get("history", {}).items():
            parts[f"{HISTORY}{name}"] = node
        record = write_turn_record(
            self.ctx.settings,
            self.inputs.turn,
            metadata={"call_link_label": "record"},
            **parts,
        )
        self.out("record", record)
        source = self.ctx.fit.outputs if "fit" in self.ctx else self.inputs
        for name in ("potential", "active_set"):
            if name in source:
                self.out(name, source[name])
        MEMBERS.hand_out(self, source)
        RESTARTS.hand_out(self, self.ctx.samples.outputs)
        if "potential" not in self.outputs:
            return self.exit_codes.ERROR_FIT_FAILED.format(message="exploration selected nothing")
        return None

    def _label_builder(
        self,
        configurations: ConfigurationsData,
        name: str,
        *,
        outstanding: ConfigurationsData | None = None,
    ) -> Any:
        metadata, turn = self._metadata(name), self.inputs.turn
        return label_builder(self.inputs, configurations, turn, metadata, outstanding=outstanding)
