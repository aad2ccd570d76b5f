# SPDX-License-Identifier: MIT
"""Recorded outputs of VASP through the whole chain, replayed by aiida-vasp's ``mock-vasp``.

``mock-vasp`` gives the outputs that were recorded for inputs that it knows. The outputs are those
of recorded/README.txt; the inputs are written as this package writes them, so the recorded mesh
(Monkhorst-Pack) stands here under the name of one around Gamma, with the same divisions.
"""

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from aiida import orm
from ase.io import read
from ase.io.vasp import read_vasp_xml

from aiida_alpot.configurations import Configurations

RECORDED = Path(__file__).with_name("recorded")
SETTINGS = {
    "encut": 300,
    "kspacing": None,
    "kpts": [4, 4, 4],
    "xc": None,
    "incar": {"lreal": "Auto", "algo": "Fast", "ncore": 4},
}
INCAR = """\
ALGO = Fast
EDIFF = 1e-06
ENCUT = 300.0
IBRION = -1
ICHARG = 2
ISIF = 2
ISMEAR = 0
ISPIN = 1
ISTART = 0
LASPH = .TRUE.
LCHARG = .FALSE.
LREAL = Auto
LWAVE = .FALSE.
NCORE = 4
NELM = {nelm}
NSW = 0
PREC = accurate
SIGMA = 0.05
"""
KPOINTS = "recorded\n0\nGamma\n4 4 4\n0 0 0\n"


@pytest.fixture(scope="module")
def replayed(localhost, potcar_family, label_with_vasp, tmp_path_factory):
    """Both recorded runs, the second of them twice: its retry asks for inputs nobody recorded."""
    base = tmp_path_factory.mktemp("recorded")
    for name, nelm in (("converged", 20), ("unconverged", 8)):
        given, left = base / name / "inp", base / name / "out"
        given.mkdir(parents=True)
        left.mkdir()
        poscar = (RECORDED / name / "POSCAR").read_text(encoding="utf-8")
        (given / "POSCAR").write_text(poscar, encoding="utf-8")
        (given / "KPOINTS").write_text(KPOINTS, encoding="utf-8")
        (given / "INCAR").write_text(INCAR.format(nelm=nelm), encoding="utf-8")
        for path in (RECORDED / name).glob("*.gz"):
            (left / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    code = orm.InstalledCode(
        label="mock-vasp",
        computer=localhost,
        filepath_executable=str(Path(sys.executable).with_name("mock-vasp")),
        default_calc_job_plugin="vasp.vasp",
        prepend_text=f"export MOCK_VASP_REG_BASE={base}\n",
        with_mpi=False,
    ).store()

    def run(nelm, **section):
        silicon = read(RECORDED / "converged" / "POSCAR", format="vasp")
        settings = {**SETTINGS, "incar": {**SETTINGS["incar"], "nelm": nelm}}
        cells = Configurations.from_atoms([silicon], identifiers=["silicon"])
        return label_with_vasp(cells, code=code, section=section, **settings)

    failed = run(8, max_attempts=2)  # first, while there is no label to be looked up
    return failed, run(20)


def test_the_label_of_a_recorded_run_is_what_ase_reads_in_it(replayed):
    _, node = replayed
    assert node.exit_status == 0, node.exit_message
    label = node.outputs.labelled.get_configurations()
    with gzip.open(RECORDED / "converged" / "vasprun.xml.gz", "rt") as stream:
        (atoms,) = read_vasp_xml(stream, index=-1)
    assert label.energy[0] == atoms.get_potential_energy(force_consistent=True)
    assert label.energy_extrapolated[0] == pytest.approx(atoms.get_potential_energy(), abs=1e-9)
    np.testing.assert_array_equal(label.forces, atoms.get_forces())
    np.testing.assert_allclose(label.stress[0], atoms.get_stress(), rtol=1e-6)


def test_aiida_vasp_reads_the_same_energy_and_forces(replayed):
    _, node = replayed
    label = node.outputs.labelled.get_configurations()
    misc = orm.load_node(node.outputs.ledger["entries"][0]["node"]).outputs.misc
    assert misc["total_energies"]["energy_free"] == label.energy[0]
    np.testing.assert_array_equal(misc["forces"], label.forces)
    stress = -np.array(misc["stress"]) / 1602.1766208
    voigt = stress[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
    np.testing.assert_allclose(label.stress[0], voigt, rtol=1e-6)


def test_a_recorded_run_that_stopped_at_nelm_is_tried_again_and_never_a_label(replayed):
    node, _ = replayed
    assert node.exit_status == 301
    (first, second) = [
        verdict
        for child in node.called
        if child.process_label == "make_label"
        for verdict in child.outputs.verdict["verdicts"]
    ]
    assert first["cause"] == "unconverged"
    assert "8 electronic steps of 8" in first["reason"]
    assert second["cause"] == "truncated"  # nobody recorded a run with more steps
    (entry,) = node.outputs.ledger["entries"]
    assert (entry["status"], entry["attempts"], entry["recipe"]) == ("failed", 2, "more steps")
