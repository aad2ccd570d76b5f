# SPDX-License-Identifier: MIT
"""When a campaign is finished: four conditions on a turn, each told in words.

A turn holds if all of them do: every chain ran its whole length, and the rate of extrapolating
frames is below a limit with 95 % confidence; errors on the frozen test sets are stationary; so are
chosen properties; and the true errors on frames that were drawn at random and never selected are
within their targets. A campaign has converged when so many turns in a row hold, each with seeds of
its own. Only numbers go in, nothing of AiiDA.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CONFIDENCE = 0.95
LOWEST_RATE = 0.01
"""The limit on the rate where the campaign names none and its chains are long enough."""


@dataclass(frozen=True)
class Condition:
    """One condition of the criterion.

    Parameters
    ----------
    name : str
        "chains", "rate", "tests", "properties" or "audit".
    holds : bool
        Whether it does.
    detail : str
        What was found, in words and with the limit.
    """

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True)
class Rate:
    """How often independent frames extrapolate.

    Parameters
    ----------
    extrapolating, independent : int
        Frames, one for each block of ``record_every`` steps of a chain.
    bound : float
        Upper end of the one-sided 95 % interval.
    """

    extrapolating: int
    independent: int
    bound: float


def rate_bound(extrapolating: int, independent: int) -> float:
    """Return the rate that the true one stays below with 95 % confidence.

    Of none among ``n`` it is ``3/n`` (the rule of three; Hanley & Lippman-Hand, JAMA 249, 1743
    (1983)), else the upper end of the one-sided interval of Clopper & Pearson, Biometrika 26, 404
    (1934): the ``p`` with which as few or fewer turn up in 5 % of all cases.

    Parameters
    ----------
    extrapolating, independent : int
        Events, and independent trials.

    Raises
    ------
    ValueError
        If there are more events than trials, or a number is negative.

    Examples
    --------
    >>> rate_bound(0, 600)
    0.005
    >>> round(rate_bound(1, 600), 5)
    0.00788
    """
    if not 0 <= extrapolating <= independent:
        raise ValueError(f"{extrapolating} events among {independent} trials.")
    if extrapolating == independent:
        return 1.0
    if extrapolating == 0:
        return min(1.0, 3.0 / independent)
    from scipy.stats import beta

    return float(beta.ppf(CONFIDENCE, extrapolating + 1, independent - extrapolating))


def count_frames(
    chains: Iterable[Mapping[str, Any]], *, record_every: Mapping[str, int], gamma_select: float
) -> Rate:
    """Return the rate of a turn from the results of its chains.

    Parameters
    ----------
    chains : iterable of mapping
        Results of chains with ``sampler``, ``independent_frames`` and ``extrapolating_frames``.
        Where a job did not count, each ``record_every`` frames stand for one, and a largest grade
        above ``gamma_select`` for one that extrapolates.
    record_every : mapping
        Steps of a block by the name of the sampler.
    gamma_select : float
        Grade above which a frame extrapolates.
    """
    extrapolating = independent = 0
    for chain in chains:
        trials, events = chain.get("independent_frames"), chain.get("extrapolating_frames")
        if trials is None or events is None:
            block = max(1, record_every.get(str(chain["sampler"]), 1))
            trials = math.ceil((chain.get("graded") or 0) / block)
            events = int(trials > 0 and (chain["largest_grade"] or 0.0) > gamma_select)
        extrapolating += events
        independent += trials
    return Rate(extrapolating, independent, rate_bound(extrapolating, independent))


def judge_chains(chains: Sequence[Mapping[str, Any]]) -> Condition:
    """Return whether every chain ran its whole length; one that stopped hides what lies behind."""
    early = [chain for chain in chains if not chain["completed"]]
    later = [chain for chain in chains if chain.get("first_step")]
    if not chains:
        return Condition("chains", False, "no chain was run")
    for some, what, detail in (
        (early, "stopped early", "{reason}"),
        (later, "ran only what the turn before had left of them", "from step {first_step}"),
    ):
        if some:
            first = f"{some[0]['sampler']} from {some[0]['chain']}"
            why = detail.format_map(some[0])
            others = f", and {len(some) - 1} more" if len(some) > 1 else ""
            found = f"{len(some)} of {len(chains)} chains {what}: {first} ({why}){others}"
            return Condition("chains", False, found)
    return Condition("chains", True, f"all {len(chains)} chains ran their whole length")


def judge_rate(rate: Rate, limit: float | None) -> Condition:
    """Return whether the rate of extrapolating frames is below a limit with 95 % confidence.

    Parameters
    ----------
    rate : Rate
        Of one turn.
    limit : float or None
        Largest rate; None stands for 1 %, or what so few frames can show with none among them.
    """
    shown = 3.0 / rate.independent if rate.independent else 1.0
    largest = limit if limit is not None else max(LOWEST_RATE, shown)
    if largest >= 1.0:
        told = f"{rate.extrapolating} of {rate.independent} independent frames extrapolate"
        return Condition("rate", False, f"{told}, too few to show a rate; run longer chains")
    found = (
        f"{rate.extrapolating} of {rate.independent} independent frames extrapolate, at most "
        f"{as_percent(rate.bound)} (95 %)"
    )
    if rate.bound <= largest * (1 + 1e-12):
        return Condition("rate", True, f"{found}; limit {as_percent(largest)}")
    more = ""
    if rate.extrapolating == 0 and largest > 0:
        more = f"; {math.ceil(3.0 / largest)} frames without any would show it, run longer chains"
    return Condition("rate", False, f"{found}, above the limit of {as_percent(largest)}{more}")


def judge_stationary(
    name: str,
    history: Sequence[Mapping[str, float]],
    tolerances: Mapping[str, float | str],
    *,
    n_turns: int,
) -> Condition:
    """Return whether figures stayed the same, within tolerances, over some turns.

    Parameters
    ----------
    name : str
        "tests" or "properties".
    history : sequence of mapping
        Figures by name after each turn, the latest last. What is missing in the turns looked at
        holds the condition up, but for figures that are new in the latest one.
    tolerances : mapping
        Largest spread of each figure: a number in its unit, or a share as in "10 %", which counts
        of its largest value in these turns. "*" stands for all the others.
    n_turns : int
        Turns looked at.
    """
    recent = list(history[-n_turns:])
    if not recent or not recent[-1]:
        return Condition(name, False, "nothing was measured")
    if len(recent) < n_turns:
        return Condition(name, False, f"known after {len(recent)} of {n_turns} turns only")
    worst: tuple[float, str] | None = None
    for figure in sorted(recent[-1]):
        wanted = tolerances.get(figure, tolerances.get("*"))
        values = [one[figure] for one in recent if figure in one]
        if wanted is None or len(values) < n_turns:
            continue
        spread = max(values) - min(values)
        allowed = absolute_tolerance(wanted, max(abs(value) for value in values))
        if not math.isfinite(spread):
            return Condition(name, False, f"{figure} is not a finite number")
        excess = spread / allowed if allowed > 0 else (math.inf if spread > 0 else 0.0)
        moved = f"{figure} moved by {spread:.3g}, allowed {allowed:.3g}"
        if worst is None or excess > worst[0]:
            worst = (excess, moved)
    if worst is None:
        return Condition(name, False, f"no figure has been known for {n_turns} turns yet")
    return Condition(name, worst[0] <= 1.0, f"over {n_turns} turns {worst[1]}")


def judge_audit(
    errors: Mapping[str, float | None], targets: Mapping[str, float], n_audited: int, n_asked: int
) -> Condition:
    """Return whether the true errors on frames that were never selected are within their targets.

    Parameters
    ----------
    errors : mapping
        Errors of the potential that made the frames, by the names of the targets.
    targets : mapping
        Largest values.
    n_audited, n_asked : int
        Frames that have a label, and frames that were to be drawn.
    """
    if n_audited == 0:
        return Condition("audit", False, f"none of {n_asked} frames has been labelled")
    beyond: list[str] = []
    within: list[str] = []
    for figure, target in sorted(targets.items()):
        error = errors.get(figure)
        told = f"{figure} {'unknown' if error is None else format(error, '.3g')}"
        is_met = error is not None and error <= target
        (within if is_met else beyond).append(f"{told}, target {target:g}")
    told = "; ".join(beyond or within)
    return Condition("audit", not beyond, f"on {n_audited} frames never selected: {told}")


def absolute_tolerance(wanted: float | str, scale: float) -> float:
    """Return a tolerance as a number; a share such as "10 %" counts of ``scale``."""
    if isinstance(wanted, str):
        return float(wanted.rstrip("% ")) / 100.0 * scale
    return float(wanted)


def reason_not_converged(criterion: Iterable[Mapping[str, Any]], *, held: int, asked: int) -> str:
    """Return in words why a campaign has not converged, empty if it has.

    Parameters
    ----------
    criterion : iterable of mapping
        Conditions of the latest turn: ``name``, ``holds``, ``detail``.
    held, asked : int
        Turns in a row, up to the latest, that hold; and how many must.
    """
    if held >= asked:
        return ""
    broken = [str(one["detail"]) for one in criterion if not one["holds"]]
    if broken:
        return f"not converged because {'; '.join(broken)}"
    turns = "turn" if held == 1 else "turns"
    return f"not converged because the criterion held in {held} {turns} of {asked} in a row"


def as_percent(share: float) -> str:
    """Return a share as people read it: 0.5 %, 12 %."""
    return f"{100 * share:.2g} %" if share < 0.995 else "100 %"
