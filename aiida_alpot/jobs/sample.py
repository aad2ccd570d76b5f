# SPDX-License-Identifier: MIT
"""The job ``sample``: explore from the starts, keep the frames that are worth a label."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms

from aiida_alpot.bias.from_settings import make_biased
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import SettingError
from aiida_alpot.jobs.calculators import load_calculator
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.jobs.checkpoints import Checkpoints, Interrupted, read_checkpoint
from aiida_alpot.jobs.chunks import carve_audit
from aiida_alpot.jobs.requests import Request, file_in
from aiida_alpot.sampling.census import FrameCensus
from aiida_alpot.sampling.continuation import census_state, check_state, restore_census
from aiida_alpot.sampling.driver import run_sampler
from aiida_alpot.sampling.found import as_configurations
from aiida_alpot.sampling.recording import RecordRules
from aiida_alpot.sampling.registry import make_sampler
from aiida_alpot.sampling.restarting import (
    LAST_GOOD_FRAME,
    Restart,
    read_restarts,
    require_restarts,
)
from aiida_alpot.sampling.settings import make_settings
from aiida_alpot.sampling.stopping import StopRules

CANDIDATES_FILE = "candidates.npz"
AUDIT_FILE = "audit.npz"
RESTARTS_FILE = "restarts.npz"
FOUND_FILE = "found.npz"
SELECT_THRESHOLD = 2.0


@dataclass(frozen=True)
class SampleRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    calculator : dict
        See :mod:`aiida_alpot.jobs.calculators`.
    sampler : dict
        ``kind`` and the settings of that sampler.
    starts : str
        File of the starts; their identifiers name the chains.
    name : str
        Name of the sampler in the origin of each frame.
    turn, seed, threads : int
        Turn of the campaign, seed of all randomness, number of threads.
    gamma_select, gamma_break : float
        Grade above which a frame is kept, 2 if null, and beyond which its chain stops. Where a
        committee grades they are deviations of forces in eV/A, and ``gamma_select`` is required.
    max_frames, record_every : int
        Most frames kept of one chain; see :class:`~aiida_alpot.sampling.recording.RecordRules`.
    limits : dict
        The other keys of :class:`~aiida_alpot.sampling.stopping.StopRules`.
    gamma_known : float or null
        Grade up to which a frame counts as known; with it the result counts the independent frames
        of each chain and those that extrapolate, see :mod:`aiida_alpot.sampling.census`.
    audit_frames, audit_seed : int
        Most known frames that are drawn at random for an audit, and the seed of the draw.
    carve : dict or null
        Keys of :class:`~aiida_alpot.jobs.carve_settings.CarveSettings`: of large frames of an audit
        a chunk about a random atom stands for the whole.
    restart : str
        With "last_good_frame" the last known frame (up to ``gamma_known``, else ``gamma_select``)
        of each chain that was stopped by its grade is written, for another run to go on from.
    restarts : str or null
        File of such frames, in which their chains begin in place of their starts.
    found : bool
        Whether what a search looked for is written and its energies are told: converged structures,
        saddle points, the population of an evolution.
    checkpoint : str or null
        File of a checkpoint from which the job goes on.
    checkpoint_seconds, stop_after_seconds : float
        Seconds between two checkpoints, and until the job writes one and ends, if it is to.
    """

    calculator: dict[str, Any]
    sampler: dict[str, Any]
    starts: str
    name: str = "sample"
    turn: int = 0
    seed: int = 0
    threads: int = 1
    gamma_select: float | None = None
    gamma_break: float | None = 10.0
    max_frames: int = 50
    record_every: int = 10
    limits: dict[str, Any] = field(default_factory=dict)
    gamma_known: float | None = None
    audit_frames: int = 0
    audit_seed: int = 0
    carve: dict[str, Any] | None = None
    restart: Literal["start", "last_good_frame"] = "start"
    restarts: str | None = None
    found: bool = False
    checkpoint: str | None = None
    checkpoint_seconds: float = 300.0
    stop_after_seconds: float | None = None


REQUEST = SampleRequest


