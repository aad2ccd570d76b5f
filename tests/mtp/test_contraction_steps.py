# SPDX-License-Identifier: MIT
from __future__ import annotations

import itertools

import numpy as np
import pytest

from aiida_alpot.mtp.contraction_schedule import plan_contractions
from aiida_alpot.mtp.contraction_steps import Step, contraction_steps, step_terms
from aiida_alpot.mtp.moment_graphs import MomentGraph, canonical, scalar_graphs
from aiida_alpot.mtp.tensor_components import components, monomials


def relabelled(graph: MomentGraph, nodes: tuple[int, ...], groups: tuple[int, ...]) -> MomentGraph:
    """Return the same tensor with its nodes and groups in another order."""
    pairs = list(itertools.combinations(range(graph.n_nodes), 2))
    edge = {frozenset(pair): count for pair, count in zip(pairs, graph.edges, strict=True)}
    return MomentGraph(
        tuple(graph.radial[i] for i in nodes),
        tuple(edge[frozenset((nodes[i], nodes[j]))] for i, j in pairs),
        tuple(tuple(graph.legs[group][i] for i in nodes) for group in groups),
    )


def random_tensors(seed: int) -> dict[MomentGraph, np.ndarray]:
    """Return a cache of component values, to be filled from moments drawn at random."""
    rng = np.random.default_rng(seed)
    directions = rng.normal(size=(6, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    radial = rng.normal(size=(6, 6))
    values = {}
    for mu, nu in itertools.product(range(6), range(10)):
        graph = MomentGraph((mu,), (), ((nu,),) if nu else ())
        exponents = np.array([(n & 15, n >> 4 & 15, n >> 8) for n in components(graph).tolist()])
        monomial = np.prod(directions[:, None, :] ** exponents[None], axis=2)
        values[graph] = radial[mu] @ monomial
    return values


def component_values(
    graph: MomentGraph, step: Step, known: dict[MomentGraph, np.ndarray]
) -> np.ndarray:
    """Carry out a step; the tensors that it needs are computed by their first step."""
    for source in (step.left, step.right):
        if source not in known:
            known[source] = component_values(source, contraction_steps(source)[0], known)
    terms = step_terms(graph, step)
    products = terms.multiplicity * known[step.left][terms.left] * known[step.right][terms.right]
    values = np.zeros(len(components(graph)))
    np.add.at(values, terms.target, products)
    return values


GRAPHS = [
    MomentGraph((0, 0, 1), (1, 2, 1)),
    MomentGraph((0, 0, 0, 0), (1, 1, 1, 1, 1, 1)),
    MomentGraph((0, 0, 0, 1), (0, 2, 1, 1, 0, 3)),
    MomentGraph((0, 0), (1,), ((2, 1),)),
    MomentGraph((0, 1), (2,), ((1, 1), (0, 2))),
    MomentGraph((0, 0, 0), (1, 0, 2), ((1, 1, 2),)),
]


@pytest.mark.parametrize("graph", GRAPHS)
def test_a_tensor_has_one_canonical_form_whatever_its_numbering(graph):
    forms = {
        canonical(relabelled(graph, nodes, groups)).graph
        for nodes in itertools.permutations(range(graph.n_nodes))
        for groups in itertools.permutations(range(len(graph.legs)))
    }
    assert forms == {canonical(graph).graph}


@pytest.mark.parametrize("level", [16, 20])
def test_all_ways_to_contract_a_scalar_agree(level):
    known = random_tensors(seed=level)
    for graph in scalar_graphs(level):
        if graph.n_nodes > 1:
            values = [component_values(graph, step, known) for step in contraction_steps(graph)]
            np.testing.assert_allclose(values, np.full_like(values, values[0]), rtol=1e-9)


def test_all_ways_to_contract_an_intermediate_tensor_agree():
    known = random_tensors(seed=1)
    tensors = {
        source
        for scalar in scalar_graphs(20)
        if scalar.n_nodes == 4
        for step in contraction_steps(scalar)
        for source in (step.left, step.right)
        if source.n_nodes == 3 and source.legs
    }
    assert any(len(contraction_steps(tensor)) > 3 for tensor in tensors)
    for tensor in tensors:
        values = [component_values(tensor, step, known) for step in contraction_steps(tensor)]
        np.testing.assert_allclose(values, np.tile(values[0], (len(values), 1)), rtol=1e-9)


def test_a_step_counts_its_products():
    for graph in scalar_graphs(14):
        if graph.n_nodes > 1:
            for step in contraction_steps(graph):
                terms = step_terms(graph, step)
                products = set(zip(terms.target, terms.left, terms.right, strict=True))
                assert step.cost == len(products) == len(terms.multiplicity)


def test_multinomial_weights_of_a_rank_sum_to_a_power_of_three():
    for rank in range(11):
        names, weights = monomials(rank)
        assert weights.sum() == 3**rank
        assert len(set(names.tolist())) == (rank + 1) * (rank + 2) // 2


def test_a_plan_holds_what_it_needs_before_it_is_needed():
    scalars = scalar_graphs(18)
    plan = plan_contractions(scalars)
    seen: set[MomentGraph] = set()
    for graph, step in plan.items():
        assert all(source.n_nodes == 1 or source in seen for source in (step.left, step.right))
        seen.add(graph)
    assert {scalar for scalar in scalars if scalar.n_nodes > 1} <= seen


def test_a_plan_costs_less_than_each_scalar_at_its_own_cheapest():
    scalars = [scalar for scalar in scalar_graphs(18) if scalar.n_nodes > 1]
    greedy: dict[MomentGraph, int] = {}

    def visit(graph: MomentGraph) -> None:
        if graph.n_nodes > 1 and graph not in greedy:
            cheapest = contraction_steps(graph)[0]
            greedy[graph] = cheapest.cost
            visit(cheapest.left)
            visit(cheapest.right)

    for scalar in scalars:
        visit(scalar)
    assert sum(step.cost for step in plan_contractions(scalars).values()) < sum(greedy.values())
