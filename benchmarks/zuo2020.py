# SPDX-License-Identifier: MIT
"""Errors of the published potentials of Zuo et al. (J. Phys. Chem. A 124, 731 (2020)).

Evaluates Ni.mtp, Mo.mtp and Li.mtp on the published test and training sets and compares the errors
with those that two other implementations give, to the printed digits. The folder holds
``X.mtp``, ``X_test.xyz`` and ``X_train.xyz`` for each element X.

    python benchmarks/zuo2020.py --data FOLDER [--json OUT.json]

Exits with 1 if a figure differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from aiida_alpot.fitting.metrics import errors
from aiida_alpot.fitting.prediction import predict
from aiida_alpot.mtp.mlip_files import read_potential
from aiida_alpot.mtp.structure_files import read_configurations

FIGURES = (
    ("energy", "rmse_meV_per_atom"),
    ("energy", "mae_meV_per_atom"),
    ("forces", "rmse_eV_per_A"),
    ("forces", "mae_eV_per_A"),
)
# as printed: energy RMSE, MAE in meV/atom, force RMSE, MAE in eV/A
EXPECTED = {
    ("Ni", "test"): ("0.746", "0.482", "0.0269", "0.0140"),
    ("Ni", "train"): ("0.66", "0.45", "0.0231", "0.0122"),
    ("Mo", "test"): ("3.978", "2.938", "0.1514", "0.0901"),
    ("Mo", "train"): ("3.57", "2.48", "0.1389", "0.0840"),
    ("Li", "test"): ("0.660", "0.487", "0.0132", "0.0101"),
    ("Li", "train"): ("0.73", "0.49", "0.0127", "0.0095"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the published files")
    parser.add_argument("--json", type=Path, help="write all errors here")
    arguments = parser.parse_args()
    found: dict[str, Any] = {}
    n_wrong = 0
    for (element, part), expected in EXPECTED.items():
        result = evaluate_published(arguments.data, element, part)
        printed = [
            f"{result['errors'][group][key]:.{len(text.split('.')[1])}f}"
            for (group, key), text in zip(FIGURES, expected, strict=True)
        ]
        is_equal = printed == list(expected)
        n_wrong += not is_equal
        print(
            f"{element} {part:5}  expected {' '.join(expected)}  found {' '.join(printed)}  "
            f"{'equal' if is_equal else 'DIFFERENT'}  ({result['seconds']:.2f} s)"
        )
        found[f"{element}_{part}"] = result
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 1 if n_wrong else 0


def evaluate_published(folder: Path, element: str, part: str) -> dict[str, Any]:
    potential = read_potential(folder / f"{element}.mtp", [element])
    configurations = read_configurations(folder / f"{element}_{part}.xyz")
    started = time.perf_counter()
    prediction = predict(potential, configurations)
    seconds = time.perf_counter() - started
    return {"errors": errors(configurations, prediction).as_dict(), "seconds": seconds}


if __name__ == "__main__":
    sys.exit(main())
