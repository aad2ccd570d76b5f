# SPDX-License-Identifier: MIT
"""``alpot select`` with ``carve``: of frames that are too large chunks are labelled."""

from __future__ import annotations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.cluster import Octahedron

from aiida_alpot.carving import carve_chunk, central_atom, frame_of_chunk, is_carved
from aiida_alpot.configurations import Configurations, Origin, concatenate
from aiida_alpot.errors import SettingError
from aiida_alpot.grading.active_set import build_active_set
from aiida_alpot.grading.committee import CommitteeGrader
from aiida_alpot.grading.grader import ExtrapolationGrader
from aiida_alpot.mtp.mlip_files import write_potential

MOST = 60
CARVE = {"above_atoms": MOST, "radius": 6.0, "vacuum": 5.0, "smallest_radius": 4.5}
GRADES = {"mode": "neighborhood", "method": "projected", "threshold": 2.0, "entry": 1.1}


def frames_of(structures, *, chain, sampler="nvt"):
    """Return structures as the frames of one chain."""
    steps = [10 * (place + 1) for place in range(len(structures))]
    return Configurations.from_atoms(
        structures,
        identifiers=[f"turn_001/{sampler}/{chain}/{step:06d}" for step in steps],
        origins=[Origin(1, sampler, chain, step, 20.0 + step) for step in steps],
    )


def rattled(atoms, amount, seed):
    copy = atoms.copy()
    copy.rattle(amount, seed=seed)
    return copy


@pytest.fixture(scope="module")
def potential(make_potential):
    return make_potential(6, cutoff=4.5)


@pytest.fixture(scope="module")
def training(make_cells):
    return make_cells(4, seed=1, repeats=(1, 2))


@pytest.fixture(scope="module")
def particles():
    """Four frames of a cluster of 116 atoms."""
    cluster = Atoms(Octahedron("Cu", 6, cutoff=2))
    assert len(cluster) > MOST
    return frames_of([rattled(cluster, 0.1, seed) for seed in range(4)], chain="particle")


@pytest.fixture(scope="module")
def cells():
    """Three frames of a cell that can be labelled, more distorted than the training set."""
    cell = bulk("Cu", a=3.6, cubic=True).repeat(2)
    return frames_of([rattled(cell, 0.15, seed) for seed in range(3)], chain="bulk")


@pytest.fixture(scope="module")
def members(make_potential):
    return [make_potential(6, cutoff=4.5, seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def graders(potential, members, training):
    """What grades atoms, by the grader of a campaign."""
    active_set = build_active_set(potential, training)
    return {
        "extrapolation": ExtrapolationGrader(potential, active_set),
        "committee": CommitteeGrader(members),
    }


@pytest.fixture
def folder(tmp_path, graders, training, particles, cells):
    write_potential(graders["extrapolation"].potential, tmp_path / "potential.mtp")
    for seed, member in zip((1, 2), graders["committee"].potentials, strict=True):
        write_potential(member, tmp_path / f"member_{seed}.mtp")
    training.save(tmp_path / "training.npz")
    concatenate([cells, particles]).save(tmp_path / "candidates.npz")
    return tmp_path


@pytest.fixture
def ask(folder, run_job):
    def ask(**keys):
        request = {
            "candidates": ["candidates.npz"],
            "potential": "potential.mtp",
            "training": ["training.npz"],
            "gate": {"max_force": None},  # forces of random potentials are beyond any cap
            "carve": CARVE,
            **GRADES,
        }
        result = run_job(folder, job="select", **{**request, **keys})
        return result, Configurations.load(folder / "selected.npz")

    return ask


COMMITTEE = {"committee": ["member_1.mtp", "member_2.mtp"], "threshold": 0.01, "entry": 0.005}


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"method": "parity"},
        COMMITTEE,
        *({"rule": rule, "limit": 9} for rule in ("uncertainty", "random")),
        {"rule": "tail", "tail_k": 0.0},
        *({"rule": rule, "limit": 9} for rule in ("farthest_points", "cur")),
    ],
)
def test_nothing_larger_than_allowed_is_ever_selected(ask, keys):
    result, selected = ask(**keys)
    assert len(selected) == result["n_selected"] > 0, result
    assert selected.n_atoms.max() <= MOST
    assert result["n_carved_frames"] == 4
    assert result["n_frames"] == 7
    large = [one for one in result["candidates"] if one["identifier"].endswith("particle/000010")]
    assert all(one["verdict"] not in ("selected", "held_out") for one in large)


def test_without_the_section_frames_are_labelled_whole_as_before(ask):
    result, selected = ask(carve=None)
    assert selected.n_atoms.max() == 116
    assert not is_carved(selected).any()
    assert "n_chunks" not in result


