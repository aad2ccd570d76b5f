# SPDX-License-Identifier: MIT
"""Which steps to take so that all scalars together cost the fewest products.

Every scalar can be contracted in several ways, and ways that look dear alone are cheap where their
intermediate tensors serve many scalars. The search is a local one and deterministic: each scalar
takes the way that adds the fewest products to what is there; then each tensor is taken out and put
in again at the cheapest, until nothing changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiida_alpot.mtp.contraction_steps import Step, contraction_steps
from aiida_alpot.mtp.moment_graphs import MomentGraph


def plan_contractions(scalars: Sequence[MomentGraph]) -> dict[MomentGraph, Step]:
    """Choose a step for each scalar of two or more moments and for each tensor that it needs.

    Parameters
    ----------
    scalars : sequence of MomentGraph
        Canonical graphs without legs.

    Returns
    -------
    dict of MomentGraph to Step
        In an order in which the tensors of a step stand before it.
    """
    plan = _Plan(scalars)
    for scalar in scalars:
        plan.add(scalar)
    cost = None
    while cost != plan.cost:
        cost = plan.cost
        plan.improve()
    return plan.ordered_steps(scalars)


class _Plan:
    """Chosen steps, and for each tensor the tensors whose steps use it."""

    def __init__(self, scalars: Sequence[MomentGraph]) -> None:
        self.wanted = frozenset(scalars)
        self.steps: dict[MomentGraph, Step] = {}
        self.users: dict[MomentGraph, set[MomentGraph]] = {}
        self._cheapest: dict[MomentGraph, tuple[int, Step]] = {}

    @property
    def cost(self) -> int:
        """Number of products."""
        return sum(step.cost for step in self.steps.values())

    def add(self, graph: MomentGraph) -> None:
        """Choose the steps for a tensor that add the fewest products."""
        self._cheapest.clear()
        self._insert(graph)

    def remove(self, graph: MomentGraph) -> None:
        """Drop the step of a tensor and the intermediates that nothing else uses."""
        step = self.steps.pop(graph)
        for source in _sources(step):
            self.users[source].discard(graph)
            if source in self.steps and source not in self.wanted and not self.users[source]:
                self.remove(source)

    def improve(self) -> None:
        """Take each tensor out and put it in again at the cheapest."""
        for graph in list(self.steps):
            if graph in self.steps:
                self.remove(graph)
                self.add(graph)

    def ordered_steps(self, scalars: Sequence[MomentGraph]) -> dict[MomentGraph, Step]:
        """Return the steps in order of execution, each intermediate right before its first use."""
        ordered: dict[MomentGraph, Step] = {}

        def visit(graph: MomentGraph) -> None:
            if graph.n_nodes > 1 and graph not in ordered:
                step = self.steps[graph]
                visit(step.left)
                visit(step.right)
                ordered[graph] = step

        for scalar in scalars:
            visit(scalar)
        return ordered

    def _insert(self, graph: MomentGraph) -> None:
        if graph.n_nodes == 1 or graph in self.steps:
            return
        self._added_cost(graph)
        step = self._cheapest[graph][1]
        self.steps[graph] = step
        for source in _sources(step):
            self._insert(source)
            self.users.setdefault(source, set()).add(graph)

    def _added_cost(self, graph: MomentGraph) -> int:
        """Return the products that a tensor would add, its intermediates included."""
        if graph.n_nodes == 1 or graph in self.steps:
            return 0
        if graph not in self._cheapest:
            self._cheapest[graph] = min(
                (
                    (step.cost + sum(map(self._added_cost, _sources(step))), step)
                    for step in contraction_steps(graph)
                ),
                key=lambda choice: choice[0],
            )
        return self._cheapest[graph][0]


def _sources(step: Step) -> tuple[MomentGraph, ...]:
    return (step.left,) if step.left == step.right else (step.left, step.right)
