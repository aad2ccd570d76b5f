# SPDX-License-Identifier: MIT
"""A LAMMPS input beside an exported potential: a structure, its set-up, short dynamics.

The same set-up serves a LAMMPS with the interface of MLIP (``in.lammps``) and stock LAMMPS driving
our engine (``run_lammps.py``).
"""

from __future__ import annotations

import io
import warnings

import ase.io
from ase import Atoms
from ase.data import atomic_masses, atomic_numbers

from aiida_alpot.configurations import Configurations
from aiida_alpot.mtp.potential import MomentTensorPotential

STRUCTURE, SETUP, DYNAMICS = "structure.data", "setup.lammps", "dynamics.lammps"

_SETUP = """\
# types: {types}
units        metal
atom_style   atomic
atom_modify  map array
boundary     p p p
newton       on
read_data    {structure}
{masses}
"""
_DYNAMICS = """\
neighbor     1.0 bin
timestep     {time_step:g}
velocity     all create 300.0 4711 mom yes rot no
fix          dynamics all nve
thermo_style custom step temp pe etotal press
thermo_modify format float %20.15g
thermo       10
"""
_INPUT = """\
# LAMMPS with the interface of MLIP-2; without it: python run_lammps.py
include      {setup}
pair_style   mlip mlip.ini
pair_coeff   * *
include      {dynamics}
run          100
"""
_MLIP = """\
mtp-filename potential.mtp
select FALSE
"""
_SCRIPT = '''\
"""Stock LAMMPS, driven by the engine of aiida-alpot: pip install 'aiida-alpot[lammps]'."""

from aiida_alpot.interfaces.lammps import ExternalForces, start_lammps

lammps = start_lammps(["-log", "log.lammps", "-screen", "none"])
lammps.file("{setup}")
lammps.command("comm_modify cutoff 2.0")
forces = ExternalForces(lammps, "potential.mtp", symbols={symbols!r}{active_set})
lammps.file("{dynamics}")
forces.run(100)
print("energy after 100 steps (eV):", lammps.get_thermo("pe"))
'''


def lammps_files(
    potential: MomentTensorPotential, training: Configurations, *, has_active_set: bool
) -> dict[str, str]:
    """Return the contents of the files by name; none where no structure is periodic throughout.

    Parameters
    ----------
    potential : MomentTensorPotential
        Its species, in their order, are the types.
    training : Configurations
        The first of them that is periodic in three directions is the structure.
    has_active_set : bool
        Whether ``active_set.npz`` lies beside it; then every step is graded.
    """
    periodic = training.pbc.all(axis=1).nonzero()[0]
    if not len(periodic):
        return {}
    symbols = list(potential.species)
    masses = [float(atomic_masses[atomic_numbers[symbol]]) for symbol in symbols]
    setup = _SETUP.format(
        types=", ".join(f"{kind} = {symbol}" for kind, symbol in enumerate(symbols, start=1)),
        structure=STRUCTURE,
        masses="\n".join(f"mass         {kind} {m:.6g}" for kind, m in enumerate(masses, start=1)),
    )
    active_set = ', active_set="active_set.npz"' if has_active_set else ""
    return {
        STRUCTURE: structure_data(training.atoms(int(periodic[0])), symbols),
        SETUP: setup,
        # light atoms need shorter steps
        DYNAMICS: _DYNAMICS.format(time_step=0.0005 if min(masses) < 10.0 else 0.001),
        "in.lammps": _INPUT.format(setup=SETUP, dynamics=DYNAMICS),
        "mlip.ini": _MLIP,
        "run_lammps.py": _SCRIPT.format(
            setup=SETUP, dynamics=DYNAMICS, symbols=symbols, active_set=active_set
        ),
    }


def structure_data(atoms: Atoms, symbols: list[str]) -> str:
    """Return the data file of a structure, turned so that LAMMPS takes its cell."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ase.io.write(
            buffer,
            atoms,
            format="lammps-data",
            specorder=symbols,
            units="metal",
            atom_style="atomic",
            masses=False,
        )
    return buffer.getvalue()
