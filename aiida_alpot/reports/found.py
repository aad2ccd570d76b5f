# SPDX-License-Identifier: MIT
"""What the searches of a campaign found: populations, saddle points and the ends of paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiida_alpot.reports.processes import children, turn_processes


@dataclass(frozen=True)
class FoundByJob:
    """What one job found.

    Parameters
    ----------
    job : str
        Its name: that of the sampler and a number.
    turn : int
        The turn of the job.
    potential : str
        UUID of the potential that searched, empty where a calculator of ASE did.
    node : ConfigurationsData
        The structures.
    energies : tuple of float
        Their energies by that potential, of a search under pressure enthalpies, eV/atom.
    """

    job: str
    turn: int
    potential: str
    node: Any
    energies: tuple[float, ...]


def found_by_searches(node: Any) -> list[FoundByJob]:
    """Return what the searches of the last turn of a campaign that has any found."""
    for turn in reversed(turn_processes(node)):
        found = [one for sample in children(turn, "alpot.sample") for one in _found_in(sample)]
        if found:
            return found
    return []


def describe_found(found: list[FoundByJob]) -> dict[str, Any]:
    """Return as JSON which structures there are and where they come from."""
    return {
        one.job: {
            "turn": one.turn,
            "potential": one.potential,
            "structures": one.node.uuid,
            "energies_eV_per_atom": dict(
                zip(one.node.get_configurations().identifier.tolist(), one.energies, strict=True)
            ),
        }
        for one in found
    }


def _found_in(sample: Any) -> list[FoundByJob]:
    if "found" not in sample.outputs:
        return []
    potential = sample.inputs.potential.uuid if "potential" in sample.inputs else ""
    return [
        FoundByJob(
            job=name,
            turn=int(sample.inputs.turn.value),
            potential=potential,
            node=structures,
            energies=tuple(
                float(one["energy"]) for one in sample.outputs.results[name].get_dict()["found"]
            ),
        )
        for name, structures in sorted(sample.outputs.found.items())
    ]
