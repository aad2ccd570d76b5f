# SPDX-License-Identifier: MIT
"""The noise of labels in words: by source, the floor, and targets that lie below it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiida_alpot.campaign.label_noise import QUANTITIES, targets_below_floor

NAMES = {
    "k_mesh": "denser k-points",
    "cutoff": "higher cutoff",
    "cell_shape": "shape of the cell",
    "origin": "origin of the atoms",
    "supercell": "size of the cell",
}


def noise_lines(noise: Mapping[str, Any]) -> list[str]:
    """Return a measurement as lines of text: root mean squares by source, and the floor."""
    lines = [f"{'':22} {'meV/atom':>10} {'eV/A':>10} {'GPa':>10}  cells"]
    for source, figures in noise["sources"].items():
        lines.append(f"{NAMES[source]:22} {_values(figures)}  {figures['n']}")
    lines.append(f"{'floor':22} {_values(noise['floor'])}")
    lines += _agreement_lines(noise)
    kept = [
        NAMES[name]
        for name in ("k_mesh", "cutoff")
        if name in noise["sources"] and not noise["sources"][name]["offset_removed"]
    ]
    if kept:
        lines.append(f"Energies with {' and '.join(kept)} are whole differences, offset included.")
    if noise["failed"]:
        lines.append(f"{len(noise['failed'])} cells have no label: {', '.join(noise['failed'])}")
    return lines


def target_warnings(noise: Mapping[str, Any], targets: Mapping[str, float]) -> list[str]:
    """Return a line for each target that lies below the floor."""
    return [
        f"{name} {value:g} lies below the noise of the labels, {floor:.3g}: no potential can "
        "reach it but by chance; refine the labels or raise the target"
        for name, (value, floor) in targets_below_floor(targets, noise["floor"]).items()
    ]


def _values(figures: Mapping[str, float]) -> str:
    shown = []
    for quantity, unit in QUANTITIES.items():
        value = figures.get(f"{quantity}_rmse_{unit}")
        shown.append(f"{'-' if value is None else f'{value:.3g}':>10}")
    return " ".join(shown)


def _agreement_lines(noise: Mapping[str, Any]) -> list[str]:
    agreement = noise["cells_agree"]
    if not agreement:
        return ["No supercell was labelled; allow larger cells to compare small and large ones."]
    apart = [quantity for quantity, agrees in agreement.items() if not agrees]
    if not apart:
        return ["Small and large cells agree within the other sources."]
    return [
        f"Small and large cells do NOT agree in {', '.join(apart)}: labels depend on the size of "
        "the cell by more than the other sources tell. Ask for kspacing, not kpts, or more points."
    ]
