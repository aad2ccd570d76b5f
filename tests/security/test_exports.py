# SPDX-License-Identifier: MIT
"""What leaves a profile holds no text of a POTCAR file, which its licence forbids to pass on."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
from aiida import orm
from aiida.common import LinkType

from aiida_alpot.data import ConfigurationsData, PotentialData
from aiida_alpot.errors import ServiceError
from aiida_alpot.reports.calculations import find_potcar_text, label_runs, write_archive
from aiida_alpot.reports.export import require_no_potcar
from aiida_alpot.reports.potcars import campaigns_with_potcar

SECRET = "0.123456789E+02 0.987654321E+01 made up for this test"
POTCAR = f"""\
  PAW_PBE Cu_pv 22Jun2005
   17.0000000000000
 parameters from PSCTR are:
   VRHFIN =Cu: 3p6 3d10 4s1
   LEXCH  = PE
   EATOM  =  3000.0000 eV,  220.0000 Ry

   TITEL  = PAW_PBE Cu_pv 22Jun2005
   LULTRA =        F    use ultrasoft PP ?
   POMASS =   63.546; ZVAL   =   17.000    mass and valenz
   ENMAX  =  368.648; ENMIN  =  276.486 eV
END of PSCTR-controll parameters
 local part
  {SECRET}
 End of Dataset
