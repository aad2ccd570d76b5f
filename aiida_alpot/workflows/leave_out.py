# SPDX-License-Identifier: MIT
"""What changes if some labels are left out: the fit again without them, and the difference.

The fit is repeated with the inputs that it had, its start and its settings, but training sets that
lack some configurations. Both potentials are then evaluated on all that the first was trained on:
on what was kept the difference says how much the potential changed, on what was left out how well
it predicts what it has not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode, ProcessSpec, ToContext, calcfunction

from aiida_alpot.calculations import FitCalculation
from aiida_alpot.calculations.evaluate import EvaluateCalculation
from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.workflows.fan_out import describe_end
from aiida_alpot.workflows.once import OnceWorkChain
from aiida_alpot.workflows.scratch import KEEP_FOLDERS, clean_folders

KEPT, LEFT_OUT = "kept", "left_out"
WHEN = ("before", "after")
_GPA = 160.21766208  # GPa in 1 eV/A^3


class LeaveOutWorkChain(OnceWorkChain):
    """Fit again without some labels and compare the two potentials."""

    @classmethod
    def define(cls, spec: ProcessSpec) -> None:
        """Define what goes in, what comes out and what can go wrong."""
        super().define(spec)
        spec.expose_inputs(
            FitCalculation, include=("training", "test", "initial", "code", "settings")
        )
        spec.input("potential", valid_type=PotentialData, help="Of the fit with all labels.")
        spec.input("left_out", valid_type=orm.List, help="Hashes of the configurations.")
        spec.input("options", valid_type=orm.Dict, required=False, help="Options of the jobs.")
        spec.outline(cls.divide, cls.fit, cls.evaluate, cls.compare)
        spec.output("potential", valid_type=PotentialData)
        spec.output("difference", valid_type=orm.Dict)
        spec.exit_code(207, "ERROR_EMPTY_DATA", message="{message}")
        spec.exit_code(302, "ERROR_NO_POTENTIAL", message="no potential: {message}")
        spec.exit_code(310, "ERROR_NOT_EVALUATED", message="not evaluated: {message}")

    def divide(self) -> ExitCode | None:
        """Take the configurations out of the training sets."""
        self.ctx.training = {}
        removed = {}
        for name, node in self.inputs.training.items():
            parts = leave_out(node, self.inputs.left_out)
            if parts[KEPT].n_configurations:
                self.ctx.training[name] = parts[KEPT]
            if parts[LEFT_OUT].n_configurations:
                removed[name] = parts[LEFT_OUT]
        if not removed or not self.ctx.training:
            what = "nothing would be left to train on" if removed else "none of them was trained on"
            return self.exit_codes.ERROR_EMPTY_DATA.format(message=what)
        self.ctx.sets = {
            KEPT: join_sets(**self.ctx.training),
            LEFT_OUT: join_sets(**removed),
        }
        return None

    def fit(self) -> Any:
        """Fit with the inputs that the fit had, but for the training sets."""
        builder = FitCalculation.get_builder()
        builder.training = self.ctx.training
        builder.test = dict(self.inputs.get("test", {}))
        for name in ("initial", "code", "settings"):
            if name in self.inputs:
                builder[name] = self.inputs[name]
        builder.metadata = self._metadata("fit without them", "fit")
        return ToContext(fit=self.submit(builder))

    def evaluate(self) -> ExitCode | Any:
        """Evaluate both potentials on what was kept and on what was left out."""
        if "potential" not in self.ctx.fit.outputs or not self.ctx.fit.is_finished_ok:
            return self.exit_codes.ERROR_NO_POTENTIAL.format(message=describe_end(self.ctx.fit))
        potentials = {"before": self.inputs.potential, "after": self.ctx.fit.outputs.potential}
        jobs = {}
        for when, potential in potentials.items():
            for name, node in self.ctx.sets.items():
                builder = EvaluateCalculation.get_builder()
                builder.code = self.inputs.code
                builder.potential = potential
                builder.configurations = node
                builder.settings = orm.Dict({})
                label = f"{name}_{when}"
                builder.metadata = self._metadata(f"evaluate {label}", label)
                jobs[label] = self.submit(builder)
        return ToContext(**jobs)

    def compare(self) -> ExitCode | None:
        """Hand out the potential and the difference."""
        parts: dict[str, orm.Data] = {}
        for name in (KEPT, LEFT_OUT):
            for when in WHEN:
                job = self.ctx[f"{name}_{when}"]
                if not job.is_finished_ok:
                    return self.exit_codes.ERROR_NOT_EVALUATED.format(message=describe_end(job))
                parts[f"predictions_{name}_{when}"] = job.outputs.predictions
                parts[f"result_{name}_{when}"] = job.outputs.result
        jobs = [self.ctx[f"{name}_{when}"] for name in (KEPT, LEFT_OUT) for when in WHEN]
        clean_folders(self, [self.ctx.fit, *jobs])
        after = self.ctx.fit.outputs
        parts["fit_after"] = after.result
        self.out("potential", after.potential)
        self.out("difference", compare_fits(self.inputs.potential, after.potential, **parts))
        return None

    def _metadata(self, label: str, link: str) -> dict[str, Any]:
        options = self.inputs.options.get_dict() if "options" in self.inputs else {}
        options.pop(KEEP_FOLDERS, None)
        return {"label": label, "call_link_label": link, "options": options}


@calcfunction
def leave_out(training: ConfigurationsData, hashes: orm.List) -> dict[str, ConfigurationsData]:
    """Return the configurations whose hash is not in the list, and those whose hash is."""
    configurations = training.get_configurations()
    unwanted = set(hashes.get_list())
    mask = np.array([one in unwanted for one in configurations.hashes()], dtype=bool)
    return {
        KEPT: ConfigurationsData.from_configurations(configurations.select(~mask)),
        LEFT_OUT: ConfigurationsData.from_configurations(configurations.select(mask)),
    }


@calcfunction
def join_sets(**sets: ConfigurationsData) -> ConfigurationsData:
    """Return several sets as one, in the order of their names."""
    joined = concatenate([sets[name].get_configurations() for name in sorted(sets)])
    return ConfigurationsData.from_configurations(joined)


@calcfunction
def compare_fits(before: PotentialData, after: PotentialData, **parts: orm.Data) -> orm.Dict:
    """Return how two potentials differ: parameters, predictions and errors.

    Parameters
    ----------
    before, after : PotentialData
        With all labels, and without some.
    **parts : ConfigurationsData or Dict
        ``predictions_SET_WHEN`` and ``result_SET_WHEN`` of the four evaluations, ``fit_after``.
    """
    first, second = before.get_potential(), after.get_potential()
    content: dict[str, Any] = {
        "parameters": parameter_difference(first.parameters, second.parameters),
        "predictions": {},
        "errors": {},
        "test_errors_after": (parts["fit_after"].get_dict().get("errors") or {}).get("test", {}),
    }
    for name in (KEPT, LEFT_OUT):
        sets = [parts[f"predictions_{name}_{when}"] for when in ("before", "after")]
        content["predictions"][name] = prediction_difference(
            *(one.get_configurations() for one in sets)
        )
        content["errors"][name] = {
            when: parts[f"result_{name}_{when}"].get_dict()["errors"]
            for when in ("before", "after")
        }
    return orm.Dict(content)


def parameter_difference(before: np.ndarray, after: np.ndarray) -> Mapping[str, Any]:
    """Return the relative difference of two vectors of parameters, None if their sizes differ."""
    if before.shape != after.shape:
        return {"n_before": before.size, "n_after": after.size, "relative": None}
    scale = float(np.linalg.norm(before)) or 1.0
    relative = float(np.linalg.norm(after - before)) / scale
    return {"n_before": before.size, "n_after": after.size, "relative": relative}


def prediction_difference(before: Configurations, after: Configurations) -> dict[str, float]:
    """Return root mean squares and largest values of what two potentials predict differently."""
    energy = 1e3 * (after.energy - before.energy) / before.n_atoms
    forces = (after.forces - before.forces).ravel()
    stress = _GPA * (after.stress - before.stress)[np.isfinite(before.stress).all(axis=1)]
    return {
        "n_configurations": len(before),
        "energy_rms_meV_per_atom": _rms(energy),
        "energy_largest_meV_per_atom": float(np.abs(energy).max(initial=0.0)),
        "forces_rms_eV_per_A": _rms(forces),
        "forces_largest_eV_per_A": float(np.abs(forces).max(initial=0.0)),
        "stress_rms_GPa": _rms(stress.ravel()),
    }


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0
