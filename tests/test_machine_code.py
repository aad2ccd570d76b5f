# SPDX-License-Identifier: MIT
"""Machine code on disk: found again by the processor it was made for, in nobody's way."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_alpot import machine_code
from aiida_alpot.mtp.kernels import energy, sites

KERNEL = """
from aiida_alpot.compilation import compiled

@compiled
def norm(x):
    total = 0.0
    for i in range(len(x)):
        total += x[i] * x[i]
    return total ** 0.5
"""

PROGRAM = """
import json
import numpy as np
import kernel
value = kernel.norm(np.array([3.0, 4.0]))
hits = sum(kernel.norm.stats.cache_hits.values())
print(json.dumps({"value": value, "hits": hits, "path": kernel.norm.stats.cache_path}))
"""

SIGNATURES = """
import sys
import numpy as np
from ase import Atoms
from numba.core.dispatcher import Dispatcher
from aiida_alpot.configurations import Configurations
from aiida_alpot.grading import empty_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.evaluate import energy_rows, evaluate
from aiida_alpot.mtp.mlip_files import dump_potential, parse_potential
from aiida_alpot.mtp.potential import initial_potential

for level in (2, 8, 12, 16):
    for species in (["Cu"], ["Cu", "Au"], ["Cu", "Au", "Ag"]):
        rng = np.random.default_rng(0)
        made = initial_potential(level, 3.0, species=species, min_distance=1.5, rng=rng)
        for potential in (made, parse_potential(dump_potential(made))):
            for periodic in (False, True):
                atoms = Atoms([species[0], species[-1]], positions=[[0, 0, 0], [0, 0, 2.0]])
                atoms.set_cell([4, 4, 4])
                atoms.pbc = periodic
                configurations = Configurations.from_atoms([atoms, atoms])
                evaluate(potential, configurations)
                energy_rows(potential, configurations)
                atoms.calc = MTP(potential, active_set=empty_active_set(potential, method="parity"))
                atoms.get_forces()
                atoms.positions[0, 0] += 0.01
                atoms.get_forces()
for name, module in list(sys.modules.items()):
    if name.startswith("aiida_alpot"):
        for function in vars(module).values():
            if isinstance(function, Dispatcher) and len(function.signatures) > 1:
                print(function.py_func.__qualname__, *function.signatures, sep="\\n  ")
"""


JOBS = """
import json, sys
import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT
from numba.core.dispatcher import Dispatcher
from aiida_alpot.configurations import Configurations
from aiida_alpot.fitting.fit import fit_potential
from aiida_alpot.fitting.start import start_potential
from aiida_alpot.grading import ExtrapolationGrader, build_active_set
from aiida_alpot.mtp.calculator import MTP
from aiida_alpot.mtp.evaluate import evaluate
from aiida_alpot.selection.maxvol_selection import select

cells = []
for seed in range(6):
    atoms = bulk("Cu", cubic=True)
    atoms.symbols[: seed % 2] = "Au"
    atoms.rattle(0.1, seed=seed)
    atoms.calc = EMT()
    atoms.get_forces()
    atoms.get_stress()
    cells.append(atoms)
training = Configurations.from_atoms(cells, level_of_theory="emt")
start = start_potential(training, level=6, cutoff=4.5, min_distance=1.5)
potential = fit_potential(training, initial=start, max_iterations=3).potential
evaluate(potential, training)
active_set = build_active_set(potential, training)
select(potential, training, training=training)
ExtrapolationGrader(potential, active_set).grade(training)
atoms = cells[0].copy()
atoms.calc = MTP(potential, active_set=active_set)
for _ in range(3):
    atoms.positions[0, 0] += 0.2
    atoms.get_forces()
compiled = [
    f"{name}.{function.py_func.__name__}"
    for name, module in sorted(sys.modules.items())
    if name.startswith("aiida_alpot")
    for function in vars(module).values()
    if isinstance(function, Dispatcher) and sum(function.stats.cache_misses.values())
]
print(json.dumps(compiled))
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / "kernel.py").write_text(KERNEL)
    return tmp_path


