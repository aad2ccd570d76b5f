# SPDX-License-Identifier: MIT
"""Why one frame was chosen: sampled, graded, passed, selected, labelled, used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiida_alpot.ase_structures import sampler_of_frame
from aiida_alpot.carving.labels import central_atom, frame_of_chunk, without_saturation
from aiida_alpot.errors import SettingError
from aiida_alpot.reports.labels import OriginOfLabel, labels_of
from aiida_alpot.reports.provenance import ledger_entries_by_key, training_sets


def find_frame(potential: Any, name: str) -> OriginOfLabel:
    """Return the training configuration of a potential with a name, or with the start of its hash.

    Raises
    ------
    SettingError
        If there is none, or more than one.
    """
    labels = labels_of(potential)
    found = [one for one in labels if one.configuration.identifier == name]
    found = found or [one for one in labels if one.configuration.key.startswith(name)]
    if len(found) != 1:
        raise SettingError(
            f"{len(found)} training configurations are called '{name}'. 'alpot why POTENTIAL' "
            "lists them; the start of a hash names one too."
        )
    return found[0]


def story_of(potential: Any, frame: OriginOfLabel) -> dict[str, Any]:
    """Return what is known of a frame, step by step, as plain JSON.

    ``sampled``, ``selected`` and ``labelled`` are null for what was given from outside, ``carved``
    for what is no chunk of a frame.
    """
    one = frame.configuration
    node = next(
        node for _, node in training_sets(potential.creator) if node.uuid == one.training_set
    )
    entry = ledger_entries_by_key(node).get(one.key, {})
    return {
        "frame": {"name": one.identifier, "hash": one.key, "atoms": one.n_atoms, "turn": one.turn},
        "sampled": _sampled(frame),
        "carved": _carved(frame),
        "selected": _selected(node, one.identifier) if one.turn >= 0 else None,
        "labelled": _labelled(entry, node),
        "used": _used(potential, _key_in_fit(potential, node, one.key)),
    }


def lines_of_story(story: Mapping[str, Any]) -> Iterator[str]:
    """Yield the story as lines of text."""
    frame, sampled, selected = story["frame"], story["sampled"], story["selected"]
    yield f"{frame['name']}: {frame['atoms']} atoms, hash {frame['hash'][:16]}"
    if sampled is None:
        yield "sampled   no: it was given with the campaign"
    else:
        at = "" if sampled["temperature_K"] is None else f" at {sampled['temperature_K']:.0f} K"
        yield (
            f"sampled   in turn {frame['turn']} by '{sampled['sampler']}' "
            f"({sampled['kind'] or 'unknown'}) from '{sampled['start']}', step "
            f"{sampled['step']}{at}; job {sampled['job'][:8] or '-'}"
        )
    if story["carved"] is not None:
        yield (
            f"carved    about atom {story['carved']['atom']} of that frame, the first atom here; "
            "its force alone is trained on"
        )
    if selected is not None:
        grade = "-" if selected["grade"] is None else f"{selected['grade']:.4g}"
        yield (
            f"selected  with {selected['measure']} {grade}, above {selected['threshold']:g}: "
            f"one of {selected['n_selected']} out of {selected['n_candidates']} candidates; job "
            f"{selected['job'][:8]}"
        )
        refused = {rule: count for rule, count in selected["verdicts"].items() if count}
        yield "          verdicts on all of them: " + ", ".join(
            f"{rule} {count}" for rule, count in refused.items()
        )
    label = story["labelled"]
    if label["job"]:
        cost = "" if label["seconds"] is None else f", {label['seconds']:.3g} s"
        yield (
            f"labelled  {label['status'].replace('_', ' ')} by {label['job'][:8]}{cost}, "
            f"{label['cores']} cores; level of theory {label['level_of_theory'][:60]}"
        )
    else:
        yield "labelled  no: its label was given with it"
    used = story["used"]
    yield (
        f"used      in the fit {used['fit'][:8]}; it holds {used['n_places']} of "
        f"{used['n_active']} places of the active set"
    )


def _sampled(frame: OriginOfLabel) -> dict[str, Any] | None:
    one = frame.configuration
    if one.turn < 0:
        return None
    return {
        "sampler": sampler_of_frame(one.sampler),
        "kind": frame.kind,
        "start": one.chain,
        "step": one.step,
        "temperature_K": frame.temperature,
        "job": frame.sample_job,
    }


def _carved(frame: OriginOfLabel) -> dict[str, Any] | None:
    """Return about which atom of its frame a chunk was carved, None of what is no chunk."""
    one = frame.configuration
    if sampler_of_frame(one.sampler) == one.sampler:
        return None
    return {"atom": central_atom(one.identifier), "frame": frame_of_chunk(one.identifier)}


def _selected(node: Any, name: str) -> dict[str, Any] | None:
    """Return what the selection said, which made the set that the labels were asked for."""
    from aiida import orm

    query = orm.QueryBuilder()
    query.append(type(node), filters={"uuid": node.uuid}, tag="training")
    query.append(orm.CalcFunctionNode, with_outgoing="training", tag="collect")
    query.append(
        type(node), with_outgoing="collect", edge_filters={"label": "requested"}, tag="requested"
    )
    query.append(orm.CalcJobNode, with_outgoing="requested", tag="select", project="*")
    job = query.first(flat=True)
    if job is None or "result" not in job.outputs:
        return None
    result = job.outputs.result.get_dict()
    settings = job.inputs.settings.get_dict()
    told = {one["identifier"]: one for one in result.get("candidates", [])}
    grade, threshold = told.get(name, {}).get("grade"), float(settings.get("threshold", 1.0))
    if grade is not None and grade <= threshold:  # once a turn extrapolates this is what counts
        threshold = float(settings.get("entry", threshold))
    return {
        "job": job.uuid,
        "grade": grade,
        "measure": "force deviation (eV/A)" if "committee" in job.inputs else "grade",
        "verdict": told.get(name, {}).get("verdict"),
        "threshold": threshold,
        "n_candidates": result.get("n_candidates"),
        "n_selected": result.get("n_selected"),
        "verdicts": result.get("verdicts", {}),
    }


def _labelled(entry: Mapping[str, Any], node: Any) -> dict[str, Any]:
    from aiida import orm

    from aiida_alpot.workflows.job_costs import cores_of_node

    uuid = str(entry.get("node") or "")
    return {
        "status": str(entry.get("status", "given")),
        "job": uuid,
        "attempt": entry.get("attempt"),
        "seconds": entry.get("seconds"),
        "cores": cores_of_node(orm.load_node(uuid)) if uuid else 0,
        "level_of_theory": node.level_of_theory,
    }


def _key_in_fit(potential: Any, node: Any, key: str) -> str:
    """Return the hash of a configuration as the fit had it, of chunks without saturated bonds."""
    known = node.get_configurations()
    found = known.select([known.hashes().index(key)])
    return without_saturation(found, potential.get_potential().species).hashes()[0]


def _used(potential: Any, key: str) -> dict[str, Any]:
    fit = potential.creator
    places: list[str] = []
    if "active_set" in fit.outputs:
        places = fit.outputs.active_set.get_active_set().hash.tolist()
    return {"fit": fit.uuid, "n_places": places.count(key), "n_active": len(places)}
