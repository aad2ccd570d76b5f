# SPDX-License-Identifier: MIT
"""The next attempts at configurations that have no label, each with the change for its cause."""

from __future__ import annotations

import string
from collections.abc import Mapping
from typing import Any

from aiida_alpot.workflows.label.recipes import UNREACHED, Recipes, merge_changes, next_recipe


def plan_retries(
    entry: Mapping[str, Any], causes: Mapping[int, str], recipes: Recipes, *, max_attempts: int
) -> list[dict[str, Any]]:
    """Return the next attempts at configurations that have no label, by their causes.

    Parameters
    ----------
    entry : mapping
        The attempt that ended: ``name``, ``attempt`` and the ``job``, plain JSON as
        :class:`~aiida_alpot.workflows.label.base.LabelWorkChain` describes it.
    causes : mapping
        Of the configurations that it left without a label, by their indices.
    recipes : mapping
        What is done differently, by cause.
    max_attempts : int
        How often a configuration is tried at most; attempts that never came to it do not count.
    """
    jobs: list[dict[str, Any]] = []
    spared = entry["job"].get("spared", 0)
    for cause in sorted(set(causes.values())):
        if cause != UNREACHED and entry["attempt"] - spared >= max_attempts:
            continue
        tried = dict(entry["job"]["tried"])
        recipe = next_recipe(recipes, cause, tried.get(cause, 0))
        if recipe is None:
            continue
        indices = [index for index, one in causes.items() if one == cause]
        halved = recipe.changes.get("batch") == "halved" and len(indices) > 1
        middle = (len(indices) + 1) // 2 if halved else len(indices)
        job = {
            "changes": merge_changes(entry["job"]["changes"], recipe.changes),
            "recipe": recipe.name,
            "tried": {**tried, cause: tried.get(cause, 0) + 1},
            "spared": spared + (cause == UNREACHED),
        }
        parts = [indices[:middle], indices[middle:]] if halved else [indices]
        jobs += [{**job, "indices": part} for part in parts]
    letters = [""] if len(jobs) == 1 else [f"_{letter}" for letter in string.ascii_lowercase]
    return [
        {"name": entry["name"] + letter, "job": job, "attempt": entry["attempt"] + 1}
        for letter, job in zip(letters, jobs, strict=False)
    ]
