# SPDX-License-Identifier: MIT
"""A whole campaign: label the first sets, fit, learn, validate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, WorkChain, if_

from aiida_alpot.calculations import PropertiesCalculation
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.errors import SettingError
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.campaign_checks import (
    find_misfit,
    find_mixed_levels,
    find_unfit_potential,
)
from aiida_alpot.workflows.fan_out import describe_end, describe_failure
from aiida_alpot.workflows.fit import FitWorkChain
from aiida_alpot.workflows.label.builder import label_builder
from aiida_alpot.workflows.learn import LearnWorkChain
from aiida_alpot.workflows.options import code_for, job_options
from aiida_alpot.workflows.ports import (
    MEMBERS,
    PREDECESSOR,
    REFIT,
    RESTARTS,
    added_name,
    define_campaign_inputs,
    define_loop_exit_codes,
    define_predecessor_inputs,
    increment_name,
)
from aiida_alpot.workflows.records import (
    LEDGERS,
    close_books,
    count_spent,
    write_turn_record,
)
from aiida_alpot.workflows.scratch import clean_folders
from aiida_alpot.workflows.settings import (
    BudgetSettings,
    ThreadSettings,
    ValidationSettings,
    check_settings,
    derive_seed,
    read_section,
)
from aiida_alpot.workflows.turn import TurnWorkChain

START = "start"


class CampaignWorkChain(CachingWorkChain):
    """From a few structures to a validated potential."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        define_campaign_inputs(spec)
        spec.input("start", valid_type=ConfigurationsData, required=False, help="Training cells.")
        spec.input(
            "initial",
            valid_type=PotentialData,
            required=False,
            help="What the first fit goes on from.",
        )
        spec.input("validation_structures", valid_type=ConfigurationsData, required=False)
        define_predecessor_inputs(spec)
        spec.outline(
            cls.check_inputs,
            if_(cls.has_first_sets)(cls.label_first_sets, cls.inspect_first_labels),
            if_(cls.explores_first)(cls.explore, cls.inspect_exploration).elif_(
                cls.needs_first_fit
            )(cls.fit_first_potential, cls.inspect_first_fit),
            cls.learn,
            cls.inspect_learning,
            if_(cls.has_validation)(cls.validate, cls.inspect_validation),
            cls.conclude,
        )
        for name, kind in (("initial_potential", PotentialData), ("potential", PotentialData)):
            spec.output(name, valid_type=kind, required=False)
        spec.output("active_set", valid_type=ActiveSetData, required=False)
        MEMBERS.define_output(spec)
        for name in ("training", "test"):
            spec.output_namespace(name, valid_type=ConfigurationsData, dynamic=True)
        for name in ("ledger", "turns", "summary", "validation", "initial_validation"):
            spec.output(name, valid_type=orm.Dict, required=False)
        define_loop_exit_codes(spec)
        spec.exit_code(202, "ERROR_INPUTS", message="{message}")
        spec.exit_code(203, "ERROR_LEVEL_OF_THEORY", message="{message}")
        spec.exit_code(405, "ERROR_VALIDATION", message="the validation failed: {message}")

    def check_inputs(self) -> ExitCode | None:
        """Refuse what cannot work, before anything is spent."""
        settings = self.inputs.settings.get_dict()
        try:
            check_settings(settings)
        except SettingError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        sets = {**self.first_sets(), **self._given("training"), **self._given("test")}
        mixed = find_mixed_levels(sets, settings["label"]["level_of_theory"])
        if mixed:
            return self.exit_codes.ERROR_LEVEL_OF_THEORY.format(message=mixed)
        wrong = find_misfit(settings, self.inputs, self.first_sets())
        if wrong:
            return self.exit_codes.ERROR_INPUTS.format(message=wrong)
        for name in ("ledgers", "records", "training", "test"):
            self.ctx[name] = self._given(name)
        self.ctx.exit_code = None
        return None

    def first_sets(self) -> dict[str, ConfigurationsData]:
        """Return the sets to label before the first fit: the start and the frozen tests."""
        sets = {f"test_{name}": node for name, node in self.inputs.get("test", {}).items()}
        sets |= self._given("unlabelled")
        if START in self.inputs:
            name = added_name(self._turn(), self._given("training")) if self.goes_on() else START
            sets[name] = self.inputs[START]
        return {name: sets[name] for name in sorted(sets)}

    def has_first_sets(self) -> bool:
        """Return whether anything is to be labelled before the first fit."""
        return bool(self.first_sets())

    def label_first_sets(self) -> None:
        """Label the start and the frozen test sets, once."""
        for name, node in self.first_sets().items():
            metadata = {
                "label": f"label {name.replace('_', ' ', 1)}",
                "call_link_label": f"label_{name}",
            }
            builder = label_builder(self.inputs, node, orm.Int(0), metadata)
            self.to_context(**{f"label_{name}": self.submit(builder)})

    def inspect_first_labels(self) -> ExitCode | None:
        """Keep the labels; stop where a set has none, or too few."""
        failed = []
        for name in self.first_sets():
            child = self.ctx[f"label_{name}"]
            if "ledger" in child.outputs:
                self.ctx.ledgers[name] = child.outputs.ledger
            if not child.is_finished_ok:
                failed.append(f"{name}: {describe_end(child)}")
            elif name.startswith("test_"):
                self.ctx.test[name.removeprefix("test_")] = child.outputs.labelled
            else:
                key = increment_name(0, {}) if name == START else name
                self.ctx.training[key] = child.outputs.labelled
        if failed:
            self._hand_out_books("the first labels failed")
            return self.exit_codes.ERROR_LABELLING_FAILED.format(message="; ".join(failed))
        return None

    def explores_first(self) -> bool:
        """Return whether a calculator of ASE explores before there is a potential."""
        return not self.goes_on() and self.inputs.settings.get_dict().get("exploration") is not None

    def goes_on(self) -> bool:
        """Return whether there is a predecessor, from whose last turn this campaign goes on."""
        return "potential" in self._predecessor()

    def needs_first_fit(self) -> bool:
        """Return whether to fit before the loop: always, but for a potential that is up to date."""
        if not self.goes_on():
            return True
        joined = len(self.ctx.training) > len(self._given("training"))
        return joined or self._predecessor()["refit"].value

    def explore(self) -> None:
        """Explore with a calculator of ASE, label, fit the first potential."""
        builder = self._child_builder(TurnWorkChain)
        if "initial" in self.inputs:
            builder.initial = self.inputs.initial
        builder.turn = orm.Int(0)
        builder.labels_left = orm.Int(self._budget().labels - self._labels_used())
        builder.metadata = {"label": "turn 0 / explore", "call_link_label": "turn_000"}
        self.to_context(first=self.submit(builder))

    def inspect_exploration(self) -> ExitCode | None:
        """Take the first potential and the first increment from the exploration."""
        child = self.ctx.first
        for name in LEDGERS:
            if name in child.outputs:
                self.ctx.ledgers[name.replace("ledger", "turn_000")] = child.outputs[name]
        if "increment" in child.outputs:
            key = increment_name(0, self.ctx.training)
            self.ctx.training[key] = child.outputs.increment
        if "held_out" in child.outputs:
            self.ctx.test["held_out_000"] = child.outputs.held_out
        if "record" in child.outputs:
            self.ctx.records["turn_000"] = child.outputs.record
        if not child.is_finished_ok:
            self._hand_out_books("the exploration failed")
            return ExitCode(child.exit_status or 305, describe_failure(child))
        return None

    def fit_first_potential(self) -> None:
        """Fit to the start alone, or to all that the predecessor and new sets give."""
        turn = self._turn()
        builder = FitWorkChain.get_builder()
        builder.settings = self.inputs.settings
        builder.turn = orm.Int(turn)
        builder.training = dict(self.ctx.training)
        builder.test = dict(self.ctx.test)
        builder.code = code_for(self.inputs.codes, "fit")
        for name in ("initial", "options"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        if self.goes_on():
            potential = {"initial": self._predecessor()["potential"]}
            unfit = find_unfit_potential(self.inputs.settings.get_dict(), potential)
            if unfit is None:
                builder.initial = potential["initial"]
            else:
                self.report(f"fitting from scratch: {unfit}")
        builder.metadata = {"label": f"turn {turn} / fit", "call_link_label": f"fit_{turn:03d}"}
        self.to_context(first=self.submit(builder))

    def inspect_first_fit(self) -> ExitCode | None:
        """Stop where the start gives no potential; its labels are kept."""
        child = self.ctx.first
        if not child.is_finished_ok:
            self._hand_out_books("the first fit failed")
            return self.exit_codes.ERROR_FIT_FAILED.format(message=describe_end(child))
        parts = {"fit": child.outputs.result}
        ledgers = [name for name in self.first_sets() if not name.startswith("test_")]
        if ledgers:
            parts["ledger"] = self.ctx.ledgers[ledgers[0]]
        turn = self._turn()
        name = f"{turn:03d}{REFIT}" if self.goes_on() else "000"
        self.ctx.records[f"turn_{name}"] = write_turn_record(
            self.inputs.settings,
            orm.Int(turn),
            metadata={"call_link_label": f"record_{name}"},
            **parts,
        )
        return None

    def learn(self) -> None:
        """Repeat turns until nothing extrapolates or the budget is spent."""
        builder = self._child_builder(LearnWorkChain)
        source = self._source()
        builder.potential = source["potential"]
        builder.active_set = source["active_set"]
        builder.committee = MEMBERS.of(source)
        builder.labels_used = orm.Int(self._labels_used())
        builder.records = dict(self.ctx.records)
        if self.goes_on():
            builder.turn = self._predecessor()["turn"]
            if "outstanding" in self._predecessor():
                builder.outstanding = self._predecessor()["outstanding"]
            builder.restarts = RESTARTS.of(self._predecessor())
        builder.metadata = {"label": "learn", "call_link_label": "learn"}
        self.to_context(learning=self.submit(builder))

    def inspect_learning(self) -> ExitCode | None:
        """Take over what the loop gave, however it ended."""
        child = self.ctx.learning
        for name in ("training", "test", "ledgers", "records"):
            if name in child.outputs:
                self.ctx[name].update(dict(child.outputs[name].items()))
        if not child.is_finished_ok:
            self.ctx.exit_code = [child.exit_status or 305, describe_failure(child)]
        if "potential" not in child.outputs:
            self._hand_out_books("the loop was lost")
            return ExitCode(*self.ctx.exit_code)
        return None

    def has_validation(self) -> bool:
        """Return whether properties are to be measured."""
        return self.inputs.settings.get_dict().get("validation") is not None

    def validate(self) -> None:
        """Measure properties with the potential, and with that of the start alone."""
        validation = read_section(self.inputs.settings.get_dict(), ValidationSettings)
        for name, properties, source in (
            ("validation", validation.properties, self.ctx.learning.outputs),
            ("initial_validation", validation.initial_properties, self._beginning()),
        ):
            if properties:
                builder = self._properties_builder(name, list(properties), source)
                self.to_context(**{name: self.submit(builder)})

    def inspect_validation(self) -> None:
        """Remember where a measurement failed; the potential is there all the same."""
        for name in ("validation", "initial_validation"):
            child = self.ctx.get(name)
            if child is None:
                continue
            clean_folders(self, [child])
            if "result" in child.outputs:
                self.out(name, child.outputs.result)
            if not child.is_finished_ok and self.ctx.exit_code is None:
                message = f"the validation failed: {describe_end(child)}"
                self.ctx.exit_code = [405, message]

    def conclude(self) -> ExitCode | None:
        """Hand out everything, then say how the campaign ended."""
        self.out("initial_potential", self._beginning()["potential"])
        for name in ("potential", "active_set"):
            self.out(name, self.ctx.learning.outputs[name])
        MEMBERS.hand_out(self, self.ctx.learning.outputs)
        status, message = self.ctx.exit_code or (0, "converged")
        self._hand_out_books(message)
        return ExitCode(status, message) if status else None

    def _hand_out_books(self, verdict: str) -> None:
        """Write ledger, turns and summary, and hand out the data sets: nothing paid for is lost."""
        for name in ("training", "test"):
            for key in sorted(self.ctx[name]):
                self.out(f"{name}.{key}", self.ctx[name][key])
        parts = {f"ledger_{name}": node for name, node in self.ctx.ledgers.items()}
        parts |= {f"record_{name}": node for name, node in self.ctx.records.items()}
        books = close_books(orm.Str(verdict), metadata={"call_link_label": "close_books"}, **parts)
        for name in ("ledger", "turns", "summary"):
            self.out(name, books[name])

    def _child_builder(self, process: type[WorkChain]) -> Any:
        builder = process.get_builder()
        for name in ("settings", "structures", "codes", "options", "files"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        builder.training = dict(self.ctx.training)
        builder.test = dict(self.ctx.test)
        return builder

    def _properties_builder(self, name: str, properties: list[Any], source: Any) -> Any:
        settings = self.inputs.settings.get_dict()
        builder = PropertiesCalculation.get_builder()
        builder.code = code_for(self.inputs.codes, "sample")
        builder.structures = self.inputs.get("validation_structures", self.inputs.structures)
        builder.potential = source["potential"]
        builder.active_set = source["active_set"]
        builder.files = self.inputs.get("files", {})
        request = {
            "properties": properties,
            "seed": derive_seed(settings["seed"], 0, "validation"),
            "threads": read_section(settings, ThreadSettings).sample,
        }
        reference = read_section(settings, ValidationSettings).reference
        builder.settings = orm.Dict({**request, **({"reference": reference} if reference else {})})
        builder.metadata = {
            "label": name.replace("_", " "),
            "call_link_label": name,
            "options": job_options(self.inputs.get("options"), "sample", builder.code),
        }
        return builder

    def _predecessor(self) -> Mapping[str, Any]:
        given: Mapping[str, Any] = self.inputs.get(PREDECESSOR, {})
        return given

    def _given(self, name: str) -> dict[str, Any]:
        """Return one of the namespaces that the predecessor left, empty without one."""
        return dict(self._predecessor().get(name, {})) if self.goes_on() else {}

    def _turn(self) -> int:
        """Return the number of the last turn before the loop."""
        return int(self._predecessor()["turn"].value) if self.goes_on() else 0

    def _source(self) -> Any:
        """Return what holds the potential with which the loop begins."""
        return self.ctx.first.outputs if "first" in self.ctx else self._predecessor()

    def _beginning(self) -> Any:
        """Return the potential of the start alone and its active set."""
        given = self._predecessor()
        if "initial_potential" not in given:
            return self._source()
        return {
            "potential": given["initial_potential"],
            "active_set": given["initial_active_set"],
        }

    def _budget(self) -> BudgetSettings:
        return read_section(self.inputs.settings.get_dict(), BudgetSettings)

    def _labels_used(self) -> int:
        return sum(count_spent(node.get_dict()["entries"]) for node in self.ctx.ledgers.values())
