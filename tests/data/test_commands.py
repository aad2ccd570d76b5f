# SPDX-License-Identifier: MIT
"""``verdi data alpot...`` lists, shows, exports and plots nodes, as AiiDA's data commands do."""

import numpy as np
import pytest
from aiida import orm
from aiida.cmdline.commands.cmd_verdi import verdi
from click.testing import CliRunner

from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ActiveSetData, ConfigurationsData, PotentialData
from aiida_alpot.grading import build_active_set
from aiida_alpot.mtp.mlip_files import parse_content
from aiida_alpot.reports.node_plots import dimer_energies


@pytest.fixture
def run_command():
    def run(*arguments, status=0):
        result = CliRunner().invoke(verdi, ["data", *(str(one) for one in arguments)])
        assert result.exit_code == status, result.output
        return result.stdout_bytes.decode("utf-8", errors="replace")

    return run


@pytest.fixture(scope="module")
def nodes(potential, labelled_copper, tmp_path_factory):
    """A node of each kind, stored."""
    path = tmp_path_factory.mktemp("active") / "active_set.npz"
    build_active_set(potential, labelled_copper).save(path)
    found = {
        "potential": PotentialData.from_potential(potential),
        "configurations": ConfigurationsData.from_configurations(labelled_copper),
        "active_set": ActiveSetData.from_file(path),
    }
    for name, node in found.items():
        node.label = f"a {name}"
        node.store()
    group, _ = orm.Group.collection.get_or_create("nodes of the commands")
    group.add_nodes(list(found.values()))
    return found


@pytest.mark.parametrize("kind", ["potential", "configurations", "active_set"])
def test_nodes_are_listed_with_the_options_of_aiida(kind, nodes, run_command):
    command = f"alpot.{kind}"
    listed = run_command(command, "list", "--groups", "nodes of the commands", "--past-days", 1)
    assert f"a {kind}" in listed
    assert "Total results: 1" in listed
    raw = run_command(command, "list", "-r", "-A", "-G", "nodes of the commands")
    assert raw.split()[0] == str(nodes[kind].pk)
    assert "Total results" not in raw


def test_nodes_are_listed_by_their_species(nodes, run_command):
    words = ("list", "-r", "-G", "nodes of the commands", "--with-elements")
    for command in ("alpot.potential", "alpot.configurations"):
        assert run_command(command, *words, "Cu").strip()
        assert not run_command(command, *words, "Au").strip()


def test_nodes_are_shown(nodes, run_command, labelled_copper):
    shown = run_command("alpot.potential", "show", nodes["potential"].pk)
    assert "Cu" in shown
    assert "5 A" in shown
    shown = run_command("alpot.configurations", "show", nodes["configurations"].pk)
    assert "EMT" in shown
    assert "128" in shown
    shown = run_command("alpot.active_set", "show", nodes["active_set"].pk)
    assert "neighborhood" in shown
    assert "cell_" in shown


def test_a_potential_is_exported(nodes, run_command, tmp_path):
    node, path = nodes["potential"], tmp_path / "exported.mtp"
    run_command("alpot.potential", "export", node.uuid, path)
    assert path.read_text() == node.get_text()
    assert run_command("alpot.potential", "export", node.uuid) == node.get_text()
    run_command("alpot.potential", "export", node.uuid, "-o", path, status=1)
    run_command("alpot.potential", "export", node.uuid, "-o", path, "--force")
    # no fit made it, so that there is no active set of its own
    run_command("alpot.potential", "export", node.uuid, "-F", "almtp", status=1)


@pytest.mark.parametrize("suffix", ["npz", "xyz", "cfg"])
def test_configurations_are_exported(suffix, nodes, run_command, tmp_path, labelled_copper):
    from aiida_alpot.mtp.structure_files import read_configurations

    node = nodes["configurations"]
    for number, words in enumerate(([], ["-F", suffix])):
        path = tmp_path / f"exported_{number}.{suffix}"
        run_command("alpot.configurations", "export", node.uuid, path, *words)
        exported = read_configurations(path)
        assert exported.hashes() == labelled_copper.hashes()
        assert np.allclose(exported.energy, labelled_copper.energy)


def test_an_active_set_is_exported(nodes, run_command, tmp_path):
    run_command("alpot.active_set", "export", nodes["active_set"].uuid, tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_bytes() == nodes["active_set"].content


@pytest.mark.parametrize("kind", ["potential", "configurations", "active_set"])
def test_nodes_are_drawn(kind, nodes, run_command, tmp_path):
    path = tmp_path / "picture.png"
    run_command(f"alpot.{kind}", "plot", nodes[kind].uuid, "-o", path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 5000


def test_an_unlabelled_set_is_drawn_too(run_command, tmp_path, copper_cells):
    bare = ConfigurationsData.from_configurations(copper_cells.select([0])).store()
    run_command("alpot.configurations", "plot", bare.pk, "-o", tmp_path / "bare.svg")
    assert (tmp_path / "bare.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_two_atoms_do_not_bind_at_the_cutoff(potential):
    distances, curves = dimer_energies(potential)
    assert list(curves) == ["Cu-Cu"]
    assert curves["Cu-Cu"][-1] == pytest.approx(0.0, abs=1e-9)
    assert np.abs(curves["Cu-Cu"]).max() > 1e-6
    assert distances[-1] == potential.cutoff


def test_an_export_reads_as_the_node(nodes, run_command):
    text = run_command("alpot.potential", "export", nodes["potential"].pk)
    assert parse_content(text.encode()).species == ("Cu",)
    assert len(Configurations.from_bytes(nodes["configurations"].content)) == 4
