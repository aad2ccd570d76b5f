# SPDX-License-Identifier: MIT
"""Which labels are left out of a fit, and the process that fits without them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiida_alpot.errors import SettingError
from aiida_alpot.reports.provenance import TrainingConfiguration, training_configurations


def chosen_labels(potential: Any, names: Sequence[str]) -> list[TrainingConfiguration]:
    """Return the training configurations that names stand for.

    A name is a calculation (PK, or the start of its UUID): all that it labelled; or a
    configuration, by its own name or the start of its hash.

    Raises
    ------
    SettingError
        If a name stands for none.
    """
    labels = training_configurations(potential)
    found: dict[str, TrainingConfiguration] = {}
    for name in names:
        uuid = _uuid_of(name)
        matching = [one for one in labels if one.identifier == name]
        matching = matching or [
            one
            for one in labels
            if one.label_process
            and (one.label_process == uuid or one.label_process.startswith(name))
        ]
        matching = matching or [one for one in labels if one.key.startswith(name)]
        if not matching:
            raise SettingError(
                f"'{name}' made no label of this potential. 'alpot calculations' and 'alpot why' "
                "list those that did."
            )
        found |= {one.key: one for one in matching}
    return list(found.values())


def leave_out_builder(potential: Any, hashes: Sequence[str], *, from_scratch: bool = False) -> Any:
    """Return the inputs of the process that fits a potential again without some labels.

    Parameters
    ----------
    potential : PotentialData
        The output of a fit in this profile.
    hashes : sequence of str
        Of the configurations to leave out.
    from_scratch : bool
        Whether to forget the potential that the fit started from, which may have seen them.
    """
    from aiida import orm

    from aiida_alpot.workflows.leave_out import LeaveOutWorkChain

    fit = potential.creator
    builder = LeaveOutWorkChain.get_builder()
    builder.potential = potential
    builder.left_out = orm.List(sorted(hashes))
    builder.code = fit.inputs.code
    builder.training = dict(fit.inputs.training.items())
    builder.test = dict(fit.inputs.test.items()) if "test" in fit.inputs else {}
    settings = fit.inputs.settings
    if "initial" in fit.inputs and not from_scratch:
        builder.initial = fit.inputs.initial
    elif from_scratch and settings.get_dict().get("pull"):  # there is nothing to pull to
        settings = orm.Dict({**settings.get_dict(), "pull": None})
    builder.settings = settings
    names = ("resources", "withmpi", "max_wallclock_seconds", "queue_name", "account")
    options = {name: fit.get_option(name) for name in names}
    builder.options = orm.Dict({name: one for name, one in options.items() if one is not None})
    builder.metadata.label = "leave out"
    builder.metadata.description = f"{len(hashes)} labels of potential {potential.uuid}"
    return builder


def lines_of_difference(difference: Mapping[str, Any]) -> Iterator[str]:
    """Yield the difference of two fits as lines of text."""
    relative = difference["parameters"]["relative"]
    shown = "of another number" if relative is None else f"differ by {100 * relative:.3g} %"
    yield f"parameters {shown} (norm of the difference over the norm)"
    for name, told in (("kept", "on what was kept"), ("left_out", "on what was left out")):
        change = difference["predictions"][name]
        yield (
            f"predictions {told} ({change['n_configurations']}) change by "
            f"{change['energy_rms_meV_per_atom']:.3g} meV/atom, "
            f"{change['forces_rms_eV_per_A']:.3g} eV/A (largest "
            f"{change['energy_largest_meV_per_atom']:.3g}, "
            f"{change['forces_largest_eV_per_A']:.3g})"
        )
        errors = difference["errors"][name]
        before, after = (errors[when] for when in ("before", "after"))
        yield (
            f"errors {told}: {_both(before, after, 'energy', 'rmse_meV_per_atom')} meV/atom, "
            f"{_both(before, after, 'forces', 'rmse_eV_per_A')} eV/A"
        )


def _both(before: Mapping[str, Any], after: Mapping[str, Any], kind: str, key: str) -> str:
    values = [one[kind][key] for one in (before, after)]
    return " -> ".join("-" if one is None else f"{one:.4g}" for one in values)


def _uuid_of(name: str) -> str:
    from aiida import orm
    from aiida.common import exceptions

    try:
        return str(orm.load_node(name).uuid)
    except (exceptions.NotExistent, exceptions.MultipleObjectsError, ValueError):
        return ""
