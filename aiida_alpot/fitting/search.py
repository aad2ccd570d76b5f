# SPDX-License-Identifier: MIT
"""The two ways to search for the coefficients of a potential, and which one a fit takes."""

from __future__ import annotations

from collections.abc import Callable

from aiida_alpot.errors import SettingError
from aiida_alpot.fitting.journal import Journal
from aiida_alpot.fitting.linear import solve_linear
from aiida_alpot.fitting.loss import Targets
from aiida_alpot.fitting.matrix_free import search_matrix_free
from aiida_alpot.fitting.nonlinear import Place, SearchState, search_radial
from aiida_alpot.mtp.jacobian import Environment
from aiida_alpot.mtp.potential import MomentTensorPotential

PROJECTION = "projection"
MATRIX_FREE = "matrix-free"
MATRIX_BYTES = 2**33
"""Largest memory of the matrices of normal equations, above which a fit does without them."""


def choose_method(method: str | None, n_parameters: int, threads: int) -> str:
    """Return the method that was asked for, or the one that fits the memory.

    Raises
    ------
    SettingError
        If the method is not known.
    """
    if method is None:
        # each thread has a matrix, some wait to be added, and some hold sum, factor and response
        needed = 8 * n_parameters**2 * (2 * threads + 5)
        return PROJECTION if needed <= MATRIX_BYTES else MATRIX_FREE
    if method not in (PROJECTION, MATRIX_FREE):
        raise SettingError(
            f"The method of the fit is '{method}'; give '{PROJECTION}' or '{MATRIX_FREE}'."
        )
    return method


def search(
    method: str,
    potential: MomentTensorPotential,
    environment: Environment,
    targets: Targets,
    *,
    max_iterations: int,
    tolerance: float,
    report: Callable[[SearchState], None],
    journal: Journal | None = None,
    threads: int = 1,
) -> bool:
    """Search from a potential, trained or not, by the method; return whether it converged.

    Parameters are those of :func:`~aiida_alpot.fitting.nonlinear.search_radial` and
    :func:`~aiida_alpot.fitting.matrix_free.search_matrix_free`. A search that the journal knows to
    be through is not made again, and one that it knows goes on.
    """
    log = None if journal is None else journal.open_next(potential)
    if log is not None and log.outcome is not None:
        return log.tell_again(report)
    start = None if log is None else log.place
    function = search_matrix_free if method == MATRIX_FREE else search_radial
    if start is None:
        if method == PROJECTION:
            potential = solve_linear(
                potential, environment, targets, refinements=1, threads=threads
            )
        start = Place(potential)
    converged = function(
        start,
        environment,
        targets,
        max_iterations=max_iterations,
        tolerance=tolerance,
        report=report if log is None else log.listen(report),
        keeper=log,
        threads=threads,
    )
    if log is not None:
        log.close(converged)
    return converged
