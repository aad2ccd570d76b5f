# SPDX-License-Identifier: MIT
"""Labels made elsewhere: what is read, which level of theory they get, what is refused."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from aiida_alpot.campaign.foreign_labels import level_of_file, read_labels, species_in
from aiida_alpot.errors import CampaignFileError, LabelError, LevelOfTheoryError
from aiida_alpot.mtp.structure_files import write_configurations

RECORDED = Path(__file__).parents[1] / "workflows" / "label" / "recorded"
LEVEL = "calculator: EMT\n"


@pytest.fixture
def level_file(tmp_path):
    path = tmp_path / "level.yaml"
    path.write_text(LEVEL, encoding="utf-8")
    return path


def test_a_vasprun_tells_its_level_by_incar_mesh_and_titles():
    found = read_labels([RECORDED / "converged" / "vasprun.xml.gz"])
    level = json.loads(found.level_of_theory)
    assert level["calculator"] == "VASP"
    assert level["settings"]["titles"] == {"Si": "PAW_PBE Si 05Jan2001"}
    assert level["settings"]["mesh"] is None or len(level["settings"]["mesh"]) == 3
    assert "nelm" not in level["settings"]["incar"]
    assert np.isfinite(found.energy).all()
    assert np.isfinite(found.stress).all()
    assert np.isfinite(found.forces).all()


def test_a_run_that_did_not_converge_is_refused_by_name():
    path = RECORDED / "unconverged" / "vasprun.xml.gz"
    with pytest.raises(LabelError, match=r"vasprun\.xml\.gz: ionic step 0 is not converged"):
        read_labels([path])
    path = RECORDED / "unconverged" / "OUTCAR.gz"
    with pytest.raises(LabelError, match=r"OUTCAR\.gz: ionic step 0 is not converged"):
        read_labels([path], level="a level")


def test_outcar_and_vasprun_of_one_run_give_one_label(tmp_path):
    content = gzip.decompress((RECORDED / "converged" / "OUTCAR.gz").read_bytes())
    (tmp_path / "OUTCAR").write_bytes(content)
    outcar = read_labels([tmp_path / "OUTCAR"], level="a level")
    vasprun = read_labels([RECORDED / "converged" / "vasprun.xml.gz"])
    assert outcar.energy[-1] == pytest.approx(vasprun.energy[-1], abs=1e-6)
    np.testing.assert_allclose(outcar.forces, vasprun.forces, atol=1e-5)
    np.testing.assert_allclose(outcar.stress, vasprun.stress, atol=1e-5)


def test_a_truncated_outcar_is_refused(tmp_path):
    content = gzip.decompress((RECORDED / "converged" / "OUTCAR.gz").read_bytes())
    (tmp_path / "OUTCAR").write_bytes(content[: len(content) // 2])
    with pytest.raises(LabelError, match="does not reach the end"):
        read_labels([tmp_path / "OUTCAR"], level="a level")


def test_a_level_that_the_incar_contradicts_is_refused():
    path = RECORDED / "converged" / "vasprun.xml.gz"
    told = json.loads(read_labels([path]).level_of_theory)
    told["settings"]["incar"]["encut"] = 1234.0
    with pytest.raises(LevelOfTheoryError, match="ENCUT"):
        read_labels([path], level=json.dumps(told))


@pytest.mark.parametrize("suffix", [".npz", ".xyz"])
def test_files_of_this_package_bring_their_level(tmp_path, labelled_copper, suffix):
    path = tmp_path / f"labels{suffix}"
    write_configurations(labelled_copper, path)
    found = read_labels([path])
    assert found.level_of_theory == labelled_copper.level_of_theory
    assert found.hashes() == labelled_copper.hashes()
    assert species_in([path]) == ["Cu"]


def test_a_file_that_tells_no_level_needs_one(tmp_path, labelled_copper, level_file):
    path = tmp_path / "labels.cfg"
    write_configurations(labelled_copper.replace(level_of_theory=""), path, species=("Cu",))
    with pytest.raises(LevelOfTheoryError, match="--level-of-theory"):
        read_labels([path], species=["Cu"])
    found = read_labels([path], level=level_of_file(level_file), species=["Cu"])
    assert found.level_of_theory == labelled_copper.level_of_theory
    np.testing.assert_allclose(found.energy, labelled_copper.energy)


def test_two_levels_in_one_import_are_refused(tmp_path, labelled_copper):
    write_configurations(labelled_copper, tmp_path / "one.npz")
    other = labelled_copper.replace(level_of_theory='{"calculator":"other"}')
    write_configurations(other, tmp_path / "two.npz")
    with pytest.raises(LevelOfTheoryError, match="2 levels of theory"):
        read_labels([tmp_path / "one.npz", tmp_path / "two.npz"])
    with pytest.raises(LevelOfTheoryError, match=r"two\.npz"):
        read_labels([tmp_path / "two.npz"], level=labelled_copper.level_of_theory)


def test_a_label_that_is_not_finite_is_refused_by_name(tmp_path, labelled_copper):
    energy = labelled_copper.energy.copy()
    energy[2] = np.nan
    write_configurations(labelled_copper.replace(energy=energy), tmp_path / "bad.npz")
    with pytest.raises(LabelError, match=r"bad\.npz: configuration .*cell_2"):
        read_labels([tmp_path / "bad.npz"])


def test_a_level_is_read_from_a_campaign_file_or_one_of_its_own(tmp_path, level_file, emt_level):
    campaign = tmp_path / "campaign.yaml"
    text = "name: test\nlabel: {calculator: EMT, batch_size: 3}\n"
    campaign.write_text(text, encoding="utf-8")
    assert level_of_file(level_file) == level_of_file(campaign) == emt_level
    level_file.write_text("calculator: EMT\nbatch_size: 3\n", encoding="utf-8")
    with pytest.raises(CampaignFileError, match="batch_size"):
        level_of_file(level_file)