@pytest.mark.parametrize(("grader", "keys"), [("extrapolation", {}), ("committee", COMMITTEE)])
def test_the_centre_of_a_chunk_is_the_atom_of_its_frame_that_is_known_least(
    ask, grader, keys, graders, particles
):
    _, selected = ask(**keys, rule="uncertainty", limit=50)
    per_atom = graders[grader].grade(particles).per_atom
    names = particles.identifier.tolist()
    chunks = selected.select(is_carved(selected))
    assert len(chunks) >= 3
    for place, name in enumerate(chunks.identifier.tolist()):
        frame = names.index(frame_of_chunk(name))
        atom = central_atom(name)
        assert atom == int(np.argmax(per_atom[particles.atoms_slice(frame)]))
        found = chunks.atoms(place)
        expected = carve_chunk(particles.atoms(frame), atom, radius=6.0).atoms
        vectors = (expected.positions - expected.positions[0])[: len(found)]
        np.testing.assert_allclose(found.positions - found.positions[0], vectors, atol=1e-9)
        assert found.arrays["force_mask"].tolist() == [True] + [False] * (len(found) - 1)


def test_a_chunk_keeps_the_origin_of_its_frame(ask, particles):
    _, selected = ask()
    chunks = selected.select(is_carved(selected))
    names = particles.identifier.tolist()
    assert len(chunks)
    for place, name in enumerate(chunks.identifier.tolist()):
        frame = particles.origin(names.index(frame_of_chunk(name)))
        assert chunks.origin(place) == frame._replace(sampler="nvt/carve")


def test_each_chunk_has_a_verdict_and_the_grade_of_its_atom(ask, graders, particles):
    result, selected = ask(carve={**CARVE, "per_structure": 3})
    listed = {one["identifier"]: one for one in result["candidates"]}
    assert sum(result["verdicts"].values()) == len(listed) == result["n_candidates"]
    chosen = {name for name, one in listed.items() if one["verdict"] == "selected"}
    assert chosen == set(selected.identifier.tolist())
    per_atom = graders["extrapolation"].grade(particles).per_atom
    chunks = [name for name in listed if central_atom(name) is not None]
    assert result["n_chunks"] == len(chunks) <= 12
    for name in chunks:
        frame = particles.identifier.tolist().index(frame_of_chunk(name))
        of_frame = per_atom[particles.atoms_slice(frame)]
        assert listed[name]["grade"] == pytest.approx(of_frame[central_atom(name)])
        assert (of_frame > of_frame[central_atom(name)]).sum() < 3


def test_a_frame_gives_as_many_chunks_as_are_asked_for(ask):
    for count in (1, 3):
        result, _ = ask(carve={**CARVE, "per_structure": count})
        assert result["n_chunks"] == 4 * count


def test_the_cap_counts_chunks(ask):
    result, selected = ask(limit=2, carve={**CARVE, "per_structure": 3}, rule="uncertainty")
    assert len(selected) == 2
    assert result["verdicts"]["over_limit"] > 2


def test_of_chunks_that_are_alike_one_is_left(folder, ask, cells):
    perfect = Atoms(Octahedron("Cu", 6, cutoff=2))
    frames_of([perfect, rattled(perfect, 0.0005, 0)], chain="particle").save(
        folder / "candidates.npz"
    )
    result, selected = ask(carve={**CARVE, "per_structure": 3})
    assert result["verdicts"]["alike"] >= 1
    assert len(selected) < result["n_chunks"]


def test_a_chunk_that_is_known_is_not_labelled_again(folder, ask, training):
    carve = {**CARVE, "per_structure": 1}
    _, first = ask(carve=carve)
    chunks = first.select(is_carved(first))
    concatenate([training, chunks]).save(folder / "training.npz")
    result, second = ask(carve=carve)
    assert not set(chunks.hashes()) & set(second.hashes())
    again = set(chunks.identifier.tolist())
    listed = {one["identifier"]: one["verdict"] for one in result["candidates"]}
    assert {listed[name] for name in again if name in listed} <= {"alike"}


def test_the_gate_judges_the_chunk_and_not_its_frame(ask):
    result, selected = ask(gate={"max_force": None, "max_atoms": MOST})
    assert "size" not in result["verdicts"]
    assert is_carved(selected).any()
    result, selected = ask(gate={"max_force": None, "max_atoms": 15})
    assert result["verdicts"]["size"] >= 4
    assert not is_carved(selected).any()
    refused = [one["reason"] for one in result["refused"] if one["rule"] == "size"]
    assert all("at most 15" in reason for reason in refused)


def test_forces_at_the_rim_of_a_chunk_refuse_nothing(ask, potential, particles):
    """Only the force that is trained on must be small enough."""
    from aiida_alpot.mtp.evaluate import evaluate

    _, selected = ask(rule="uncertainty", limit=50)
    chunks = selected.select(is_carved(selected))
    lengths = np.linalg.norm(evaluate(potential, chunks).forces, axis=1)
    central = lengths[chunks.force_mask].max()
    assert lengths.max() > central
    _, passed = ask(rule="uncertainty", limit=50, gate={"max_force": 1.001 * central})
    assert set(chunks.identifier.tolist()) <= set(passed.identifier.tolist())
    _, refused = ask(rule="uncertainty", limit=50, gate={"max_force": 0.999 * central})
    assert not set(chunks.identifier.tolist()) <= set(refused.identifier.tolist())


