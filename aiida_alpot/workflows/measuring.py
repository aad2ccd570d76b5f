# SPDX-License-Identifier: MIT
"""What a turn measures to tell whether a campaign is finished: an audit, and properties."""

from __future__ import annotations

from typing import Any

from aiida import orm

from aiida_alpot.calculations import EvaluateCalculation, PropertiesCalculation
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.workflows.audit import POOL, TAKEN, draw_audit
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.criterion import samples_hold
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.label.builder import label_builder
from aiida_alpot.workflows.options import code_for, job_options
from aiida_alpot.workflows.ports import MEMBERS
from aiida_alpot.workflows.records import chains_of_turn
from aiida_alpot.workflows.settings import (
    ConvergeSettings,
    GradeSettings,
    ThreadSettings,
    derive_seed,
    read_criterion,
    read_section,
)


class MeasuringWorkChain(CachingWorkChain):
    """Base of the turn: label and judge an audit, measure properties of the new potential."""

    # --- the audit

    def draws_audit(self) -> bool:
        """Return whether this turn may hold, so that its frames are worth an audit."""
        settings = self.ctx.settings.get_dict()
        samples = self.ctx.samples.outputs
        if not self._criterion().audit_labels or "audits" not in samples or self._left() <= 0:
            return False
        results = {name: node.get_dict() for name, node in samples.results.items()}
        chains = chains_of_turn(settings, results, self.inputs.turn.value)
        return samples_hold(settings, chains)

    def draw_audit(self) -> None:
        """Draw frames at random from those that were not selected."""
        turn = self.inputs.turn.value
        seed = derive_seed(self.inputs.settings.get_dict()["seed"], turn, "audit")
        request = {"count": min(self._criterion().audit_labels, self._left()), "seed": seed}
        sets = {f"{POOL}{name}": node for name, node in self.ctx.samples.outputs.audits.items()}
        sets |= {f"{TAKEN}{name}": node for name, node in self._selected_sets().items()}
        metadata = {"call_link_label": "draw_audit"}
        self.ctx.drawn = draw_audit(orm.Dict(request), metadata=metadata, **sets)

    def has_audit(self) -> bool:
        """Return whether a frame was drawn."""
        return "drawn" in self.ctx and self.ctx.drawn.n_configurations > 0

    def label_audit(self) -> None:
        """Label the frames that were drawn."""
        metadata = self._metadata("label_audit")
        builder = label_builder(self.inputs, self.ctx.drawn, self.inputs.turn, metadata)
        self.to_context(audit_labels=self.submit(builder))

    def inspect_audit_labels(self) -> None:
        """Keep the labels of the audit, however many there are; none of them is trained on."""
        child = self.ctx.audit_labels
        if "ledger" in child.outputs:
            self.out("ledger_audit", child.outputs.ledger)
        if "labelled" in child.outputs and child.outputs.labelled.n_configurations:
            self.out("audit", child.outputs.labelled)
        if not child.is_finished_ok:
            self.report(f"the labels of the audit ended with {describe_end(child)}")

    def has_audit_labels(self) -> bool:
        """Return whether an audited frame has a label."""
        return "audit" in self.outputs

    def evaluate_audit(self) -> None:
        """Compare the labels with the potential that made the frames."""
        builder = EvaluateCalculation.get_builder()
        builder.code = code_for(self.inputs.codes, "sample")
        builder.potential = self.inputs.potential
        builder.configurations = self.outputs["audit"]
        if self.has_target_error():
            builder.committee = MEMBERS.of(self.inputs)
        builder.settings = orm.Dict({"threads": self._threads()})
        builder.metadata = {**self._metadata("audit"), "options": self._options(builder.code)}
        self.to_context(audit=self.submit(builder))

    def inspect_audit(self) -> None:
        """Report where there are no errors; the audit does not hold then."""
        if not self.ctx.audit.is_finished_ok:
            self.report(f"the audit ended with {describe_end(self.ctx.audit)}")

    # --- the calibration of the committee

    def has_target_error(self) -> bool:
        """Return whether thresholds follow from how deviations go with errors."""
        grades = read_section(self.inputs.settings.get_dict(), GradeSettings)
        return grades.target_error is not None and "potential" in self.inputs

    def calibrates(self) -> bool:
        """Return whether there are labels whose deviations were told before."""
        return self.has_target_error() and "increment" in self.outputs

    def calibrate(self) -> None:
        """Compare the deviations of the committee with the errors that the new labels show."""
        builder = EvaluateCalculation.get_builder()
        builder.code = code_for(self.inputs.codes, "sample")
        builder.potential = self.inputs.potential
        builder.committee = MEMBERS.of(self.inputs)
        builder.configurations = self.outputs["increment"]
        builder.settings = orm.Dict({"threads": self._threads()})
        builder.metadata = {**self._metadata("calibrate"), "options": self._options(builder.code)}
        self.to_context(calibrate=self.submit(builder))

    def inspect_calibration(self) -> None:
        """Report where there is none; the thresholds stay what they are then."""
        if not self.ctx.calibrate.is_finished_ok:
            self.report(f"the calibration ended with {describe_end(self.ctx.calibrate)}")

    # --- the properties

    def measures_properties(self) -> bool:
        """Return whether there are properties, and a potential of which they are not known yet."""
        if not self._criterion().properties or "potential" not in self.inputs:
            return False
        history = self.inputs.get("history", {})
        known = any(node.get_dict().get("properties") for node in history.values())
        return "fit" in self.ctx or not known

    def measure(self) -> None:
        """Measure the properties that must be stationary with the potential of this turn."""
        source = self.ctx.fit.outputs if "fit" in self.ctx else self.inputs
        builder = PropertiesCalculation.get_builder()
        builder.code = code_for(self.inputs.codes, "sample")
        builder.structures = self.inputs.structures
        builder.potential = source["potential"]
        # the same seed in every turn: what moves is the potential, not the noise
        seed = derive_seed(self.inputs.settings.get_dict()["seed"], 0, "measure")
        properties = [dict(one) for one in self._criterion().properties]
        builder.settings = orm.Dict(
            {"properties": properties, "seed": seed, "threads": self._threads()}
        )
        builder.metadata = {**self._metadata("measure"), "options": self._options(builder.code)}
        self.to_context(properties=self.submit(builder))

    def inspect_properties(self) -> None:
        """Report where nothing was measured; the properties do not hold then."""
        if not self.ctx.properties.is_finished_ok:
            self.report(f"the properties ended with {describe_end(self.ctx.properties)}")

    def measured_parts(self) -> dict[str, orm.Dict]:
        """Return what was measured for the record of the turn."""
        parts = {}
        for name in ("audit", "calibrate", "properties"):
            if name in self.ctx and "result" in self.ctx[name].outputs:
                parts[name] = self.ctx[name].outputs.result
        return parts

    # --- what the steps share

    def _criterion(self) -> ConvergeSettings:
        return read_criterion(self.inputs.settings.get_dict())

    def _left(self) -> int:
        """Return how many labels are left beside those that this turn has asked for."""
        asked = sum(node.n_configurations for node in self._selected_sets().values())
        return int(self.inputs.labels_left.value) - asked

    def _selected_sets(self) -> dict[str, ConfigurationsData]:
        """Return what was selected for training and for tests, as far as anything was."""
        if "selection" not in self.ctx:
            return {}
        # a look-up by name in `outputs` is a query of its own, and many steps ask for these
        kept: dict[int, dict[str, ConfigurationsData]] = self.__dict__.setdefault("_selected", {})
        pk = self.ctx.selection.pk
        if pk not in kept:
            links = self.ctx.selection.base.links.get_outgoing(node_class=ConfigurationsData)
            found = {link.link_label: link.node for link in links.all()}
            kept[pk] = {name: found[name] for name in ("selected", "held_out") if name in found}
        return kept[pk]

    def _threads(self) -> int:
        return read_section(self.inputs.settings.get_dict(), ThreadSettings).sample

    def _options(self, code: orm.AbstractCode) -> dict[str, Any]:
        return job_options(self.inputs.get("options"), "sample", code)

    def _metadata(self, stage: str) -> dict[str, Any]:
        label = f"turn {self.inputs.turn.value} / {stage.replace('_', ' ')}"
        return {"label": label, "call_link_label": stage}
