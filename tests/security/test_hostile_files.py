# SPDX-License-Identifier: MIT
"""Single hostile files: what they ask for is refused in one line, before anything is given."""

from __future__ import annotations

import gzip
import io
import json
import time
import zipfile

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from aiida_alpot.campaign.load import load_campaign
from aiida_alpot.configuration_checks import check_geometry
from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import CampaignFileError, GeometryError, InputFileError
from aiida_alpot.mtp.mlip_files import dump_potential, parse_potential
from aiida_alpot.mtp.structure_files import read_configurations

CAMPAIGN = """\
name: test
species: [Cu]
machines: {machines}
start:
  training: [{{file: {file}}}]
  structures: {{bulk: {{crystal: fcc, a: 3.6, cubic: true}}}}
explore:
  - {{name: hot, kind: molecular_dynamics, starts: [bulk], temperature_K: 300, steps: 10}}
label: {{calculator: {calculator}{more}}}
budget: {{labels: 20}}
"""


@pytest.fixture
def campaign(tmp_path):
    """Write a campaign in a folder of its own and load it."""
    folder = tmp_path / "campaign"
    folder.mkdir()
    write(tmp_path / "outside.xyz", bulk("Cu", a=3.6))
    write(folder / "inside.xyz", bulk("Cu", a=3.6))
    (folder / "machines.yaml").write_text("fit: {threads: 1}\n", encoding="utf-8")

    def load(*, file="inside.xyz", machines="machines.yaml", given=None, **label):
        path = folder / "campaign.yaml"
        label = {"calculator": "EMT", "more": "", **label}
        text = CAMPAIGN.format(file=json.dumps(str(file)), machines=machines, **label)
        path.write_text(text, encoding="utf-8")
        return load_campaign(path, machines=given)

    load.folder = folder
    return load


def test_files_below_the_folder_of_a_campaign_are_read(campaign):
    deeper = campaign.folder / "a name $(touch x)"
    deeper.mkdir()
    write(deeper / "it's.xyz", bulk("Cu", a=3.6))
    (campaign.folder / "link.xyz").symlink_to("inside.xyz")
    for name in ("inside.xyz", "./a name $(touch x)/../inside.xyz", "link.xyz"):
        assert len(campaign(file=name).training) == 1
    assert len(campaign(file="a name $(touch x)/it's.xyz").training) == 1


@pytest.mark.parametrize(
    "name", ["../outside.xyz", "/etc/passwd", "link.xyz", "folder/outside.xyz"]
)
def test_files_outside_are_refused_whatever_the_way_there(name, campaign):
    (campaign.folder / "link.xyz").symlink_to("../outside.xyz")
    (campaign.folder / "folder").symlink_to("..")
    with pytest.raises(CampaignFileError, match=r"outside of the folder.*ALPOT_DATA_PATH"):
        campaign(file=name)
    with pytest.raises(CampaignFileError, match="outside of the folder"):
        campaign(machines=json.dumps(name))


def test_the_owner_may_name_folders_that_are_shared(campaign, monkeypatch):
    monkeypatch.setenv("ALPOT_DATA_PATH", str(campaign.folder.parent))
    assert len(campaign(file="../outside.xyz").training) == 1
    monkeypatch.setenv("ALPOT_DATA_PATH", "..")  # what counts from somewhere else names nothing
    with pytest.raises(CampaignFileError, match="outside"):
        campaign(file="../outside.xyz")


@pytest.mark.parametrize("name", ["label_driver.py", "request.json", "_aiidasubmit.sh", ".bashrc"])
def test_a_file_cannot_stand_for_one_of_the_job(name, campaign):
    (campaign.folder / name).write_text("touch hacked\n", encoding="utf-8")
    with pytest.raises(CampaignFileError, match="jobs keep for files of their own"):
        campaign(calculator="EAM", more=f", settings: {{file: {name}}}")


@pytest.mark.parametrize(
    "option",
    [
        "prepend_text: 'touch hacked'",
        "custom_scheduler_commands: 'touch hacked'",
        "environment_variables: {LD_PRELOAD: ./evil.so}",
        "additional_retrieve_list: [/etc/passwd]",
        "mpirun_extra_params: [';', touch, hacked]",
        'queue_name: "short\\ntouch hacked"',
    ],
)
def test_a_machines_file_that_a_campaign_names_runs_no_programs(option, campaign):
    path = campaign.folder / "machines.yaml"
    path.write_text(f"label: {{options: {{{option}}}}}\n", encoding="utf-8")
    with pytest.raises(CampaignFileError, match=r"can run programs|line break"):
        campaign()
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(CampaignFileError, match=r"can run programs|line break"):
        campaign(more=f", options: {{{option}}}")


