# SPDX-License-Identifier: MIT
"""Figures that tests measure: a line of text each, and one JSON file for all of a session."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VARIABLE = "ALPOT_FIGURES"
"""Environment variable that names the JSON file; without it only the line is printed."""


def record_figures(name: str, figures: dict[str, Any], line: str) -> None:
    """Keep the figures of one measurement under its name and print a line about them."""
    print(f"{name}: {line}")
    if not os.environ.get(VARIABLE):
        return
    path = Path(os.environ[VARIABLE])
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    known[name] = {**figures, "line": line}
    path.write_text(json.dumps(known, indent=1, sort_keys=True), encoding="utf-8")
