# SPDX-License-Identifier: MIT
"""A chain that its grade stopped can go on from the last frame that its grade vouched for."""

import numpy as np
import pytest

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import GeometryError, SettingError
from aiida_alpot.sampling import SAMPLERS, RecordRules, StopRules, make_sampler, run_sampler
from aiida_alpot.sampling.restarting import Restart, can_go_on, read_restarts

KNOWN, BREAK, EVERY = 3.0, 4.0, 5
DYNAMICS = {"temperature_K": [600, 1200], "steps": 200}
KINDS = {
    "molecular_dynamics": DYNAMICS,
    "metadynamics": {"temperature_K": 900, "steps": 200, "variables": ["distance 0 1"]},
    "contour_exploration": {
        "energy_above_start_eV_per_atom": [0.02, 0.2],
        "steps": 200,
        "max_step_A": 0.3,
    },
}


def explore(start, calculator, kind="molecular_dynamics", *, seed=0, settings=None, **keys):
    return run_sampler(
        make_sampler(kind, KINDS[kind] if settings is None else settings),
        [start],
        calculator,
        rng=np.random.default_rng(seed),
        stop_rules=StopRules(gamma_break=keys.pop("gamma_break", BREAK)),
        record_rules=RecordRules(gamma_select=2.0, every=EVERY),
        **keys,
    )


def restart_of(result):
    [atoms] = result.restarts
    return {"copper": Restart(atoms, int(result.restarts.step[0]))}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_it_is_the_last_frame_at_the_interval_whose_grade_is_known(copper, graded, kind):
    seen = []

    def observe(frame):
        seen.append((frame.step, frame.grade, frame.atoms.positions.copy()))

    result = explore(copper, graded, kind, known=KNOWN, observe=observe, turn=4)
    [chain] = result.chains
    assert chain.stop == "gamma_break"
    due = [one for one in seen if one[0] % EVERY == 0 and one[1] <= KNOWN]
    step, grade, positions = due[-1]
    assert 0 < step < chain.steps
    [found] = result.restarts
    np.testing.assert_array_equal(found.positions, positions)
    origin = result.restarts.origin(0)
    assert (origin.turn, origin.chain, origin.step, origin.grade) == (4, "copper", step, grade)


def test_the_same_seed_gives_the_same_bits(copper, graded):
    one, same, other = (
        explore(copper, graded, known=KNOWN, seed=seed).restarts.to_bytes() for seed in (0, 0, 1)
    )
    assert one == same != other


def test_remembering_changes_nothing_else(copper, graded):
    with_it = explore(copper, graded, known=KNOWN)
    without = explore(copper, graded)
    assert with_it.frames.to_bytes() == without.frames.to_bytes()
    assert len(without.restarts) == 0


def test_chains_that_end_by_themselves_or_fall_begin_again(copper, graded):
    whole = explore(copper, graded, known=KNOWN, gamma_break=1e3)
    assert whole.chains[0].completed
    assert len(whole.restarts) == 0
    fallen = run_sampler(
        make_sampler("molecular_dynamics", DYNAMICS),
        [copper],
        graded,
        rng=np.random.default_rng(0),
        stop_rules=StopRules(collision_distance=2.3),
        record_rules=RecordRules(every=1),
        known=KNOWN,
    )
    assert fallen.chains[0].stop == "collision"
    assert len(fallen.restarts) == 0


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_chain_goes_on_to_its_last_step_from_there(copper, graded, kind):
    restart = restart_of(explore(copper, graded, kind, known=KNOWN))
    seen = []
    result = explore(
        copper,
        graded,
        kind,
        restarts=restart,
        gamma_break=1e3,
        observe=lambda frame: seen.append((frame.step, frame.atoms.positions.copy())),
    )
    [chain] = result.chains
    first = restart["copper"].step
    assert (chain.first_step, chain.steps, chain.stop) == (first, 200, "finished")
    assert chain.frames == 200 - first + 1
    np.testing.assert_array_equal(seen[0][1], restart["copper"].atoms.positions)
    assert set(result.frames.chain) == {"copper"}
    assert result.frames.step.min() >= first