def test_a_machines_file_that_the_user_names_may_hold_lines_of_scripts(campaign):
    given = campaign.folder.parent / "mine.yaml"
    given.write_text('label: {options: {prepend_text: "module load x\\nulimit -s unlimited"}}\n')
    assert campaign(given=given).machines.label.options["prepend_text"].startswith("module")
    given.write_text('label: {options: {queue_name: "short\\ntouch hacked"}}\n')
    with pytest.raises(CampaignFileError, match="line break"):
        campaign(given=given)


@pytest.mark.parametrize(
    "item",
    ["{file: inside.xyz, supercell: 5000}", "{crystal: fcc, a: 3.6, copies: 99999999}"],
)
def test_a_campaign_cannot_ask_for_more_atoms_than_memory_holds(item, campaign):
    path = campaign.folder / "campaign.yaml"
    text = CAMPAIGN.format(file="inside.xyz", machines="machines.yaml", calculator="EMT", more="")
    path.write_text(text.replace("{file: inside.xyz}", item), encoding="utf-8")
    started = time.process_time()
    with pytest.raises(CampaignFileError, match="are made"):
        load_campaign(path)
    assert time.process_time() - started < 2.0


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.db", b"SQLite format 3\0"),
        ("data.json", b'{"1": {"numbers": [29]}}'),
        ("data.py", b"raise SystemExit"),
        ("data.gpw", b"- of UlmGPAW"),
        ("data.nc", b"CDF\x01"),
        ("data.pckl", b"\x80\x04cos\nsystem\n"),
    ],
)
def test_formats_that_open_or_run_something_are_not_read(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputFileError, match="not among those that are read"):
        read_configurations(tmp_path / name)


def test_names_of_structure_files_are_names_and_nothing_else(tmp_path, monkeypatch):
    """ASE takes what follows an @ for an index, and names that begin with postgres for servers."""
    monkeypatch.chdir(tmp_path)
    for name in ("a@b.xyz", "postgresql.xyz", "$(touch hacked) it's.xyz", "new\nline.xyz"):
        (tmp_path / name).write_text("1\n\nCu 0 0 0\n", encoding="utf-8")
        assert len(read_configurations(name)) == 1
    assert not (tmp_path / "hacked").exists()


def test_a_poscar_does_not_fetch_its_species_from_other_files(tmp_path):
    (tmp_path / "POTCAR").write_text("  PAW_PBE Cu 22Jun2005\n   TITEL  = PAW_PBE Cu\n")
    text = "??\n1.0\n3 0 0\n0 3 0\n0 0 3\n1\nDirect\n0 0 0\n"
    (tmp_path / "POSCAR").write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError):
        read_configurations(tmp_path / "POSCAR")


@pytest.mark.parametrize("counts", ["3000000000", "3000000000 0.5 0.5", "1 3000000000 ! many"])
def test_a_poscar_that_counts_more_atoms_than_it_holds_is_refused_unread(tmp_path, counts):
    text = f"Cu\n1.0\n3 0 0\n0 3 0\n0 0 3\n{counts}\nDirect\n0 0 0\n"
    (tmp_path / "POSCAR").write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"it announces 30000000\d\d entries in"):
        read_configurations(tmp_path / "POSCAR")


@pytest.mark.parametrize(
    "header",
    [
        "   ions per type =               3000000000",
        "   ions per type =  1 :          3000000000",
        "   ions per type =               3_000_000_000",
        "   k-points   NKPTS : 3000000000   number of bands   NBANDS=      2",
    ],
)
def test_an_outcar_that_announces_more_than_it_holds_is_refused_unread(tmp_path, header):
    text = f" vasp.6.3.0 18Jan22\n POTCAR:    PAW_PBE Cu 22Jun2005\n{header}\n"
    (tmp_path / "OUTCAR").write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=r"it announces 30000000\d\d entries in"):
        read_configurations(tmp_path / "OUTCAR")


