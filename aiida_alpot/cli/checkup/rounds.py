# SPDX-License-Identifier: MIT
"""The checks in their order: what later ones need comes first."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from aiida_alpot.cli.checkup.codes import check_labels, check_program
from aiida_alpot.cli.checkup.computers import check_computer
from aiida_alpot.cli.checkup.daemon import check_daemon, check_slots
from aiida_alpot.cli.checkup.finding import Finding
from aiida_alpot.cli.checkup.kernels import check_kernels_here, check_kernels_there
from aiida_alpot.cli.checkup.plan import CodeUse, Plan, Potcars, kind_of
from aiida_alpot.cli.checkup.potcars import check_potcars
from aiida_alpot.cli.checkup.profile import check_broker, check_profile, check_storage
from aiida_alpot.errors import ServiceError

if TYPE_CHECKING:
    from aiida.manage.configuration.profile import Profile

Codes = list[tuple[Any, CodeUse]]


def check_up(
    profile_name: str | None,
    make_plan: Callable[[], Plan],
    *,
    potcars: Potcars | None = None,
    jobs: bool = True,
    timeout: float = 600,
) -> Iterator[Finding]:
    """Yield the findings; what depends on a failed one is left out.

    Profile, storage, broker, daemon, computers, programs, labels, POTCAR files, kernels.

    Parameters
    ----------
    profile_name : str, optional
        As :func:`aiida_alpot.cli.profile.open_profile`.
    make_plan : callable
        Gives what there is to check, once the profile is open.
    potcars : Potcars, optional
        POTCAR files to look for, beside those of the plan.
    jobs : bool
        Whether small real jobs are run.
    timeout : float
        Seconds to wait for each.
    """
    found, profile = check_profile(profile_name)
    yield found
    if profile is None:
        yield check_kernels_here()
        return
    storage = check_storage(profile)
    yield storage
    broker = check_broker(profile)
    yield broker
    daemon = check_daemon(profile)
    yield daemon
    if storage.passed:
        served = profile if broker.passed and daemon.passed else None
        yield from _check_plan(make_plan, potcars, jobs=jobs, served=served, timeout=timeout)
    yield check_kernels_here()


def _check_plan(
    make_plan: Callable[[], Plan],
    potcars: Potcars | None,
    *,
    jobs: bool,
    served: Profile | None,
    timeout: float,
) -> Iterator[Finding]:
    """Check a plan; processes run where there is a profile that a daemon serves."""
    try:
        plan = make_plan()
    except ServiceError as error:
        yield Finding("codes", False, str(error), "alpot init")
        return
    codes = yield from _check_codes(plan, jobs=jobs, timeout=timeout)
    if served is not None:
        if plan.campaign is not None:
            yield check_slots(served, plan.most_processes)
        if jobs:
            yield from _check_labels(plan, codes, timeout=timeout)
    for wanted in (plan.potcars, potcars):
        if wanted is not None:
            yield check_potcars(wanted)
    if jobs:
        yield from _check_nodes(codes, timeout=timeout)


def _check_codes(plan: Plan, *, jobs: bool, timeout: float) -> Generator[Finding, None, Codes]:
    """Look for the codes, their computers and programs; return the codes that can be used."""
    there = yield from _find_codes(plan)
    reached: set[str] = set()
    for label, (computer, use) in _computers(there).items():
        finding = check_computer(computer, use.options, run_job=jobs, timeout=timeout)
        yield finding
        if finding.passed:
            reached.add(label)
    usable = []
    for code, use in there:
        if code.computer.label in reached:
            finding = check_program(code)
            yield finding
            if finding.passed:
                usable.append((code, use))
    return usable


def _find_codes(plan: Plan) -> Generator[Finding, None, Codes]:
    from aiida_alpot.cli.profile import find_code

    there = []
    for use in plan.codes:
        try:
            there.append((find_code(use.label), use))
        except ServiceError as error:
            remedy = "alpot init, or verdi code create core.code.installed"
            yield Finding(f"code {use.label}", False, str(error), remedy)
    return there


def _computers(codes: Codes) -> dict[str, tuple[Any, CodeUse]]:
    """Return each computer with the first use that is made of it."""
    found: dict[str, tuple[Any, CodeUse]] = {}
    for code, use in codes:
        found.setdefault(code.computer.label, (code.computer, use))
    return found


def _check_labels(plan: Plan, codes: Codes, *, timeout: float) -> Iterator[Finding]:
    from aiida_alpot.cli.checkup.labeller import check_labeller

    for code, use in codes:
        if plan.campaign is None or kind_of(code) == "alpot":
            yield check_labels(code, use.options, timeout=timeout)
    if plan.campaign is not None and len(codes) == len(plan.codes):
        yield check_labeller(plan.campaign, timeout=timeout)


def _check_nodes(codes: Codes, *, timeout: float) -> Iterator[Finding]:
    """Look at the kernels on the nodes of each computer that is not this one."""
    for code, use in codes:
        if kind_of(code) == "alpot" and code.computer.scheduler_type != "core.direct":
            yield check_kernels_there(code, use.options, timeout=timeout)