@pytest.fixture
def run(folder):
    """Run the program in a process of its own, with these environment variables."""

    def run(program=PROGRAM, **variables):
        environment = {
            key: value for key, value in os.environ.items() if not key.startswith("NUMBA_CPU")
        }
        environment |= {"ALPOT_CACHE_DIR": str(folder / "user"), **variables}
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=folder / "sources",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def kept_files(folder):
    return sorted(path for path in folder.rglob("*.nb?"))


def test_a_second_process_compiles_nothing(run, folder):
    first, second = run(), run()
    assert (first["hits"], second["hits"]) == (0, 1)
    assert first["value"] == second["value"] == 5.0
    assert Path(second["path"]).is_relative_to(folder / "sources" / "__pycache__")


def test_each_kind_of_processor_keeps_its_own(run, folder):
    here = run()
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    generic = run(**other)
    assert generic["hits"] == 0, "machine code of another processor was loaded"
    assert generic["value"] == here["value"]
    assert generic["path"] != here["path"]
    assert run()["hits"] == run(**other)["hits"] == 1


def test_code_of_another_processor_is_not_loaded_even_if_it_lies_in_the_folder(run):
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    here, generic = Path(run()["path"]), Path(run(**other)["path"])
    for path in generic.iterdir():
        path.unlink()
    for path in here.iterdir():
        path.rename(generic / path.name)
    foreign = run(**other)
    assert (foreign["hits"], foreign["value"]) == (0, 5.0)


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_files_are_made_again(run, folder, suffix):
    run()
    for path in folder.rglob(f"*.{suffix}"):
        path.write_bytes(path.read_bytes()[:40])
    again = run()
    assert (again["hits"], again["value"]) == (0, 5.0)
    assert run()["hits"] == 1


def test_a_change_of_the_source_makes_code_stale(run, folder):
    run()
    source = folder / "sources" / "kernel.py"
    source.write_text(KERNEL.replace("** 0.5", "** 0.5 + 1.0"))
    changed = run()
    assert (changed["hits"], changed["value"]) == (0, 6.0)


def test_without_a_writable_folder_of_sources_the_cache_of_the_user_serves(run, folder):
    (folder / "sources" / "__pycache__").write_text("in the way")
    first, second = run(), run()
    assert (first["hits"], second["hits"]) == (0, 1)
    assert Path(second["path"]).is_relative_to(folder / "user")


def test_a_folder_that_is_asked_for_is_used(run, folder):
    found = run(NUMBA_CACHE_DIR=str(folder / "wanted"))
    assert Path(found["path"]).is_relative_to(folder / "wanted")
    assert kept_files(folder / "wanted")


def test_without_any_folder_each_process_compiles(run, folder):
    (folder / "sources" / "__pycache__").write_text("in the way")
    nowhere = "import aiida_alpot.user_cache as u; u._candidates = lambda: iter(())\n"
    assert run(nowhere + PROGRAM.replace("kernel.norm.stats.cache_path", "None"))["value"] == 5.0
    assert not kept_files(folder)


def test_a_full_disk_is_no_error(run, folder):
    full = (
        "import numba.core.caching as c\n"
        "def fail(*_): raise OSError(28, 'No space left on device')\n"
        "c.IndexDataCacheFile._save_data = fail\n"
    )
    assert run(full + PROGRAM)["value"] == 5.0
    later = run()
    assert (later["hits"], later["value"]) == (0, 5.0)


def test_code_depends_on_the_modules_that_its_functions_come_from():
    imported = {path.name for path in machine_code._imported(Path(energy.__file__))}
    assert {"lanes.py", "sites.py"} <= imported
    assert machine_code._stamp(Path(energy.__file__)) != machine_code._stamp(Path(sites.__file__))


def test_levels_and_numbers_of_species_share_one_compilation(run):
    # each function has one signature, whatever it was called for
    found = run(f"{SIGNATURES}\nprint('[]')")
    assert found == []


def test_after_the_warm_up_no_job_compiles_anything(run, folder):
    cache = {"NUMBA_CACHE_DIR": str(folder / "machine_code")}
    warm_up = "from aiida_alpot.jobs.warm_up import compile_kernels; print(compile_kernels())"
    assert run(warm_up, **cache) > 0.0
    assert run(JOBS, **cache) == []
