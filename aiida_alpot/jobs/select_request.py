# SPDX-License-Identifier: MIT
"""What the job ``select`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from aiida_alpot.jobs.requests import Request
from aiida_alpot.selection.graded import TAIL_K
from aiida_alpot.selection.picking import ALIKE_WITHIN
from aiida_alpot.selection.rules import Rule


@dataclass(frozen=True)
class SelectRequest(Request):
    """Keys of the request.

    Parameters
    ----------
    candidates, training : list of str
        Files of what to select from, and of what is known already (which may be nothing).
    potential : str or null
        File of the potential. Without one, ``species``, ``level`` and ``cutoff`` name the form of
        an untrained potential that tells environments apart; up to ``limit`` are selected then.
    species : list of str or null
        Order of the types, also for a potential file that names none.
    level, cutoff, min_distance : int, float, float or null
        Form of the untrained potential; ``min_distance`` is taken from the data if null.
    committee : list of str
        Files of at least two potentials. With them the candidates about which their forces disagree
        most are selected, ``threshold`` and ``entry`` (2 and 1.1 if null) are eV/A and required,
        and mode and method are not looked at.
    rule : str or null
        One of :data:`aiida_alpot.selection.rules.RULES`; ``maxvol`` if null, with a committee
        ``uncertainty`` above its thresholds.
    tail_k, tail_kind : float, str
        Where the tail of the rule ``tail`` begins, see :mod:`aiida_alpot.selection.graded`.
    mode, method, threshold, entry, limit
        See :func:`aiida_alpot.selection.select`. Default mode and method are those of MLIP-2.
    alike_within : float
        Largest difference of the fingerprints of configurations that teach the same, A, see
        :func:`aiida_alpot.selection.picking.pick_in_order`; for MAXVOL at most 0.005, and not
        looked at in the way of MLIP-2 (``parity``).
    costs : list of float or null
        What the label of each candidate costs, in any unit, in the order of the files; with it,
        or with ``cost_exponent``, those that gain most for their cost are selected.
    cost_exponent : float or null
        In place of ``costs``: the cost grows as the number of atoms to this power. Beside them it
        says what a chunk costs of the cost of its frame.
    carve : dict or null
        Keys of :class:`~aiida_alpot.jobs.carve_settings.CarveSettings`: frames with many atoms are
        not selected, but chunks about the atoms of them that the potential knows least.
    gate : dict
        Keys of :class:`~aiida_alpot.selection.gate.GateSettings`.
    quarantined : list of str
        Files of configurations whose labels failed for good.
    pending : list of str
        Files of configurations whose labels are on their way.
    frozen : list of str
        Files of test sets; what is like one of their configurations is not selected.
    test_fraction : float
        Fraction of the selected ones to hold out for tests.
    test_split : {"chain", "frame"}
        Whether whole chains are held out, or configurations one by one.
    gentle_tests : int
        How many of those that need no label to draw for a gentle test set; of those beyond the
        limit where the rule knows no end.
    seed, threads : int
        Seed of the split and of an untrained potential; threads of the linear algebra.
    """

    candidates: tuple[str, ...]
    training: tuple[str, ...] = ()
    potential: str | None = None
    committee: tuple[str, ...] = ()
    species: tuple[str, ...] | None = None
    level: int | None = None
    cutoff: float | None = None
    min_distance: float | None = None
    rule: Rule | None = None
    tail_k: float = TAIL_K
    tail_kind: Literal["rms", "variance"] = "rms"
    mode: str = "configuration"
    method: str = "parity"
    threshold: float | None = None
    entry: float | None = None
    limit: int | None = None
    alike_within: float = ALIKE_WITHIN
    costs: tuple[float, ...] | None = None
    cost_exponent: float | None = None
    carve: dict[str, Any] | None = None
    gate: dict[str, Any] = field(default_factory=dict)
    quarantined: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    test_fraction: float = 0.0
    test_split: Literal["chain", "frame"] = "chain"
    gentle_tests: int = 0
    seed: int = 0
    threads: int = 1
