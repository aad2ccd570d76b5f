# SPDX-License-Identifier: MIT
"""Small cells against large ones at equal cost.

Candidates are strained and rattled cells of 4, 32 or 108 atoms, every other one without one of its
atoms. MAXVOL selects from cells of one size, or of all of them, and the potential is judged on
cells of 108 atoms, half of them with a vacancy, that nobody could select. Errors are compared where
equally many atoms were labelled (a labeller that is linear in the atoms) and where the cubic cost
is equal: there what counts is the last fit that could be paid for, since one label of 108 atoms
costs 38 of 32 and nothing is known between two fits of a mixture. The other way round, told is what
the first fit costs that is nearly as good as 32 atoms in the end. Prints lines, and JSON:

``python -m benchmarks.exploration.cell_sizes [--teacher mtp --data FOLDER] [--seeds 5]
[--json FILE] [--plot FILE]``
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from aiida_alpot.configurations import Configurations, concatenate
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.selection.rules import RuleSettings, make_selector

from .curves import plain_numbers
from .learning import FIGURES, Choose, interval, learn
from .pools import crystal, deformed
from .seeds import run_seeds
from .teachers import Teacher

REPEATS = {"4 atoms": 1, "32 atoms": 2, "108 atoms": 3}
POOL = {"4 atoms": 320, "32 atoms": 80, "108 atoms": 24}
PER_TURN = {"4 atoms": 24, "32 atoms": 4, "108 atoms": 1, "mixed": 8}
LABELS = {"4 atoms": 290, "32 atoms": 40, "108 atoms": 13, "mixed": 120}
FIRST = {"4 atoms": 24, "32 atoms": 4, "108 atoms": 1, "mixed": 24}
ATOMS = 1200  # at which errors are compared
COST = 40.0  # in labels of 32 atoms, cubic; one label of 108 atoms costs 38.4
NEARLY = 1.1  # as good as 32 atoms in the end: at most so many times their error
THERMAL = {"volume": (-0.06, 0.08), "shape": 0.06, "displacement": 0.12}


def cells_of(teacher: Teacher, repeats: int, count: int, rng: np.random.Generator) -> list[Atoms]:
    """Return strained and rattled cells, every other one without one of its atoms."""
    cells = []
    for number in range(count):
        one = crystal(teacher, repeats)
        if number % 2:
            del one[0]
        cells.append(deformed(one, rng, **THERMAL))  # type: ignore[arg-type]
    return cells


def choose_from(pool: Configurations, left: np.ndarray, count: int) -> Choose:
    """Return what takes the frames of the largest volume from what is left of a pool."""
    settings = RuleSettings(threshold=1.0 + 1e-7, entry=1.0 + 1e-7)
    rng = np.random.default_rng(0)  # MAXVOL draws nothing

    def choose(
        potential: MomentTensorPotential, known: Configurations, turn: int
    ) -> Configurations:
        remaining = np.flatnonzero(left)
        selector = make_selector("maxvol", training=known, potential=potential, settings=settings)
        picked = selector.select(pool.select(remaining), limit=count, rng=rng)
        left[remaining[picked.indices]] = False
        return pool.select(remaining[picked.indices])

    return choose


def run_seed(teacher: Teacher, seed: int) -> dict[str, Any]:
    """Learn from cells of each size, and from all of them."""
    rng = np.random.default_rng(seed)
    pools = {
        name: teacher.label(cells_of(teacher, repeats, POOL[name], rng))
        for name, repeats in REPEATS.items()
    }
    pools["mixed"] = concatenate([pools["4 atoms"], pools["32 atoms"], pools["108 atoms"]])
    test = teacher.label(cells_of(teacher, 3, 16, np.random.default_rng(10_000 + seed)))
    result: dict[str, Any] = {"seed": seed, "curves": {}}
    for name, pool in pools.items():
        count = FIRST[name]
        start, left = pool.select(np.arange(count)), np.arange(len(pool)) >= count
        choose = choose_from(pool, left, PER_TURN[name])
        curve = learn(teacher, start, {"large": test}, choose, labels=LABELS[name], seed=seed)
        result["curves"][name] = curve
        last = curve[-1]
        print(
            f"{teacher.name} seed {seed} {name}: {last['labels']} labels, {last['atoms']} atoms, "
            f"cost {last['cubic_cost']:.1f}: {last['large']['energy_meV_per_atom']:.2f} meV/atom, "
            f"{1e3 * last['large']['forces_eV_per_A']:.1f} meV/A on 108 atoms",
            flush=True,
        )
    return result


def error_at(curve: list[dict[str, Any]], figure: str, measure: str, amount: float) -> float:
    """Return an error where a measure of cost has an amount, by powers between two fits.

    Beyond its last fit a curve stays where it ended: its pool has nothing more to teach.
    """
    spent = np.log([one[measure] for one in curve])
    values = np.log([one["large"][figure] for one in curve])
    return float(np.exp(np.interp(np.log(amount), spent, values)))


def affordable_error(curve: list[dict[str, Any]], figure: str) -> float:
    """Return the error of the last fit that a cubic cost of ``COST`` pays for."""
    return float([one["large"][figure] for one in curve if one["cubic_cost"] <= COST][-1])


def cost_to_reach(curve: list[dict[str, Any]], target: float) -> tuple[float, bool]:
    """Return the cubic cost of the first fit whose force error is a target, and if there is one."""
    for one in curve:
        if one["large"]["forces_eV_per_A"] <= target:
            return one["cubic_cost"], True
    return curve[-1]["cubic_cost"], False


def summarize(results: list[dict[str, Any]]) -> dict[str, Any]:
    """Return errors at equal costs, and costs of equal errors, with 95 % intervals.

    Ratios are to cells of 32 atoms in the same seed; sizes that never are nearly as good as those
    have no cost.
    """
    summary: dict[str, Any] = {}
    base = [one["curves"]["32 atoms"] for one in results]
    targets = [NEARLY * curve[-1]["large"]["forces_eV_per_A"] for curve in base]
    measured = {
        f"at {ATOMS} atoms": lambda curve, figure: error_at(curve, figure, "atoms", ATOMS),
        f"at a cubic cost of {COST:g}": affordable_error,
    }
    for name in PER_TURN:
        curves = [one["curves"][name] for one in results]
        found: dict[str, Any] = {}
        for words, read in measured.items():
            for figure in FIGURES:
                values = [read(curve, figure) for curve in curves]
                ratios = [
                    value / read(curve, figure) for value, curve in zip(values, base, strict=True)
                ]
                found[f"{figure} {words}"] = interval(values)
                found[f"{figure} {words} over 32 atoms"] = interval(ratios)
        costs = [
            cost_to_reach(curve, target) for curve, target in zip(curves, targets, strict=True)
        ]
        found["never nearly as good as 32 atoms"] = sum(not there for _, there in costs)
        if all(there for _, there in costs):
            found["cubic cost until nearly as good"] = interval([cost for cost, _ in costs])
        summary[name] = found
    return summary


def draw(results: list[dict[str, Any]], path: Path, teacher: Teacher) -> None:
    """Draw force errors against atoms and against cubic cost."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9.0, 4.0), layout="constrained", sharey=True)
    names = {"atoms": "atoms labelled", "cubic_cost": "cubic cost, labels of 32 atoms"}
    for axes, (measure, words) in zip(panels, names.items(), strict=True):
        for number, name in enumerate(PER_TURN):
            for place, one in enumerate(results):
                curve = one["curves"][name]
                axes.plot(
                    [step[measure] for step in curve],
                    [1e3 * step["large"]["forces_eV_per_A"] for step in curve],
                    color=f"C{number}",
                    marker="o",
                    markersize=2.5,
                    linewidth=1.0,
                    alpha=0.7,
                    label=name if place == 0 else None,
                )
        axes.set(xscale="log", yscale="log", xlabel=words)
        plain_numbers(axes.xaxis if measure == "atoms" else axes.yaxis)
    panels[0].set_ylabel("force RMSE on 108 atoms, meV/A")
    panels[1].axvline(COST, color="0.6", linewidth=0.8, zorder=0)
    panels[1].legend(title="cells")
    figure.suptitle(
        f"Sizes of cells, {teacher.element}, teacher {teacher.name}, {len(results)} seeds, each a "
        f"line; vertical: a cost of {COST:g}"
    )
    figure.savefig(path, dpi=120)


def tell(summary: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each size."""
    for name, found in summary.items():
        told = "; ".join(
            f"{what} {one['mean']:.4g} ({one['low']:.4g}-{one['high']:.4g})"
            if isinstance(one, dict)
            else f"{what}: {one} seeds"
            for what, one in found.items()
        )
        yield f"{name:9} {told}"


def main() -> None:
    """Measure, print, write."""
    run_seeds(
        __doc__,
        run_seed=run_seed,
        summarize=summarize,
        tell=tell,
        draw=draw,
    )


if __name__ == "__main__":
    main()
