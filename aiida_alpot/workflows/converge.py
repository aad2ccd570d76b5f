# SPDX-License-Identifier: MIT
"""Measure the noise of labels: what the labeller of a campaign makes of one crystal in many cells.

Cells that describe the same crystal are labelled at the level of theory of the campaign, and the
crystals alone with more k-points and with a higher cutoff, which are levels of their own. No label
of another level is ever trained on, since levels do not mix.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, calcfunction

from aiida_alpot.campaign.calculators import level_of_label
from aiida_alpot.campaign.equivalent_cells import REFERENCE, equivalent_cells, split_name
from aiida_alpot.campaign.finer_labels import finer_settings
from aiida_alpot.campaign.label_noise import measure_noise
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.errors import AlpotError
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.label.builder import complete_level, label_builder, labeller
from aiida_alpot.workflows.ports import define_job_inputs

OWN = "own"
KIND = "label_noise"
"""Mark of a measurement among all dictionaries of a profile."""


class ConvergeWorkChain(CachingWorkChain):
    """Label equivalent cells, and some with finer settings, and compare."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.input("settings", valid_type=orm.Dict, help="Read: `label`, `species`.")
        spec.input("crystals", valid_type=ConfigurationsData)
        spec.input("most_atoms", valid_type=orm.Int, help="Atoms of the largest supercell.")
        spec.input_namespace(
            "codes", valid_type=orm.AbstractCode, dynamic=True, help="As for a campaign."
        )
        define_job_inputs(spec)
        spec.outline(cls.check_inputs, cls.make_cells, cls.label, cls.compare)
        spec.output("noise", valid_type=orm.Dict)
        spec.exit_code(201, "ERROR_SETTINGS", message="{message}")
        spec.exit_code(310, "ERROR_NOTHING_LABELLED", message="nothing to compare: {message}")

    def check_inputs(self) -> ExitCode | None:
        """Settle the settings and the level of theory of each set of labels."""
        settings = self.inputs.settings.get_dict()
        calculator = settings["label"]["calculator"]
        self.ctx.settings = {OWN: self.inputs.settings}
        try:
            for name, finer in finer_of(settings["label"]).items():
                self.ctx.settings[name] = orm.Dict(
                    at_other_settings(settings, {**calculator, "settings": finer})
                )
        except AlpotError as error:
            return self.exit_codes.ERROR_SETTINGS.format(message=str(error))
        return None

    def make_cells(self) -> None:
        """Write each crystal down in several ways."""
        cells = write_down(
            self.inputs.crystals,
            self.inputs.most_atoms,
            metadata={"call_link_label": "write_down"},
        )
        self.ctx.cells = dict.fromkeys(self.ctx.settings, cells["references"])
        self.ctx.cells[OWN] = cells["cells"]

    def label(self) -> None:
        """Label with the labeller of the campaign, at each level side by side."""
        for name, settings in self.ctx.settings.items():
            metadata = {"label": f"noise of labels / {name}", "call_link_label": f"label_{name}"}
            inputs = _Inputs(self.inputs, settings)
            builder = label_builder(inputs, self.ctx.cells[name], orm.Int(-1), metadata)
            self.to_context(**{f"labels_{name}": self.submit(builder)})

    def compare(self) -> ExitCode | None:
        """Compare what was labelled; what was not is named in the measurement."""
        labelled = {}
        for name in self.ctx.settings:
            child = self.ctx[f"labels_{name}"]
            if not child.is_finished_ok:
                self.report(f"labels '{name}' ended with {describe_end(child)}")
            if "labelled" in child.outputs and child.outputs.labelled.n_configurations:
                labelled[name] = child.outputs.labelled
        own = labelled.get(OWN)
        names = [] if own is None else own.get_configurations().identifier.tolist()
        if not any(split_name(one)[1] == REFERENCE for one in names):
            end = describe_end(self.ctx[f"labels_{OWN}"])
            return self.exit_codes.ERROR_NOTHING_LABELLED.format(message=end)
        metadata = {"call_link_label": "compare"}
        self.out("noise", compare_labels(self.ctx.cells[OWN], metadata=metadata, **labelled))
        return None


class _Inputs(dict):
    """The inputs of this process with other settings, as :func:`label_builder` reads them."""

    def __init__(self, inputs: Any, settings: orm.Dict) -> None:
        super().__init__({name: inputs[name] for name in inputs})
        self["settings"] = settings
        self.settings, self.codes = settings, inputs.codes
        self.options = inputs.get("options")


def finer_of(label: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the finer settings of a campaign's section ``label``, by what is finer.

    A labeller of one's own says them by a classmethod ``finer_settings(calculator)``.
    """
    calculator = label["calculator"]
    own = getattr(labeller(label["workchain"]), "finer_settings", None)
    if own is not None:
        found: dict[str, dict[str, Any]] = own(calculator)
        return found
    return finer_settings(str(calculator["name"]), calculator.get("settings") or {})


def at_other_settings(settings: dict[str, Any], calculator: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a campaign with another calculator, and the level that belongs to it.

    Raises
    ------
    AlpotError
        If the calculator does not take its settings.
    """
    label = {**settings["label"], "calculator": calculator}
    kind = label["workchain"]
    name, values = str(calculator["name"]), calculator.get("settings") or {}
    own = kind if kind not in ("ase", "gpaw", "vasp") else None
    label["level_of_theory"] = level_of_label(name, values, workchain=own)
    label["level_of_theory"] = complete_level(label, list(settings.get("species") or []))
    return {**settings, "label": label}


@calcfunction
def write_down(crystals: ConfigurationsData, most_atoms: orm.Int) -> dict[str, ConfigurationsData]:
    """Return the cells of each crystal, and the references among them."""
    cells = equivalent_cells(crystals.get_configurations(), most_atoms=most_atoms.value)
    places = [k for k, name in enumerate(cells.identifier) if split_name(name)[1] == REFERENCE]
    return {
        "cells": ConfigurationsData.from_configurations(cells),
        "references": ConfigurationsData.from_configurations(cells.select(places)),
    }


@calcfunction
def compare_labels(asked: ConfigurationsData, **labelled: ConfigurationsData) -> orm.Dict:
    """Return the noise of labels; see :func:`~aiida_alpot.campaign.label_noise.measure_noise`."""
    sets = {name: node.get_configurations() for name, node in labelled.items()}
    own = sets.pop(OWN)
    there = set(own.identifier[own.labelled].tolist())
    wanted = asked.get_configurations()
    return orm.Dict(
        {
            "kind": KIND,
            "level_of_theory": own.level_of_theory,
            "n_atoms": sorted({int(n) for n in own.n_atoms}),
            "failed": [one for one in wanted.identifier.tolist() if one not in there],
            **measure_noise(own, sets),
        }
    )


def find_noise(level_of_theory: str) -> orm.Dict | None:
    """Return the last measurement at a level of theory that is stored, None without one."""
    query = orm.QueryBuilder()
    query.append(
        orm.Dict,
        filters={"attributes.kind": KIND, "attributes.level_of_theory": level_of_theory},
        tag="noise",
    )
    query.order_by({"noise": [{"id": "desc"}]}).limit(1)
    found: orm.Dict | None = query.first(flat=True)
    return found
