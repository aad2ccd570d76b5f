# SPDX-License-Identifier: MIT
"""Which steps to take so that all scalars together cost the fewest products.

Every scalar can be contracted in several ways, and ways that look dear alone are cheap where their
intermediate tensors serve many scalars. Choosing is an integer linear programme: a variable y_gs in
{0, 1} for each step s of each tensor g, the cost of a step as its coefficient, and

- sum_s y_gs >= 1 for each scalar g;
- sum_s y_hs >= sum_(s uses h) y_gs for each tensor g and each intermediate h that it may use.

It is solved to the optimum by scipy's HiGHS, so the products are the fewest that the steps of
:mod:`aiida_alpot.mtp.contraction_steps` can do with; at the highest level to within 0.2 % of it, in
a quarter of the time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from aiida_alpot.mtp.contraction_steps import Step, contraction_steps
from aiida_alpot.mtp.moment_graphs import MomentGraph
from aiida_alpot.mtp.tensor_components import components

Steps = Mapping[MomentGraph, Sequence[Step]]
_Row = tuple[list[int], list[int], int]  # sum of the first variables - of the second >= bound

_PRODUCT_COST = 8
_LARGE_PROGRAMME = 30_000  # variables; level 26 has 21,000, level 28 has 40,000
_GAP_OF_LARGE = 0.002
_MOMENT_COST = 1  # a moment costs no arithmetic but a place in cache: decides between equals


def plan_contractions(scalars: Sequence[MomentGraph]) -> dict[MomentGraph, Step]:
    """Choose a step for each scalar of two or more moments and for each tensor that it needs.

    Parameters
    ----------
    scalars : sequence of MomentGraph
        Canonical graphs without legs.

    Returns
    -------
    dict of MomentGraph to Step
        In order of execution, each intermediate right before its first use.
    """
    candidates = _candidate_steps(scalars)
    chosen = _choose_steps(candidates, scalars) if candidates else {}
    ordered: dict[MomentGraph, Step] = {}

    def visit(graph: MomentGraph) -> None:
        if graph.n_nodes > 1 and graph not in ordered:
            for source in _intermediates(chosen[graph]):
                visit(source)
            ordered[graph] = chosen[graph]

    for scalar in scalars:
        visit(scalar)
    return ordered


def _candidate_steps(scalars: Sequence[MomentGraph]) -> Steps:
    """Return the steps worth considering of all tensors that can occur.

    A step that alone costs as much as the cheapest way with intermediates for itself is not.
    """
    alone: dict[MomentGraph, int] = {}
    worthwhile: dict[MomentGraph, Sequence[Step]] = {}

    def cost_alone(graph: MomentGraph) -> int:
        if graph.n_nodes == 1:
            return 0
        if graph not in alone:
            costs = [
                step.cost + sum(map(cost_alone, _intermediates(step)))
                for step in contraction_steps(graph)
            ]
            alone[graph] = min(costs)
        return alone[graph]

    def visit(graph: MomentGraph) -> None:
        if graph in worthwhile:
            return
        limit = cost_alone(graph)
        worthwhile[graph] = [
            step
            for step in contraction_steps(graph)
            if step.cost < limit or not _intermediates(step)
        ]
        for step in worthwhile[graph]:
            for source in _intermediates(step):
                visit(source)

    for scalar in scalars:
        if scalar.n_nodes > 1:
            visit(scalar)
    return worthwhile


def _choose_steps(steps: Steps, scalars: Sequence[MomentGraph]) -> dict[MomentGraph, Step]:
    """Solve the integer programme."""
    variables = [(graph, step) for graph, choices in steps.items() for step in choices]
    of_graph: dict[MomentGraph, list[int]] = defaultdict(list)
    for variable, (graph, _) in enumerate(variables):
        of_graph[graph].append(variable)
    costs = [
        _PRODUCT_COST * step.cost + _MOMENT_COST * len(components(graph))
        for graph, step in variables
    ]
    wanted = frozenset(scalars)
    rows: list[_Row] = [(of_graph[graph], [], 1) for graph in of_graph if graph in wanted]
    for graph, choices in steps.items():
        users: dict[MomentGraph, list[int]] = defaultdict(list)
        for variable, step in zip(of_graph[graph], choices, strict=True):
            for source in _intermediates(step):
                if source not in wanted:
                    users[source].append(variable)
        rows += [(of_graph[source], used_by, 0) for source, used_by in users.items()]
    solution = _solve(costs, rows)
    return {graph: step for (graph, step), y in zip(variables, solution, strict=True) if y > 0.5}


def _solve(costs: Sequence[int], rows: Sequence[_Row]) -> np.ndarray:
    """Return the variables in {0, 1} of least cost that satisfy the rows."""
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    row_of, column_of, entries = [], [], []
    for row, (positive, negative, _) in enumerate(rows):
        row_of += [row] * (len(positive) + len(negative))
        column_of += positive + negative
        entries += [1.0] * len(positive) + [-1.0] * len(negative)
    matrix = csr_array((entries, (row_of, column_of)), shape=(len(rows), len(costs)))
    result = milp(
        np.array(costs, dtype=float),
        constraints=LinearConstraint(matrix, [bound for *_, bound in rows], np.inf),
        integrality=np.ones(len(costs), dtype=np.int64),
        bounds=Bounds(0, 1),
        options={"mip_rel_gap": _GAP_OF_LARGE if len(costs) > _LARGE_PROGRAMME else 0.0},
    )
    assert result.success, result.message
    return np.asarray(result.x)


def _intermediates(step: Step) -> tuple[MomentGraph, ...]:
    """Return the sources of a step that are not moments themselves."""
    return tuple(dict.fromkeys(x for x in (step.left, step.right) if x.n_nodes > 1))