"""


@pytest.fixture(scope="module")
def potcar(aiida_profile, tmp_path_factory):
    """A POTCAR in the profile, as aiida-vasp keeps it: the text apart from the node in use."""
    from aiida_vasp.data.potcar import PotcarData

    path = tmp_path_factory.mktemp("potcar") / "POTCAR"
    path.write_text(POTCAR, encoding="utf-8")
    node, _ = PotcarData.get_or_create_from_file(str(path))
    return node


def link(source, target, kind, label):
    target.base.links.add_incoming(source, kind, label)


@pytest.fixture
def rests_on(labelled_copper, potential):
    """Return a potential that was fitted to what a VASP job labelled from such inputs."""

    def make(campaign_settings=None, *, is_running=False, **inputs):
        campaign = orm.WorkChainNode(process_type="aiida.workflows:alpot.campaign")
        settings = orm.Dict(campaign_settings or {"name": "copper", "label": {}}).store()
        link(settings, campaign, LinkType.INPUT_WORK, "settings")
        campaign.store()
        job = orm.CalcJobNode(
            computer=orm.load_computer("localhost"), process_type="aiida.calculations:vasp.vasp"
        )
        job.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 4})
        for name, node in inputs.items():
            link(node, job, LinkType.INPUT_CALC, name)
        link(campaign, job, LinkType.CALL_CALC, "label")
        job.store()
        labels = made_by(job, ConfigurationsData.from_configurations(labelled_copper), "labels")
        collect = orm.CalcFunctionNode()
        link(labels, collect, LinkType.INPUT_CALC, "labels_000")
        collect.store()
        entries = [
            {"hash": one, "identifier": "x", "status": "labelled", "node": job.uuid}
            for one in labelled_copper.hashes()
        ]
        training = ConfigurationsData.from_configurations(labelled_copper)
        made_by(collect, training, "labelled")
        made_by(collect, orm.Dict({"entries": entries}), "ledger")
        fit = orm.CalcJobNode(
            computer=orm.load_computer("localhost"), process_type="aiida.calculations:alpot.fit"
        )
        link(training, fit, LinkType.INPUT_CALC, "training__turn_000")
        fit.store()
        made = made_by(fit, PotentialData.from_potential(potential), "potential")
        for process in (job, collect, fit, *(() if is_running else (campaign,))):
            process.seal()
        return made

    def made_by(process, node, label):
        link(process, node, LinkType.CREATE, label)
        return node.store()

    return make


def unpacked(path):
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


def test_an_archive_names_the_potcar_and_holds_none_of_its_text(
    localhost, rests_on, potcar, tmp_path
):
    node = rests_on(potential__Cu=potcar)
    (run,) = label_runs(node)
    assert (run.kind, run.cores, len(run.labels)) == ("vasp.vasp", 4, 4)
    path = tmp_path / "all.aiida"
    write_archive(node, path)
    content = unpacked(path)
    assert potcar.sha512.encode() in content
    assert SECRET.encode() not in content
    assert b"PSCTR" not in content
    assert not find_potcar_text(path)


def test_an_archive_is_written_while_the_campaign_goes_on(localhost, rests_on, tmp_path):
    node = rests_on(is_running=True)
    assert write_archive(node, tmp_path / "all.aiida") == 1 + len(ancestors(node))


def ancestors(node):
    query = orm.QueryBuilder().append(orm.Node, filters={"uuid": node.uuid}, tag="node")
    return query.append(orm.Node, with_descendants="node").all()


def test_an_archive_that_would_carry_a_potcar_is_not_written(localhost, rests_on, tmp_path):
    node = rests_on(file=orm.SinglefileData.from_string(POTCAR, filename="POTCAR").store())
    path = tmp_path / "all.aiida"
    with pytest.raises(ServiceError, match="POTCAR"):
        write_archive(node, path)
    assert not path.exists()


def test_files_that_would_carry_a_potcar_are_taken_back(tmp_path):
    (tmp_path / "good.txt").write_text("nothing", encoding="utf-8")
    require_no_potcar([tmp_path / "good.txt"])
    (tmp_path / "campaign.yaml").write_text(POTCAR, encoding="utf-8")
    with pytest.raises(ServiceError, match=r"campaign\.yaml would hold the text of a POTCAR"):
        require_no_potcar([tmp_path / "good.txt", tmp_path / "campaign.yaml"])
    assert not list(tmp_path.iterdir())


def test_campaigns_are_found_by_the_potcar_of_their_level_of_theory(localhost, rests_on):
    from aiida_alpot.campaign.vasp_settings import vasp_level

    digest = "ab12" * 32
    asked = {"family": "PBE.54", "mapping": {"Cu": "Cu_pv"}, "encut": 400, "kspacing": 0.2}
    level = vasp_level(asked, {"Cu": f"sha512:{digest}"})
    label = {"calculator": {"name": "VASP", "settings": asked}, "level_of_theory": level}
    rests_on({"name": "with a level", "label": label})
    for wanted in (digest[:8], digest.upper(), "Cu_pv", "PBE.54"):
        found = [one for one in campaigns_with_potcar(wanted) if one.hash == digest]
        assert [(one.campaign, one.species, one.symbol) for one in found] == [
            ("with a level", "Cu", "Cu_pv")
        ]
        assert found[0].found_in == "level of theory"
    assert not [one for one in campaigns_with_potcar(digest[:7]) if one.hash == digest]


def test_campaigns_are_found_by_the_potcar_that_their_calculations_took(
    localhost, rests_on, potcar
):
    rests_on({"name": "without a level", "label": {}}, potential__Cu=potcar)
    for wanted in (potcar.sha512[:12], potcar.symbol):
        found = [one for one in campaigns_with_potcar(wanted) if one.campaign == "without a level"]
        assert len(found) == 1
        assert found[0].found_in == "calculations"
        assert found[0].hash == potcar.sha512


def test_the_documented_query_finds_the_campaign_of_a_hash(localhost, rests_on):
    digest = "cd34" * 32
    level = json.dumps(
        {"settings": {"potentials": {"Cu": f"sha512:{digest}"}}}, separators=(",", ":")
    )
    rests_on({"name": "asked for", "label": {"level_of_theory": level}})
    text = (Path(__file__).parents[2] / "docs" / "provenance.md").read_text(encoding="utf-8")
    section = text[text.index("## Which campaigns used this POTCAR?") :]
    (block, *_) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    space = {"digest": digest[:10]}
    exec(compile(block, "provenance.md", "exec"), space)  # our own document
    (uuid,) = space["answer"]
    assert orm.load_node(uuid).inputs.settings["name"] == "asked for"
