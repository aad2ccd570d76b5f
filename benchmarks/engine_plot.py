# SPDX-License-Identifier: MIT
"""Draw the figures of ``engine.py``: ``python benchmarks/engine_plot.py results/engine.json``.

Time per atom against level, a panel for each crystal. The plot lies beside the figures, with the
suffix ``.png``.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

CRYSTALS = {
    "Ni864": "Ni, 864 atoms, 49 neighbors each",
    "Mo54": "Mo, 54 atoms, 26 neighbors each",
}
LINES = {
    "motep cext from scratch": ("motep 0.2 (C), new lists", "tab:orange", "s--"),
    "motep cext": ("motep 0.2 (C)", "tab:orange", "s-"),
    "motep numba": ("motep 0.2 (numba)", "tab:green", "^-"),
    "from scratch": ("aiida-alpot, new lists", "tab:blue", "o--"),
    "step with AVX2 alone": ("aiida-alpot, AVX2 alone", "tab:cyan", "o:"),
    "step": ("aiida-alpot", "tab:blue", "o-"),
}


def times_of(figures: dict[str, float], crystal: str, name: str) -> dict[int, float]:
    """Return us/atom by level of one line of the plot."""
    pattern = re.compile(rf"{crystal} level (\d+) {name} \(us/atom\)")
    found = ((pattern.fullmatch(key), value) for key, value in figures.items())
    return {int(match[1]): value for match, value in found if match}


def draw(content: dict[str, Any], path: Path) -> None:
    """Draw the content of the JSON file of ``engine.py``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import StrMethodFormatter

    figure, panels = plt.subplots(1, 2, figsize=(9, 5), sharey=True, layout="constrained")
    for axes, (crystal, title) in zip(panels, CRYSTALS.items(), strict=True):
        levels: set[int] = set()
        for name, (label, color, style) in LINES.items():
            times = times_of(content["figures"], crystal, name)
            levels |= set(times)
            if times:
                axes.semilogy(list(times), list(times.values()), style, color=color, label=label)
        axes.set(title=title, xlabel="level of the potential", xticks=sorted(levels))
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.grid(alpha=0.3, which="both")
    panels[0].set_ylabel("time per atom (µs)")
    figure.suptitle(
        "Energy, forces and stress, cutoff 5 Å, one thread "
        f"({content['processor']['name']}, {', '.join(content['processor']['features'])})",
        fontsize="medium",
    )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        source = Path(name)
        draw(json.loads(source.read_text(encoding="utf-8")), source.with_suffix(".png"))
