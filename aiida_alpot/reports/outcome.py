# SPDX-License-Identifier: MIT
"""What a campaign reached: figures with the start alone and at the end, against the targets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from aiida_alpot.campaign.validation import TEST_FIGURES

UNITS = {
    "_meV_per_atom": "meV/atom",
    "_eV_per_A": "eV/A",
    "_GPa": "GPa",
    "_A3": "A^3",
    "_A": "A",
    "_eV": "eV",
    "_K": "K",
    "_deg": "degrees",
}

# figures worth showing without a target, by kind of property
SHOWN = {
    "trajectory_errors": (
        "energy_rmse_meV_per_atom",
        "forces_rmse_eV_per_A",
        "largest_force_error_eV_per_A",
    ),
    "stability": (
        "steps",
        "largest_grade",
        "n_above_gamma_break",
        "forces_rmse_eV_per_A",
        "largest_force_error_eV_per_A",
    ),
    "equation_of_state": ("lattice_constant_A", "bulk_modulus_GPa"),
    "vacancy": ("formation_energy_eV",),
    "elastic": ("C11_GPa", "C12_GPa", "C44_GPa"),
}


@dataclass(frozen=True)
class Figure:
    """One number of the validation.

    Parameters
    ----------
    subject : str
        What it belongs to, such as "vacancy of bulk" or "test set ordered".
    name, unit : str
        What it is.
    before, after : float or None
        With the potential of the start alone, and at the end.
    reference : float or None
        With the calculator of the labels, where it was measured with both.
    target : float or None
        Largest deviation from the reference, or largest value.
    target_text : str
        The target as it stands in the campaign file.
    """

    subject: str
    name: str
    unit: str
    before: float | None
    after: float | None
    reference: float | None
    target: float | None
    target_text: str

    @property
    def met(self) -> bool | None:
        """Whether the target is met at the end; None without a target."""
        return self._meets(self.after)

    @property
    def met_before(self) -> bool | None:
        """Whether the potential of the start alone meets the target; None where not measured."""
        return None if self.before is None else self._meets(self.before)

    def deviation(self, value: float | None) -> float | None:
        """Return what is compared with the target: value minus reference, or the value."""
        if value is None:
            return None
        return value - self.reference if self.reference is not None else value

    def shown(self, value: float) -> tuple[str, str]:
        """Return a value as text, and its deviation from the reference, empty without one."""
        if self.reference is None:
            return (f"{value:.4g}" if isinstance(value, float) else str(value)), ""
        return f"{value:.6g}", f"{value - self.reference:+.2g}"

    def _meets(self, value: float | None) -> bool | None:
        if self.target is None:
            return None
        deviation = self.deviation(value)
        return deviation is not None and abs(deviation) <= self.target * (1 + 1e-12)


@dataclass(frozen=True)
class Outcome:
    """All figures of a campaign, and measurements that failed."""

    figures: tuple[Figure, ...]
    failures: tuple[str, ...]

    @property
    def targets(self) -> list[Figure]:
        """Figures that have a target."""
        return [figure for figure in self.figures if figure.target is not None]

    @property
    def n_met(self) -> int:
        """Number of targets that are met at the end."""
        return sum(bool(figure.met) for figure in self.targets)

    @property
    def n_missed_before(self) -> int:
        """Number of targets that the potential of the start alone was seen to miss."""
        return sum(figure.met_before is False for figure in self.targets)

    @property
    def targets_met(self) -> bool:
        """Whether every target is met and nothing failed."""
        return not self.failures and all(figure.met is not False for figure in self.figures)


def read_outcome(node: Any) -> Outcome:
    """Read the outcome of a campaign from its outputs."""
    described = node.base.extras.get("alpot_campaign", {})
    outputs = node.outputs
    return assess(
        after=_content(outputs, "validation"),
        before=_content(outputs, "initial_validation"),
        targets=described.get("targets", []),
        test_targets=described.get("test_targets", {}),
        turns=_content(outputs, "turns").get("turns", []),
        ended=node.is_terminated,
    )


def assess(
    *,
    after: Mapping[str, Any],
    before: Mapping[str, Any],
    targets: list[Mapping[str, Any]],
    test_targets: Mapping[str, float],
    turns: list[Mapping[str, Any]],
    ended: bool = True,
) -> Outcome:
    """Return figures and failures from the results of the properties jobs.

    Parameters
    ----------
    after, before : mapping
        Results of the job ``properties``; may be empty.
    targets : list of mapping
        For each property of ``after``, its targets by the name of the figure.
    test_targets : mapping
        Targets of every test set.
    turns : list of mapping
        Records of the turns, whose last errors are those of the final potential.
    ended : bool
        Whether results that are missing will not come any more.
    """
    figures = list(_test_figures(turns, test_targets))
    failures = []
    measured_before = list(before.get("properties", []))
    for number, entry in enumerate(after.get("properties", [])):
        wanted = targets[number] if number < len(targets) else {}
        subject = f"{entry['kind'].replace('_', ' ')}, {entry['structure']}"
        if entry["failed"]:
            failures.append(f"{subject}: {entry['failed']}")
        figures += _figures_of(entry, _matching(entry, measured_before), wanted, subject)
    if ended and any(targets) and not after:
        failures.append("the validation gave no result")
    return Outcome(tuple(figures), tuple(failures))


def _matching(entry: Mapping[str, Any], candidates: list[Any]) -> Mapping[str, Any]:
    for candidate in candidates:
        if all(candidate[key] == entry[key] for key in ("kind", "structure", "settings")):
            return dict(candidate)
    return {}


def _figures_of(
    entry: Mapping[str, Any],
    before: Mapping[str, Any],
    targets: Mapping[str, Any],
    subject: str,
) -> Iterator[Figure]:
    values = entry.get("values") or {}
    names = [*targets, *(name for name in SHOWN.get(entry["kind"], ()) if name not in targets)]
    for name in names:
        reference = (entry.get("reference") or {}).get(name)
        wanted = targets.get(name)
        yield Figure(
            subject=subject,
            name=plain_name(name),
            unit=unit_of(name),
            before=(before.get("values") or {}).get(name),
            after=values.get(name),
            reference=reference,
            target=absolute_target(wanted, reference),
            target_text=_target_text(wanted, unit_of(name), reference is not None),
        )


def _test_figures(turns: list[Mapping[str, Any]], targets: Mapping[str, float]) -> Iterator[Figure]:
    with_errors = [turn["errors"] for turn in turns if turn.get("errors")]
    if not with_errors:
        return
    names = [
        *targets,
        *(n for n in ("energy_rmse_meV_per_atom", "forces_rmse_eV_per_A") if n not in targets),
    ]
    for test_name, last in (with_errors[-1].get("test") or {}).items():
        first = (with_errors[0].get("test") or {}).get(test_name)
        for name in names:
            section, key = TEST_FIGURES[name]
            wanted = targets.get(name)
            yield Figure(
                subject=f"test set, {test_name}",
                name=plain_name(name),
                unit=unit_of(name),
                before=first[section][key] if first else None,
                after=last[section][key] if last else None,
                reference=None,
                target=wanted,
                target_text=_target_text(wanted, unit_of(name), compared=False),
            )


def absolute_target(wanted: float | str | None, reference: float | None) -> float | None:
    """Return a target as a number in the unit of its figure; percentages count of the reference."""
    if isinstance(wanted, str):
        share = float(wanted.rstrip("% ")) / 100
        return math.nan if reference is None else share * abs(reference)
    return wanted


def _target_text(wanted: float | str | None, unit: str, compared: bool) -> str:
    if wanted is None:
        return ""
    sign = "within " if compared else "at most "
    return sign + (wanted if isinstance(wanted, str) else f"{wanted:g} {unit}".rstrip())


def plain_name(name: str) -> str:
    """Return the name of a figure without its unit, in words."""
    for suffix in UNITS:
        if name.endswith(suffix):
            name = name.removesuffix(suffix)
            break
    words = name.replace("_", " ")
    if words.startswith("n "):
        words = "frames" + words.removeprefix("n")
    return words.replace("rmse", "RMSE").replace("mae", "MAE")


def unit_of(name: str) -> str:
    """Return the unit that the name of a figure ends with; empty for counts and grades."""
    return next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), "")


def _content(outputs: Any, name: str) -> dict[str, Any]:
    return dict(outputs[name].get_dict()) if name in outputs else {}
