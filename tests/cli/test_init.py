# SPDX-License-Identifier: MIT
"""``alpot init`` says what is missing in one line, and asks for it where somebody sits there."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from aiida_alpot.cli import main
from aiida_alpot.cli.init_answers import cluster_of, database_of, label_and_path
from aiida_alpot.cli.questions import Questions
from aiida_alpot.errors import SettingError

DATABASE = ("database_host", "database_port", "database_name", "database_user")
NOTHING = dict.fromkeys(("host", "computer", "work_dir", "processes", *DATABASE))
CLUSTER = {**NOTHING, "poll_interval": 10, "prepend_text": ""}


def run_init(*words, **settings):
    return CliRunner().invoke(main, ["init", *words], **settings)


def test_a_name_in_place_of_a_kind_is_sent_to_the_right_option():
    done = run_init("--profile", "mine")
    assert done.exit_code == 2
    assert "laptop, workstation, slurm" in done.output
    assert "--name mine" in done.output


def test_a_machines_file_is_never_overwritten(tmp_path):
    path = tmp_path / "machines.yaml"
    path.write_text("fit: {}\n", encoding="utf-8")
    done = run_init("--profile", "slurm", "--machines", str(path))
    assert done.exit_code == 2
    assert "is there already" in done.output
    assert path.read_text(encoding="utf-8") == "fit: {}\n"


@pytest.mark.parametrize("text", ["vasp", "vasp=", "=/bin/vasp", "vasp=bin/vasp"])
def test_a_code_is_a_label_and_a_whole_path(text):
    with pytest.raises(SettingError, match="LABEL=PATH"):
        label_and_path(text)
    assert label_and_path("vasp=/bin/vasp_std") == ("vasp", "/bin/vasp_std")


def test_what_has_no_default_is_named_where_nobody_can_be_asked():
    with pytest.raises(SettingError, match="--work-dir"):
        cluster_of(Questions(asks=False), {**CLUSTER, "host": "hpc"})


def test_defaults_are_taken_where_nobody_can_be_asked(monkeypatch):
    monkeypatch.setenv("ALPOT_DATABASE_PASSWORD", "secret")
    database = database_of(Questions(asks=False), NOTHING)
    assert (database.host, database.port, database.name) == ("localhost", 5432, "aiida")
    assert "secret" not in repr(database)
    cluster = cluster_of(Questions(asks=False), CLUSTER)
    assert (cluster.label, cluster.is_here, cluster.processes) == ("cluster", True, 1)


def test_a_password_without_its_variable_is_one_line(monkeypatch):
    monkeypatch.delenv("ALPOT_DATABASE_PASSWORD", raising=False)
    with pytest.raises(SettingError, match="ALPOT_DATABASE_PASSWORD"):
        database_of(Questions(asks=False), NOTHING)


def test_what_no_option_says_is_asked_for():
    import click

    @click.command()
    def ask():
        cluster = cluster_of(Questions(asks=True), {**CLUSTER, "computer": "given"})
        click.echo(f"{cluster.label} {cluster.host} {cluster.work_dir} {cluster.processes}")

    done = CliRunner().invoke(ask, input="hpc\n/scratch/me\n16\n")
    assert done.exit_code == 0
    assert done.output.endswith("given hpc /scratch/me 16\n")