def repacked(content, name, change):
    """Return an .npz file with the bytes of one member changed."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(content)) as old,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for member in old.namelist():
            data = old.read(member)
            new.writestr(member, change(data) if member == f"{name}.npy" else data)
    return buffer.getvalue()


def header(shape, descr):
    text = repr({"descr": descr, "fortran_order": False, "shape": shape}).ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("energy", header((10**13,), "<f8")),
        ("identifier", header((4,), "<U100000000")),
        ("positions", header((128, 3), "|O")),
        ("offsets", header((5,), "<f8")),
        ("positions", header((128, 2), "<f8")),
        ("numbers", header((10**30,), "<i4")),
        ("numbers", b"\x93NUMPY\x01\x00\xff\xff" + b"(" * 65535),
    ],
)
def test_headers_of_arrays_are_not_believed(name, start, labelled_copper):
    content = repacked(labelled_copper.to_bytes(), name, lambda data: start + data[128:])
    with pytest.raises(InputFileError, match=r"not a readable \.npz"):
        Configurations.from_bytes(content)


def test_an_archive_that_unpacks_to_much_more_than_its_size_is_refused(
    labelled_copper, monkeypatch
):
    monkeypatch.setattr("aiida_alpot.array_headers.ALWAYS_ALLOWED", 10**6)
    content = repacked(
        labelled_copper.to_bytes(),
        "energy",
        lambda _: header((10**6,), "<f8") + bytes(8 * 10**6),
    )
    assert len(content) < 40_000
    with pytest.raises(InputFileError, match="unpack to"):
        Configurations.from_bytes(content)


def test_a_compressed_structure_file_is_unpacked_up_to_a_limit(tmp_path, monkeypatch):
    from aiida_alpot.mtp import ase_formats

    text = "1\n\nCu 0 0 0\n"
    (tmp_path / "good.xyz.gz").write_bytes(gzip.compress(text.encode()))
    assert len(read_configurations(tmp_path / "good.xyz.gz")) == 1
    monkeypatch.setattr(ase_formats, "_ALWAYS_UNPACKED", 1000)
    (tmp_path / "bomb.xyz.gz").write_bytes(gzip.compress(text.encode() * 100_000))
    with pytest.raises(InputFileError, match="unpacks to more than"):
        read_configurations(tmp_path / "bomb.xyz.gz")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("alpha_moments_count = 18", "alpha_moments_count = 1000000000000"),
        ("species_count = 1", "species_count = 999999"),
        ("radial_basis_size = 8", "radial_basis_size = 9999999"),
        ("{0, 0, 0, 0}", "{0, 1000000, 0, 0}"),
        ("max_dist = 5", "max_dist = 5000"),
        ("scaling = ", "scaling = 1\n" * 100_000 + "scaling = "),
        ("moment_coeffs = {", "moment_coeffs = " + "{" * 100_000),
    ],
)
def test_counts_of_a_potential_are_compared_with_its_tables(old, new, potential):
    text = dump_potential(potential)
    if old == "alpha_moments_count = 18":
        old = next(line for line in text.splitlines() if line.startswith("alpha_moments_count"))
    assert old in text
    started = time.process_time()
    with pytest.raises(InputFileError):
        parse_potential(text.replace(old, new, 1))
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    ("cell", "positions", "word"),
    [
        ([1e-7, 1e4, 1e4], [[0.0, 0, 0]], r"flat|overlap|no volume"),
        ([10, 10, 10], [[1e12, 0, 0], [0.0, 0, 0]], "beyond"),
        ([1e9, 1e9, 1e9], [[0.0, 0, 0]], "beyond"),
        ([[10, 0, 0], [9.9999, 1e-3, 0], [0, 0, 1e4]], [[0.0, 0, 0]], r"flat|overlap|no volume"),
    ],
)
def test_cells_with_too_many_images_are_refused_at_once(cell, positions, word):
    from ase import Atoms

    atoms = Atoms(f"Cu{len(positions)}", positions=positions, cell=cell, pbc=True)
    started = time.process_time()
    with pytest.raises(GeometryError, match=word):
        check_geometry(Configurations.from_atoms([atoms]))
    assert time.process_time() - started < 1.0


def test_a_node_with_text_that_is_none_is_refused(labelled_copper):
    """Half a character can be kept in an array, but in no database."""
    names = np.array(["\ud800"] * 4)
    content = labelled_copper.replace(identifier=names).to_bytes()
    with pytest.raises(InputFileError, match="cannot be decoded"):
        Configurations.from_bytes(content)


def test_messages_do_not_drive_the_terminal(tmp_path):
    from click.testing import CliRunner

    from aiida_alpot.cli import main

    path = tmp_path / "data.cfg"
    path.write_text("\x1b]0;hacked\x07\x1b[2J\n", encoding="utf-8")
    result = CliRunner().invoke(main, ["convert", str(path), str(tmp_path / "out.xyz")])
    assert result.exit_code == 2
    assert "hacked" in result.output
    assert "\x1b" not in result.output
