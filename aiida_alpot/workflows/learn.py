# SPDX-License-Identifier: MIT
"""The loop: turn after turn until the criterion holds, or the budget is spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, while_

from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.workflows.audit import audit_name
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.fan_out import describe_failure
from aiida_alpot.workflows.forecasting import make_forecast, spent_budget
from aiida_alpot.workflows.label.deadline import OUTSTANDING
from aiida_alpot.workflows.ports import (
    MEMBERS,
    RESTARTS,
    define_campaign_inputs,
    define_loop_exit_codes,
    held_out_name,
)
from aiida_alpot.workflows.records import LEDGERS, count_spent, has_converged
from aiida_alpot.workflows.settings import (
    BudgetSettings,
    ConvergeSettings,
    read_criterion,
    read_section,
)
from aiida_alpot.workflows.turn import TurnWorkChain

STOP_REQUEST = "stop_requested"
CONVERGED = "converged"


class LearnWorkChain(CachingWorkChain):
    """Repeat turns; whatever ends the loop, all that was paid for is among the outputs."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        define_campaign_inputs(spec)
        spec.input("potential", valid_type=PotentialData)
        spec.input("active_set", valid_type=ActiveSetData)
        MEMBERS.define_input(spec)
        spec.input_namespace("training", valid_type=ConfigurationsData, dynamic=True)
        spec.input("labels_used", valid_type=orm.Int, help="Labels spent before the loop.")
        spec.input("turn", valid_type=orm.Int, required=False, help="Turns before the loop.")
        spec.input_namespace(
            "records",
            valid_type=orm.Dict,
            dynamic=True,
            required=False,
            help="Records of the turns before the loop.",
        )
        spec.input(OUTSTANDING, valid_type=ConfigurationsData, required=False)
        RESTARTS.define_input(spec)
        spec.outline(
            cls.prepare, while_(cls.may_go_on)(cls.run_turn, cls.inspect_turn), cls.conclude
        )
        spec.output("potential", valid_type=PotentialData)
        spec.output("active_set", valid_type=ActiveSetData)
        MEMBERS.define_output(spec)
        for name, kind in (
            ("training", ConfigurationsData),
            ("test", ConfigurationsData),
            ("ledgers", orm.Dict),
            ("records", orm.Dict),
        ):
            spec.output_namespace(name, valid_type=kind, dynamic=True)
        define_loop_exit_codes(spec)

    def prepare(self) -> None:
        """Start from what the campaign has so far."""
        self.ctx.turn = self.inputs.turn.value if "turn" in self.inputs else 0
        self.ctx.labels_used = self.inputs.labels_used.value
        self.ctx.verdict = None
        self.ctx.potential = self.inputs.potential
        self.ctx.active_set = self.inputs.active_set
        self.ctx.committee = MEMBERS.of(self.inputs)
        self.ctx.training = dict(self.inputs.training)
        self.ctx.test = dict(self.inputs.get("test", {}))
        self.ctx.outstanding = self.inputs.get(OUTSTANDING)
        self.ctx.restarts = RESTARTS.of(self.inputs)
        self.ctx.ledgers = {}
        self.ctx.records = dict(self.inputs.get("records", {}))
        self.ctx.child = None
        self.look_ahead()

    def may_go_on(self) -> bool:
        """Return whether another turn may be run."""
        return self.ctx.verdict is None

    def run_turn(self) -> None:
        """Run the next turn with what is left of the budget."""
        self.ctx.turn += 1
        builder = TurnWorkChain.get_builder()
        for name in ("settings", "structures", "codes", "options", "files"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        builder.turn = orm.Int(self.ctx.turn)
        builder.labels_left = orm.Int(self.budget().labels - self.ctx.labels_used)
        builder.potential = self.ctx.potential
        builder.active_set = self.ctx.active_set
        builder.committee = dict(self.ctx.committee)
        builder.training = dict(self.ctx.training)
        builder.test = dict(self.ctx.test)
        builder.restarts = dict(self.ctx.restarts)
        builder.history = self.history()
        builder.forecast = orm.Dict(self.ctx.forecast)
        if self.ctx.outstanding is not None:
            builder.outstanding = self.ctx.outstanding
        builder.metadata = {
            "label": f"turn {self.ctx.turn}",
            "call_link_label": f"turn_{self.ctx.turn:03d}",
        }
        self.to_context(child=self.submit(builder))

    def history(self) -> dict[str, orm.Dict]:
        """Return as many of the last records as the criterion of the next turn looks at."""
        n_records = max(2, self.criterion().turns) - 1
        return {name: self.ctx.records[name] for name in sorted(self.ctx.records)[-n_records:]}

    def criterion(self) -> ConvergeSettings:
        """Return when the loop has converged."""
        return read_criterion(self.inputs.settings.get_dict())

    def look_ahead(self) -> None:
        """Forecast the next turn, and end the loop where its hours are not left."""
        campaign = self.node.caller or self.node
        self.ctx.forecast = make_forecast(campaign, self.budget())
        spent = spent_budget(campaign, self.budget(), self.ctx.forecast)
        if spent is not None and self.ctx.verdict is None:
            self.ctx.verdict, self.ctx.spent = spent

    def budget(self) -> BudgetSettings:
        """Return what the campaign may spend."""
        return read_section(self.inputs.settings.get_dict(), BudgetSettings)

    def inspect_turn(self) -> None:
        """Keep what the turn gave, whether or not it ended well; decide whether to go on."""
        turn, child = self.ctx.turn, self.ctx.child
        outputs = child.outputs
        spent_before = self.ctx.labels_used
        for name in LEDGERS:
            if name in outputs:
                self.ctx.ledgers[name.replace("ledger", f"turn_{turn:03d}")] = outputs[name]
                self.ctx.labels_used += count_spent(outputs[name].get_dict()["entries"])
        if "increment" in outputs:
            self.ctx.training[f"turn_{turn:03d}"] = outputs.increment
        if "held_out" in outputs:
            self.ctx.test[held_out_name(turn)] = outputs.held_out
        if "audit" in outputs:
            self.ctx.test[audit_name(turn)] = outputs.audit
        self.ctx.outstanding = None
        if OUTSTANDING in outputs:
            self.ctx.outstanding = outputs[OUTSTANDING]
        if "record" in outputs:
            self.ctx.records[f"turn_{turn:03d}"] = outputs.record
        if child.is_finished_ok:
            self.ctx.potential = outputs.potential
            self.ctx.active_set = outputs.active_set
            self.ctx.committee = MEMBERS.of(outputs)
        self.ctx.restarts = RESTARTS.of(outputs)
        kept_back = self.criterion().reserved_labels
        had_labels = spent_before + kept_back < self.budget().labels
        self.ctx.verdict = self._verdict(child, had_labels=had_labels)
        self.look_ahead()
        reason = f"; {self.reason()}" if self.reason() else ""
        self.report(
            f"turn {turn}: {self.ctx.verdict or 'goes on'}, {self.ctx.labels_used} labels{reason}"
        )

    def _verdict(self, child: orm.WorkChainNode, *, had_labels: bool) -> str | None:
        """Return the label of the exit code with which the loop ends, "converged", or None."""
        if not child.is_finished_ok:
            return _failure(child)
        record = child.outputs.record.get_dict()
        if has_converged(record):
            return CONVERGED
        if self.stop_is_requested():
            return "VERDICT_STOPPED"
        learned = record["n_selected"] > 0 or "increment" in child.outputs
        if not had_labels and not learned and record["extrapolating"]:
            return "VERDICT_BUDGET_SPENT"
        if had_labels and no_core_hours_left(record, self.ctx.forecast):
            self.ctx.spent = "not one more label fits into what is left of them"
            return "VERDICT_CORE_HOURS"
        if not learned and not may_change(record):
            return "VERDICT_NOTHING_SELECTED"
        if self.ctx.turn >= self.budget().turns:
            return "VERDICT_TURNS_USED"
        return None

    def stop_is_requested(self) -> bool:
        """Return whether a person asked this loop, or the campaign that it belongs to, to stop."""
        nodes = [self.node, self.node.caller]
        return any(node is not None and node.base.extras.get(STOP_REQUEST, False) for node in nodes)

    def conclude(self) -> ExitCode | None:
        """Hand out everything, then say how the loop ended."""
        self.out("potential", self.ctx.potential)
        self.out("active_set", self.ctx.active_set)
        MEMBERS.hand_out(self, self.ctx)
        for name in ("training", "test", "ledgers", "records"):
            for key in sorted(self.ctx[name]):
                self.out(f"{name}.{key}", self.ctx[name][key])
        if self.ctx.verdict == CONVERGED:
            return None
        exit_code = self.exit_codes[self.ctx.verdict]
        if self.ctx.child is not None and not self.ctx.child.is_finished_ok:
            return ExitCode(exit_code.status, describe_failure(self.ctx.child))
        told = exit_code.format(
            labels_used=self.ctx.labels_used,
            turns=self.ctx.turn,
            spent=self.ctx.get("spent", ""),
        )
        reason = f"; {self.reason()}" if self.reason() else ""
        return ExitCode(told.status, f"{told.message}{reason}")

    def reason(self) -> str:
        """Return in words why the loop has not converged with its latest turn."""
        if not self.ctx.records:
            return ""
        latest = self.ctx.records[max(self.ctx.records)].get_dict()
        return str(latest.get("reason", ""))


def no_core_hours_left(record: Mapping[str, Any], forecast: Mapping[str, Any]) -> bool:
    """Return whether a turn compared none of its candidates because core-hours are short."""
    had_candidates = any(chain.get("kept") for chain in record.get("samples", []))
    unused = had_candidates and record.get("n_candidates") == 0 and record["extrapolating"]
    return unused and forecast["core_seconds_left"] is not None


def may_change(record: Mapping[str, Any]) -> bool:
    """Return whether another turn may hold although nothing was learned from this one.

    Fresh seeds find other frames where some extrapolate, but not where none is worth a label; the
    figures of a potential that stays are stationary after some turns; an audit without labels can
    be repeated. A rate that so few frames cannot show, and errors beyond a target, stay.
    """
    if record["extrapolating"]:
        return False
    broken = {one["name"] for one in record.get("criterion", []) if not one["holds"]}
    audited = (record.get("audit") or {}).get("n_labelled", 0) > 0
    return "rate" not in broken and not ("audit" in broken and audited)


def _failure(child: orm.WorkChainNode) -> str:
    """Return the label of the exit code of the loop for a turn that failed."""
    codes = {code.status: label for label, code in TurnWorkChain.exit_codes.items()}
    return str(codes.get(child.exit_status, "ERROR_TURN_LOST"))
