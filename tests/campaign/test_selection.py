# SPDX-License-Identifier: MIT
"""Rules of selection and pools in a campaign file, and how they reach the jobs."""

import pytest

from aiida_alpot.campaign import load_campaign
from aiida_alpot.cli.dry_run import words_of_rule
from aiida_alpot.configurations import concatenate
from aiida_alpot.errors import AlpotError
from aiida_alpot.jobs.requests import parse_request
from aiida_alpot.jobs.select_request import SelectRequest
from aiida_alpot.selection import RULES

GRADES = "grades: {gamma_select: 2"
COMMITTEE = "fit: {committee: {members: 2}}\n"
TRAINING = """\
  training:
    - {crystal: fcc, a: 3.6, cubic: true, strain: 0.01, rattle: 0.03, copies: 2}
"""


@pytest.fixture
def pool(make_cells, tmp_path):
    """Eight nearly equal cells and two that are not."""
    strange = make_cells(2, seed=4, rattle=0.25, strain=0.1, repeats=(1,))
    pool = concatenate([make_cells(8, seed=3, rattle=0.02, repeats=(1,)), strange])
    pool.save(tmp_path / "pool.npz")
    return pool


def request_of(campaign, *, is_first=False):
    from aiida_alpot.workflows.selecting import select_request

    keys = select_request(campaign.as_settings(), turn=1, labels_left=9, is_first=is_first)
    return parse_request(SelectRequest, {"candidates": ["c.npz"], **keys})


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_reaches_the_job_under_its_name(write_campaign, rule):
    campaign = load_campaign(write_campaign((GRADES, f"grades: {{rule: {rule}, gamma_select: 2")))
    assert request_of(campaign).rule == rule


def test_the_tail_reaches_the_job_with_its_options(write_campaign):
    keys = "grades: {rule: tail, tail_k: 1, tail_kind: variance, gamma_select: 2"
    request = request_of(load_campaign(write_campaign((GRADES, keys))))
    assert (request.rule, request.tail_k, request.tail_kind) == ("tail", 1.0, "variance")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("rule: maxvol, ", "among frames above 1.1"),
        ("", "among frames above 1.1"),
        ("per_cost: true, ", "among frames above 1.1, by their gain for the cost"),
        ("rule: tail, ", "the tail of ln(grade), 1.5 rms or more above its median"),
        ("rule: tail, tail_k: 1, tail_kind: variance, ", "1 variance or more above its median"),
        ("rule: uncertainty, ", "the largest above 1.1"),
        ("rule: farthest_points, ", "those farthest from what is known"),
        ("rule: cur, ", "those of the largest leverage"),
        ("rule: random, ", "at random"),
    ],
)
def test_a_dry_run_says_what_a_rule_takes(write_campaign, keys, words):
    campaign = load_campaign(write_campaign((GRADES, f"grades: {{{keys}gamma_select: 2")))
    assert words_of_rule(campaign, 1.1).endswith(words)


def test_without_a_rule_requests_are_as_before(write_campaign):
    campaign = load_campaign(write_campaign())
    assert "rule" not in campaign.as_settings()["grades"]
    assert request_of(campaign).rule is None


def test_before_the_first_fit_no_rule_asks_for_grades(write_campaign):
    explorer = ("  structures:", "  calculator: {name: EMT, labels: 3}\n  structures:")
    first = {}
    for rule in ("tail", "uncertainty", "random"):
        chosen = (GRADES, f"grades: {{rule: {rule}, gamma_select: 2")
        campaign = load_campaign(write_campaign(explorer, chosen))
        first[rule] = request_of(campaign, is_first=True).rule
    assert first == {"tail": None, "uncertainty": None, "random": "random"}


@pytest.mark.parametrize(("rule", "asks"), [("tail", True), ("random", False), (None, True)])
def test_a_committee_is_asked_by_rules_that_go_by_grades(write_campaign, rule, asks):
    from aiida_alpot.workflows.selecting import asks_committee
    from aiida_alpot.workflows.settings import GradeSettings, read_section

    chosen = "" if rule is None else f"rule: {rule}, "
    grades = f"grades: {{{chosen}grader: committee}}"
    path = write_campaign(("grades: {gamma_select: 2, gamma_break: 10}", grades), added=COMMITTEE)
    settings = load_campaign(path).as_settings()
    assert asks_committee(read_section(settings, GradeSettings)) is asks


def test_the_first_labels_are_chosen_from_a_pool(write_campaign, pool):
    start = (TRAINING, "  pool: pool.npz\n  select: 3\n")
    campaign = load_campaign(write_campaign(start))
    assert campaign.training.identifier.tolist() == ["pool_000", "pool_001", "pool_002"]
    chosen = set(campaign.training.hashes())
    assert chosen < set(pool.hashes())
    assert chosen & set(pool.select([8, 9]).hashes())
    assert load_campaign(write_campaign(start)).training.to_bytes() == campaign.training.to_bytes()


def test_a_pool_stands_beside_other_structures(write_campaign, pool):
    both = TRAINING + "  pool: pool.npz\n  select: 2\n"
    campaign = load_campaign(write_campaign((TRAINING, both)))
    assert len(campaign.training) == 4
    assert campaign.training.identifier.tolist()[2:] == ["pool_000", "pool_001"]


@pytest.mark.parametrize(
    ("replacement", "words"),
    [
        ((GRADES, "grades: {rule: best, gamma_select: 2"), ["grades.rule", "best", "tail"]),
        ((GRADES, "grades: {tail_k: 1, gamma_select: 2"), ["grades.tail_k", "not tail"]),
        (
            (GRADES, "grades: {rule: cur, per_cost: true, gamma_select: 2"),
            ["grades.per_cost is true", "maxvol"],
        ),
        ((TRAINING, "  pool: pool.npz\n"), ["start.select", "together"]),
        ((TRAINING, "  select: 3\n"), ["start.pool", "together"]),
        ((TRAINING, "  pool: pool.npz\n  select: 11\n"), ["start.select is 11", "at most 10"]),
        ((TRAINING, "  pool: none.npz\n  select: 1\n"), ["start.pool", "none.npz"]),
    ],
)
@pytest.mark.usefixtures("pool")
def test_what_does_not_go_together_is_one_line(write_campaign, replacement, words):
    with pytest.raises(AlpotError) as raised:
        load_campaign(write_campaign(replacement))
    message = str(raised.value)
    assert "\n" not in message
    for word in words:
        assert word in message