def test_a_start_that_extrapolates_at_once_leaves_nothing_to_go_on_from(copper, graded):
    restart = restart_of(explore(copper, graded, known=KNOWN))
    result = explore(copper, graded, restarts=restart, known=0.5, gamma_break=2.0)
    [chain] = result.chains
    assert (chain.stop, chain.steps) == ("gamma_break", restart["copper"].step)
    assert len(result.restarts) == 0


def test_a_ramp_goes_on_from_the_step_and_velocities_are_drawn_at_its_temperature(copper, graded):
    sampler = make_sampler("molecular_dynamics", {"temperature_K": [100, 1100], "steps": 100})
    calculator = graded
    targets, temperatures = [], []
    restart = Restart(copper, 60)
    frames = sampler.frames([copper], calculator, np.random.default_rng(0), restart=restart)
    for frame in frames:
        integrator, *_ = sampler._moving
        targets.append(integrator.temp)
        temperatures.append(frame.atoms.get_temperature())
    np.testing.assert_allclose(np.array(targets) / targets[0], np.linspace(700, 1100, 41) / 700)
    assert temperatures[0] == pytest.approx(700, rel=0.3)


def test_a_contour_is_counted_from_the_start_not_from_where_it_goes_on(copper, graded):
    settings = {
        **KINDS["contour_exploration"],
        "energy_above_start_eV_per_atom": 0.05,
        "steps": 80,
    }
    copper.calc = graded
    ground = copper.get_potential_energy()
    energies = []
    far = copper.copy()
    far.rattle(0.15, seed=1)  # some 0.1 eV/atom above the start
    explore(
        copper,
        graded,
        "contour_exploration",
        settings=settings,
        restarts={"copper": Restart(far, 40)},
        gamma_break=1e3,
        observe=lambda frame: energies.append((frame.energy - ground) / 32),
    )
    assert energies[0] > 0.08
    np.testing.assert_allclose(energies[-10:], 0.05, atol=0.005)


@pytest.mark.parametrize(
    "kind", sorted(kind for kind in SAMPLERS if not can_go_on(SAMPLERS[kind][0]))
)
def test_samplers_that_move_no_single_geometry_refuse(run_job, tmp_path, kind, copper):
    Configurations.from_atoms([copper], identifiers=["copper"]).save(tmp_path / "starts.npz")
    needed = {
        "lattice_monte_carlo": {"temperature_K": 300},
        "harmonic": {"temperature_K": 300},
        "decorations": {"species": ["Cu", "Au"]},
    }
    with pytest.raises(SettingError, match="Leave 'restart' at 'start'"):
        run_job(
            tmp_path,
            job="sample",
            calculator={"ase": "EMT", "settings": {}},
            sampler={"kind": kind, **needed.get(kind, {})},
            starts="starts.npz",
            restart="last_good_frame",
        )


def test_those_that_can_are_the_ones_that_move_one_geometry():
    can = {kind for kind, (sampler, _) in SAMPLERS.items() if can_go_on(sampler)}
    assert can == {"molecular_dynamics", "metadynamics", "contour_exploration", "relaxation"}
    assert not any(SAMPLERS[kind][0].joint or SAMPLERS[kind][0].independent for kind in can)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"chain": "gold"}, SettingError, "chain 'gold'"),
        ({"step": 201}, SettingError, "at most step 200"),
        ({"twice": True}, SettingError, "at most one frame"),
        ({"symbol": "Ag"}, GeometryError, "other atoms"),
    ],
)
def test_frames_that_do_not_fit_are_refused(copper, graded, changes, error, message):
    frames = explore(copper, graded, known=KNOWN).restarts
    if "symbol" in changes:
        frames = frames.replace(numbers=np.full_like(frames.numbers, 47))
    if changes.get("twice"):
        frames = frames.select([0, 0])
    frames = frames.replace(
        chain=np.array([changes.get("chain", "copper")] * len(frames)),
        step=np.array([changes.get("step", 5)] * len(frames)),
    )
    with pytest.raises(error, match=message):
        read_restarts(frames, [copper], steps=200)


def test_frames_survive_a_file(copper, graded, tmp_path):
    frames = explore(copper, graded, known=KNOWN).restarts
    frames.save(tmp_path / "restarts.npz")
    again = read_restarts(Configurations.load(tmp_path / "restarts.npz"), [copper], steps=200)
    assert again["copper"].step == frames.step[0]
    np.testing.assert_array_equal(again["copper"].atoms.positions, frames.positions)
