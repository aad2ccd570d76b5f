# SPDX-License-Identifier: MIT
"""The same small set fitted by motep and by us, for ``fit.py``; motep 0.2.0 must be installed."""

from __future__ import annotations

import argparse
import copy
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from fit_traces import QUICK_EVERY, Trace, seconds_to, trace_fit, with_errors

from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import start_potential
from aiida_alpot.mtp.mlip_files import read_potential, write_potential
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.structure_files import read_configurations

MOTEP_LEVEL, MOTEP_CUTOFF, MOTEP_EVERY = 8, 5.0, 8
MOTEP_METHODS = ("BFGS", "L-BFGS-B")


def compare_with_motep(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fit the same small set by motep and by us."""
    whole = read_configurations(arguments.data / "Mo_train.xyz")
    every = MOTEP_EVERY * (QUICK_EVERY if arguments.quick else 1)
    training = whole.select(range(0, len(whole), every))
    initial = start_potential(training, level=MOTEP_LEVEL, cutoff=MOTEP_CUTOFF)
    traces: dict[str, Trace] = {}
    _, traces["aiida-alpot"] = trace_fit(training, initial, arguments, seed=0, tolerance=1e-4)
    for method in MOTEP_METHODS:
        seconds = 5.0 if arguments.quick else arguments.motep_seconds
        traces[f"motep {method}"] = trace_motep(training, initial, method, seconds)
    for name, trace in traces.items():
        print(f"{name}: loss {trace[-1][1]:.5f} after {trace[-1][0]:.1f} CPU s", flush=True)
    lowest = min(trace[-1][1] for trace in traces.values())
    times = {name: seconds_to(trace, 1.001 * lowest) for name, trace in traces.items()}
    ours = times.pop("aiida-alpot")
    fastest = min((value for value in times.values() if value is not None), default=None)
    print(
        f"within 0.1 % of the lowest loss, {lowest:.5f}: motep after {fastest} s, we after "
        f"{ours} s",
        flush=True,
    )
    return {
        "n_configurations": len(training),
        "n_atoms": len(training.numbers),
        "lowest_loss": lowest,
        "motep_seconds": fastest,
        "our_seconds": ours,
        "traces": traces,
        "is_met": ours is not None and (fastest is None or ours < fastest),
    }


class _OutOfTimeError(Exception):
    """Ends a search of motep."""


def trace_motep(
    training: Configurations, initial: MomentTensorPotential, method: str, seconds: float
) -> Trace:
    """Return the lowest loss so far against CPU time: linear least squares, then a search."""
    from motep.io.mlip.mtp import read_mtp, write_mtp
    from motep.loss import LossFunction, LossSetting
    from motep.optimizers import make_optimizer

    with tempfile.TemporaryDirectory() as folder:
        write_potential(initial, Path(folder) / "initial.mtp")
        potential = read_mtp(str(Path(folder) / "initial.mtp"))
    potential.species = [int(training.numbers[0])]
    setting = LossSetting(energy_weight=1.0, forces_weight=0.01, stress_weight=0.0)
    setting.forces_per_atom = False
    images = [training.atoms(index) for index in range(len(training))]
    loss = LossFunction(images, potential, setting, engine="cext")
    # the square of an energy over the number of atoms, not over its square
    loss.loss_energy.configuration_weight = training.n_atoms.astype(float)
    points: list[tuple[float, float, Any]] = []
    original = LossFunction.__call__
    started = time.process_time()

    class Traced(LossFunction):
        def __call__(self, parameters: Any) -> float:
            value = float(original(self, parameters))
            now = time.process_time() - started
            if not points or value < points[-1][1]:
                points.append((now, value, copy.deepcopy(self.mtp_data)))
            if now > seconds:
                raise _OutOfTimeError
            return value

    loss.__class__ = Traced
    potential.initialize(np.random.default_rng(0))
    try:
        make_optimizer("LLS")(loss, method="LLS").optimize()
        search = make_optimizer("minimize")(loss, method="minimize")
        search.optimize(method=method, options={"maxiter": 100_000}, jac=True)
    except _OutOfTimeError:
        pass

    def ours(found: Any) -> MomentTensorPotential:
        with tempfile.TemporaryDirectory() as folder:
            write_mtp(Path(folder) / "found.mtp", found, legacy=True)
            return read_potential(Path(folder) / "found.mtp", species=initial.species)

    return with_errors(points, training, ours)