def test_held_out_frames_are_chunks_too(folder, ask, particles):
    more = [rattled(particles.atoms(0), 0.1, seed) for seed in range(10, 14)]
    both = [particles, frames_of(more, chain="other")]
    concatenate(both).save(folder / "candidates.npz")
    result, _ = ask(test_fraction=0.5, rule="uncertainty", limit=50)
    held_out = Configurations.load(folder / "test.npz")
    assert result["n_held_out"] == len(held_out) > 0
    assert is_carved(held_out).all()
    assert len(set(held_out.chain.tolist())) == 1


def test_a_start_that_extrapolates_is_trained_on_with_all_that_is_held_out_of_its_chain(
    folder, ask, particles
):
    more = frames_of([rattled(particles.atoms(0), 0.1, seed) for seed in (10, 11)], chain="other")
    first = concatenate([particles.select([0, 1]), more]).replace(step=np.array([0, 10, 0, 10]))
    first.save(folder / "candidates.npz")
    _, selected = ask(test_fraction=0.5, rule="uncertainty", limit=50)
    held_out = Configurations.load(folder / "test.npz")
    assert (held_out.step == 10).all()
    assert (selected.step == 0).sum() == 2
    assert len(held_out) == 1


def test_before_the_first_fit_large_frames_are_left_out_and_it_is_said_why(ask):
    keys = {"potential": None, "training": [], "species": ["Cu"], "level": 6, "cutoff": 4.5}
    result, selected = ask(**keys, limit=5, mode="configuration", threshold=1.0, entry=1.0)
    assert 0 < selected.n_atoms.max() <= MOST
    assert result["verdicts"]["size"] == 4
    assert all("before the first fit" in one["reason"] for one in result["refused"])


def test_a_frame_whose_atoms_are_all_known_gives_no_chunk(folder, ask, training):
    crystal = training.atoms(1).repeat(2)
    frames_of([crystal], chain="large").save(folder / "candidates.npz")
    result, selected = ask()
    assert len(selected) == 0
    assert result["verdicts"] == {"not_needed": 1}
    assert "none of its 256 atoms" in result["candidates"][0]["detail"]


def test_frames_that_are_no_structures_are_refused_before_anything_is_carved(
    folder, ask, particles
):
    positions = particles.positions.copy()
    positions[3] = np.nan
    positions[86] = positions[85]  # two atoms of the second frame in one place
    particles.replace(positions=positions).save(folder / "candidates.npz")
    result, selected = ask()
    assert result["verdicts"]["finite"] == 1
    named = {one["identifier"]: one["rule"] for one in result["refused"]}
    assert named["turn_001/nvt/particle/000010"] == "finite"
    assert is_carved(selected).all()


def test_a_chunk_that_cannot_be_small_enough_is_refused_with_its_reason(ask):
    result, selected = ask(carve={**CARVE, "above_atoms": 15, "smallest_radius": 5.9})
    assert not is_carved(selected).any()
    listed = [one for one in result["refused"] if "/particle/" in one["identifier"]]
    reasons = [one["reason"] for one in listed if one["rule"] == "size"]
    assert len(reasons) == 4
    assert all("more than 15 atoms" in reason for reason in reasons)


def test_chunks_are_cheaper_than_their_frames(ask):
    costs = [1.0] * 3 + [85.0**2] * 4
    _, dear = ask(costs=costs, cost_exponent=2.0)
    assert dear.n_atoms.max() <= MOST
    result, _ = ask(costs=[1.0] * 7)
    assert result["n_selected"] > 0


@pytest.mark.parametrize(
    ("keys", "error", "message"),
    [
        ({"mode": "configuration"}, SettingError, "neighborhood"),
        ({"carve": {**CARVE, "above_atoms": 0}}, SettingError, "above_atoms"),
        ({"carve": {**CARVE, "radius": -1.0}}, SettingError, "radius"),
        ({"carve": {**CARVE, "kind": "cube"}}, SettingError, "kind"),
        ({"carve": {**CARVE, "colour": 1}}, SettingError, "colour"),
    ],
)
def test_what_cannot_be_carved_ends_in_one_line(ask, keys, error, message):
    with pytest.raises(error, match=message):
        ask(**keys)


def test_periodic_frames_give_smaller_periodic_cells(folder, ask):
    cell = bulk("Cu", a=3.6, cubic=True).repeat(5)
    del cell[100]
    frames_of([rattled(cell, 0.08, seed) for seed in range(2)], chain="vacancy").save(
        folder / "candidates.npz"
    )
    carve = {**CARVE, "above_atoms": 280, "radius": 5.0, "kind": "periodic"}
    result, selected = ask(carve=carve)
    assert len(selected), result
    assert is_carved(selected).all()
    assert selected.pbc.all()
    assert selected.n_atoms.max() <= 280
