# SPDX-License-Identifier: MIT
"""A small valid campaign, one with all sections, and what changes and machines they name."""

from __future__ import annotations

CAMPAIGN = """\
name: test
species: [Cu]
machines: machines.yaml
start:
  training:
    - {crystal: fcc, a: 3.6, cubic: true, rattle: 0.03, copies: 2, supercell: 2, vacancies: 1}
    - {file: cells.xyz, labels: drop, index: ":2"}
  structures: {bulk: &cell {crystal: fcc, a: 3.6, cubic: true, strain: 0.01, scales: [0.98, 1.0]}}
explore:
  - {name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}
label: {calculator: EMT, settings: {}}
budget: {labels: 200, turns: 3}
test_sets: {hot: [*cell]}
"""
WHOLE_CAMPAIGN = """\
name: whole
species: [Cu, Au]
seed: 3
potential:
  level: 6
  cutoff: 4.5
  min_distance: 1.9
  zbl: {inner: 1.0, outer: 1.6, pairs: {Cu-Au: [1.1, 1.7]}, overlay: false}
start:
  training:
    - {crystal: rocksalt, formula: CuAu, a: 5.4, substitute: {Au: 0.2}, rattle: 0.05, copies: 2}
  structures: {bulk: {crystal: fcc, formula: Cu, a: 3.6, b: null, c: null, cubic: true}}
  calculator: {name: EMT, settings: {}, labels: 5, samplers: [hot]}
explore:
  - name: hot
    kind: molecular_dynamics
    starts: [bulk]
    max_frames: 20
    record_every: 5
    starts_per_job: 2
    restart: last_good_frame
    temperature_K: [300, 600]
    steps: 20
  - {name: relaxed, kind: relaxation, starts: [bulk]}
grades:
  grader: extrapolation
  gamma_entry: 1.1
  gamma_select: 2.0
  gamma_break: 10.0
  mode: neighborhood
  method: projected
  per_cost: true
  cost_exponent: 3.0
  rule: maxvol
carve:
  above_atoms: 100
  radius: 8.0
  vacuum: 5.0
  kind: cluster
  passivate: null
  per_structure: 3
label:
  calculator: EMT
  settings: {}
  batch_size: 4
  max_attempts: 2
  min_success: 0.5
  turn_deadline_hours: 10.0
fit:
  weights: {energy: 1.0, force: 0.01, stress: 0.001, size_power: 1}
  weighting: {by_name: {hot: 0.5}, energy_limit: 2.0, energy_zero: lowest, force_limit: 20.0}
  atomic_energies: {Cu: -1.0, Au: -2.0}
  robust: 3.0
  pull: 0.1
  pull_blocks: [radial]
  committee: {members: 2, bootstrap: true, random_starts: true}
  n_starts: 2
  method: projection
  max_iterations: 20
  tolerance: 0.001
budget: {labels: 100, labels_per_turn: 5, turns: 4, core_hours: 2.0, wall_hours: 10.0}
converge:
  turns: 2
  rate: 0.01
  test_tolerance: 10 %
  properties:
    - {kind: equation_of_state, structure: bulk, tolerances: {lattice_constant_A: 0.1 %}}
  audit_labels: 2
  targets: {forces_rmse_eV_per_A: 0.05}
gate: {min_distance_factor: 0.7, max_atoms: 100}
test_sets: {hot: [{crystal: fcc, formula: Cu, a: 3.7, cubic: true}]}
test_targets: {energy_rmse_meV_per_atom: 5.0}
test_fraction: 0.1
validation:
  - {kind: equation_of_state, structure: bulk, targets: {lattice_constant_A: 1 %}, before: true}
"""
MACHINES = """\
keep_folders: false
fit: {code: alpot@localhost, resources: {num_machines: 1}, threads: 2}
sample: {resources: {num_machines: 1, num_mpiprocs_per_machine: 2}, max_jobs: 4}
label:
  options: {max_wallclock_seconds: 3600, queue_name: short}
  max_jobs: 3
  max_submitted: 20
  sizes:
    - {up_to: 100, resources: {num_machines: 1}, batch_size: 10}
    - {options: {queue_name: long}}
"""
CHANGES = """\
budget: {labels: 250, turns: 12, core_hours: 20}
grades: {gamma_select: 1.8, per_cost: true, cost_exponent: 2.5}
potential: {level: 8}
converge: {turns: 2, rate: 0.005}
test_sets: null
label: {batch_size: 4}
"""