def run(request: SampleRequest, folder: Path) -> Mapping[str, Any]:
    """Run the chains and write ``candidates.npz``; ``audit.npz``, ``restarts.npz`` if asked for.

    How each chain went is returned.

    Raises
    ------
    AlpotError
        If the request, a file or a start is not usable; nothing has been run then.
    """
    sampler = make_sampler_of(request.sampler)
    stop_rules, record_rules = make_rules(request)
    carve = CarveSettings.from_mapping(request.carve)
    if request.seed < 0:
        raise SettingError(f"'seed' is {request.seed}; it must be zero or positive.")
    starts = list(Configurations.load(file_in(folder, request.starts)))
    restarts = load_restarts(request, folder, starts, sampler)
    every = 1 if sampler.independent else request.record_every
    first_steps = {name: restart.step for name, restart in restarts.items()}
    census = make_census(request, every=every, first_steps=first_steps)
    state = None
    if request.checkpoint is not None:
        state = read_checkpoint(file_in(folder, request.checkpoint))
        check_state(state, [str(one.info.get("identifier", i)) for i, one in enumerate(starts)])
        restore_census(census, state)
    calculator = load_calculator(request.calculator, folder, threads=request.threads)
    calculator = make_biased(calculator, getattr(sampler.settings, "bias", None))
    checkpoints = Checkpoints(
        folder, every=request.checkpoint_seconds, stop_after=request.stop_after_seconds
    )
    try:
        with checkpoints:
            result = run_sampler(
                sampler,
                starts,
                calculator,
                rng=np.random.default_rng(request.seed),
                stop_rules=stop_rules,
                record_rules=record_rules,
                name=request.name,
                turn=request.turn,
                observe=None if census is None else census.observe,
                offer=lambda tell: checkpoints.offer(
                    lambda: {**tell(), "census": census_state(census)}
                ),
                state=state,
                known=known_grade(request, record_rules),
                restarts=restarts,
            )
    except Interrupted:
        return {"unfinished": True, "chains": [], "n_candidates": 0}
    checkpoints.path.unlink(missing_ok=True)
    result.frames.save(folder / CANDIDATES_FILE)
    if census is not None and request.audit_frames:
        drawn = census.drawn()
        if carve is not None:
            drawn = carve_audit(drawn, carve, seed=request.audit_seed)
        drawn.save(folder / AUDIT_FILE)
    (folder / RESTARTS_FILE).unlink(missing_ok=True)
    if len(result.restarts):
        result.restarts.save(folder / RESTARTS_FILE)
    found: dict[str, Any] = {}
    if request.found:
        as_configurations(result.found).save(folder / FOUND_FILE)
        found = {"found": [{"name": one.name, "energy": one.energy} for one in result.found]}
    return found | {
        "chains": [
            dataclasses.asdict(chain) | (census.counts(chain.chain) if census else {})
            for chain in result.chains
        ],
        "n_candidates": len(result.frames),
    }


def load_restarts(
    request: SampleRequest, folder: Path, starts: list[Atoms], sampler: Any
) -> dict[str, Restart]:
    """Return where chains go on, by the names of their starts.

    Raises
    ------
    SettingError
        If chains of this sampler cannot, a frame is of no start or beyond its last step, or the
        file has the name of the one that is written.
    GeometryError
        If a frame has other atoms than its start.
    """
    if request.restart == LAST_GOOD_FRAME or request.restarts is not None:
        require_restarts(sampler, str(request.sampler["kind"]))
    if request.restarts is None:
        return {}
    if request.restarts == RESTARTS_FILE:
        raise SettingError(
            f"'restarts' is {RESTARTS_FILE!r}, which is what the job writes; rename the file."
        )
    frames = Configurations.load(file_in(folder, request.restarts))
    return read_restarts(frames, starts, steps=sampler.settings.steps)


def known_grade(request: SampleRequest, record_rules: RecordRules) -> float | None:
    """Return up to which grade a frame is one to go on from, None if none is asked for."""
    if request.restart != LAST_GOOD_FRAME:
        return None
    return record_rules.gamma_select if request.gamma_known is None else request.gamma_known


def make_census(
    request: SampleRequest, *, every: int, first_steps: Mapping[str, int]
) -> FrameCensus | None:
    """Return what counts and draws frames, None where no grade is known to hold.

    Frames that lie ``every`` steps apart count as independent; chains begin at ``first_steps``.

    Raises
    ------
    SettingError
        If frames are to be drawn and ``gamma_known`` is not given, or a key is out of range.
    """
    if request.gamma_known is None:
        if request.audit_frames:
            raise SettingError(
                "'audit_frames' draws frames that the grade vouches for; give 'gamma_known', the "
                "grade up to which it does, such as 2."
            )
        return None
    return FrameCensus(
        sampler=request.name,
        turn=request.turn,
        every=every,
        known=request.gamma_known,
        n_drawn=request.audit_frames,
        seed=request.audit_seed,
        first_steps=first_steps,
    )


def make_sampler_of(content: Mapping[str, Any]) -> Any:
    """Return the sampler of a request: ``kind`` and its settings in one mapping.

    Raises
    ------
    SettingError
        If there is no kind, or a setting is wrong.
    """
    if "kind" not in content:
        raise SettingError("The sampler lacks the key 'kind'.")
    settings = {key: value for key, value in content.items() if key != "kind"}
    return make_sampler(str(content["kind"]), settings)


def make_rules(request: SampleRequest) -> tuple[StopRules, RecordRules]:
    """Return when chains stop and what is kept, with the thresholds of the request."""
    if "gamma_break" in request.limits:
        raise SettingError("'gamma_break' stands beside 'limits' in the request, not within.")
    gamma_select = request.gamma_select
    if gamma_select is None:
        if "committee" in request.calculator:
            raise SettingError(
                "Where a committee grades, 'gamma_select' is a deviation of forces in eV/A, which "
                "depends on what the potential is for; give it, such as 0.1."
            )
        gamma_select = SELECT_THRESHOLD
    limits = {**request.limits, "gamma_break": request.gamma_break}
    stop_rules: StopRules = make_settings(StopRules, limits, owner="limits")
    record_rules = RecordRules(
        gamma_select=gamma_select,
        every=request.record_every,
        max_frames=request.max_frames,
    )
    return stop_rules, record_rules
