# SPDX-License-Identifier: MIT
"""The progress of a campaign as text: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiida_alpot.campaign.forecast import shown_core_time
from aiida_alpot.reports.progress import CampaignProgress
from aiida_alpot.reports.turn_progress import TurnProgress

if TYPE_CHECKING:
    from rich.console import RenderableType

STAGE_NAMES = {
    "sample": "sampling",
    "select": "selecting",
    "label": "labelling",
    "fit": "fitting",
    "measure": "measuring",
}
COLUMNS = (
    ("turn", "turn"),
    ("stage", "stage"),
    ("chains", "chains\nended"),
    ("frames", "frames\ngraded"),
    ("grade", "largest\ngrade"),
    ("selected", "selected"),
    ("labelled", "labelled"),
    ("failed", "failed"),
    ("energy", "RMSE energy\nmeV/atom"),
    ("forces", "RMSE forces\neV/A"),
)


def turn_cells(turn: TurnProgress) -> dict[str, str]:
    """Return the cells of one turn by the names of :data:`COLUMNS`."""
    energy, forces = shown_errors(turn.errors)
    known = f" +{turn.looked_up} known" if turn.looked_up else ""
    sampled = turn.samplers_total > 0
    return {
        "turn": "start" if turn.turn == 0 else str(turn.turn),
        "stage": turn.shown_stage,
        "chains": f"{turn.samplers_done}/{turn.samplers_total}" if sampled else "",
        "frames": str(turn.frames) if sampled else "",
        "grade": "" if turn.largest_grade is None else f"{turn.largest_grade:.3g}",
        "selected": str(turn.selected) if sampled else "",
        "labelled": f"{turn.labelled}{known}",
        "failed": str(turn.failed) if turn.failed else "",
        "energy": energy,
        "forces": forces,
    }


def shown_errors(errors: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return the errors of energy and forces as text: the worst test set, else the training set."""
    if not errors:
        return "", ""
    sets = list((errors.get("test") or {}).values())
    note = "" if sets else " (train)"
    sets = sets or [errors["training"]]
    energies = [one["energy"]["rmse_meV_per_atom"] for one in sets if one is not None]
    forces = [one["forces"]["rmse_eV_per_A"] for one in sets if one is not None]
    return _worst(energies, "{:.3f}", note), _worst(forces, "{:.4f}", note)


def _worst(values: list[float | None], form: str, note: str) -> str:
    known = [value for value in values if value is not None]
    return form.format(max(known)) + note if known else ""


def live_table(progress: CampaignProgress) -> RenderableType:
    """Return the progress as a table of rich."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for name, title in COLUMNS:
        table.add_column(title, justify="left" if name in ("turn", "stage") else "right")
    for turn in progress.turns:
        cells = turn_cells(turn)
        style = "" if turn.stage == "done" else "bold"
        table.add_row(*(cells[name] for name, _ in COLUMNS), style=style)
    head = Text.assemble(
        (progress.name, "bold"),
        f"  PK {progress.pk}  ",
        (progress.verdict, verdict_style(progress)),
    )
    warnings = [Text(line, style="yellow") for line in warning_lines(progress)]
    budget = Text(budget_line(progress), style="dim")
    return Group(head, table, *_criterion_table(progress), *warnings, budget)


def _criterion_table(progress: CampaignProgress) -> list[RenderableType]:
    """Return the conditions of the latest turn that was judged, nothing before the first one."""
    from rich.table import Table
    from rich.text import Text

    turn = progress.judged
    if turn is None:
        return []
    table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
    for one in turn.criterion:
        mark = Text("holds", style="green") if one["holds"] else Text("not yet", style="yellow")
        table.add_row(Text(str(one["name"]), style="dim"), mark, str(one["detail"]))
    return [Text(criterion_head(turn), style="bold"), table]


def criterion_head(turn: TurnProgress) -> str:
    """Return how far the criterion is, in one line."""
    turns = "turn holds" if turn.held == 1 else "turns in a row hold"
    return f"Finished? After turn {turn.turn}: {turn.held} {turns}, {turn.asked} must."


def criterion_lines(progress: CampaignProgress) -> list[str]:
    """Return the conditions of the latest turn that was judged as plain lines."""
    turn = progress.judged
    if turn is None:
        return []
    conditions = [
        f"  {one['name']}: {'holds' if one['holds'] else 'not yet'}, {one['detail']}"
        for one in turn.criterion
    ]
    return [criterion_head(turn), *conditions]


def verdict_style(progress: CampaignProgress) -> str:
    """Return the colour in which the state of a campaign is shown."""
    if not progress.is_finished:
        return "cyan"
    return "green" if progress.exit_status == 0 else "yellow" if progress.exit_status else "red"


def budget_line(progress: CampaignProgress) -> str:
    """Return what has been spent, in one line."""
    turns = max((turn.turn for turn in progress.turns), default=0)
    hours, wall = progress.core_hours_budget, progress.wall_hours_budget
    time = duration(progress.seconds) + (f" of {wall:g} h" if wall is not None else "")
    parts = [
        f"labels {progress.labels_used} of {progress.labels_budget}",
        f"turns {turns} of {progress.turns_budget}",
        time,
    ]
    total = sum(progress.core_seconds.values())
    if total or hours is not None:
        of = f" of {shown_core_time(3600.0 * hours)}" if hours is not None else ""
        parts.append(f"{shown_core_time(total)}{of}{_by_stage(progress)}")
    return ", ".join(parts)


def _by_stage(progress: CampaignProgress) -> str:
    """Return the shares of the core-hours that the stages took, empty where there is none."""
    total = sum(progress.core_seconds.values())
    if total <= 0:
        return ""
    shares = [
        f"{name} {100 * progress.core_seconds[stage] / total:.0f} %"
        for stage, name in STAGE_NAMES.items()
        if progress.core_seconds.get(stage, 0.0) / total >= 0.005
    ]
    return f" ({', '.join(shares)})"


def turn_line(turn: TurnProgress) -> str:
    """Return one turn as a plain line."""
    cells = turn_cells(turn)
    parts = [f"turn {turn.turn} {cells['stage']}"]
    if turn.samplers_total:
        parts.append(f"chains {cells['chains']}, frames {cells['frames']}")
        parts.append(f"largest grade {cells['grade'] or '-'}, selected {cells['selected']}")
    parts.append(f"labelled {cells['labelled']}, failed {turn.failed}")
    if cells["energy"] or cells["forces"]:
        parts.append(f"RMSE {cells['energy'] or '-'} meV/atom, {cells['forces'] or '-'} eV/A")
    return "; ".join(parts)


def plain_lines(progress: CampaignProgress) -> list[str]:
    """Return the progress as plain lines."""
    lines = [f"{progress.name} (PK {progress.pk}): {progress.verdict}"]
    lines += [turn_line(turn) for turn in progress.turns]
    told = [*criterion_lines(progress), *warning_lines(progress), budget_line(progress)]
    return [*lines, *told]


def warning_lines(progress: CampaignProgress) -> list[str]:
    """Return what the latest fit warned about, a line for each."""
    return [f"warning: {message}" for message in progress.warnings]


def duration(seconds: float) -> str:
    """Return a time as people read it: 47 s, 3 min 20 s, 2 h 5 min, 3 d 4 h."""
    whole = round(seconds)
    for unit, size, smaller, part in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "min", 60),
        ("min", 60, "s", 1),
    ):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {smaller}"
    return f"{whole} s"
