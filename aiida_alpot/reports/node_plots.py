# SPDX-License-Identifier: MIT
"""Pictures of single nodes: potentials, sets of configurations, active sets.

Figures are made without pyplot, so that nothing global changes and no display is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from ase import Atoms

from aiida_alpot.carving.labels import keep_central_forces
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading.active_rows import ActiveSet
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.mtp.potential import MomentTensorPotential

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_N_DISTANCES = 200
_MOST_BARS = 20


def dimer_curves(potential: MomentTensorPotential) -> Figure:
    """Draw the energy of two atoms less that of two free ones, for every pair of species."""
    figure = _figure(1)
    (axes,) = figure.axes
    distances, curves = dimer_energies(potential)
    for pair, energies in curves.items():
        axes.plot(distances, energies, label=pair)
    inside = np.concatenate([one[distances >= potential.min_distance] for one in curves.values()])
    span = max(float(np.ptp(inside)), 1e-3)
    axes.set_ylim(float(inside.min()) - 0.1 * span, float(inside.max()) + 0.1 * span)
    axes.axvline(potential.min_distance, color="0.7", linewidth=0.8)
    axes.set_xlabel("distance (Å)")
    axes.set_ylabel("energy of two atoms (eV)")
    axes.legend()
    return figure


def dimer_energies(potential: MomentTensorPotential) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return distances (A) and for every pair of species the energy of binding at each (eV)."""
    first = 0.8 * potential.min_distance
    distances = np.linspace(first, potential.cutoff, _N_DISTANCES)
    free = dict(zip(potential.species, potential.species_coefficients.tolist(), strict=True))
    curves = {}
    for pair in combinations_with_replacement(potential.species, 2):
        dimers = [Atoms(pair, [[0.0, 0.0, 0.0], [0.0, 0.0, one]]) for one in distances.tolist()]
        energies = evaluate(potential, Configurations.from_atoms(dimers)).energy
        curves["-".join(pair)] = energies - free[pair[0]] - free[pair[1]]
    return distances, curves


def distributions(configurations: Configurations) -> Figure:
    """Draw histograms of energies, forces, volumes and numbers of atoms, of chunks one force."""
    configurations = keep_central_forces(configurations)
    n_atoms = np.maximum(configurations.n_atoms, 1)
    forces = np.linalg.norm(configurations.forces, axis=1)
    volumes = (configurations.volumes / n_atoms)[configurations.volumes > 0.0]
    figure = _figure(4)
    for axes, values, name in zip(
        figure.axes,
        (configurations.energy / n_atoms, forces, volumes, configurations.n_atoms),
        ("energy (eV/atom)", "force (eV/Å)", "volume (Å³/atom)", "atoms"),
        strict=True,
    ):
        known = values[np.isfinite(values)]
        if len(known):
            axes.hist(known, bins=min(50, max(10, len(known) // 10)))
        else:
            axes.text(0.5, 0.5, "none", ha="center", va="center", transform=axes.transAxes)
        axes.set_xlabel(name)
    figure.axes[0].set_ylabel("count")
    return figure


def places_and_spectrum(active_set: ActiveSet) -> Figure:
    """Draw the singular values of the rows, and the configurations that fill most places."""
    figure = _figure(2)
    spectrum, places = figure.axes
    spectrum.semilogy(np.linalg.svd(active_set.rows, compute_uv=False))
    spectrum.set_xlabel("index")
    spectrum.set_ylabel("singular value of the active rows")
    names = Counter(active_set.identifier[active_set.initialized].tolist()).most_common(_MOST_BARS)
    labels: Sequence[str] = [name[-30:] for name, _ in names]
    places.barh(range(len(names)), [count for _, count in names])
    places.set_yticks(range(len(names)), labels=labels)
    places.invert_yaxis()
    places.set_xlabel(f"places of {active_set.rank}, {active_set.n_initialized} of them filled")
    return figure


def _figure(n_panels: int) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * n_panels, 3.4), layout="constrained", dpi=120)
    figure.subplots(1, n_panels)
    return figure
