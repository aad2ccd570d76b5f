# SPDX-License-Identifier: MIT
"""What every job must obey, and what parsers do with results that are not as they should be."""

import io
import json

import pytest
from aiida import orm
from aiida.common import LinkType
from aiida.plugins import CalculationFactory
from aiida.plugins.entry_point import get_entry_points

from aiida_alpot import errors
from aiida_alpot.calculations.exit_codes import ERROR_CLASSES
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.parsers import JobParser, LabelParser

CALCULATIONS = [
    point.name for point in get_entry_points("aiida.calculations") if point.name.startswith("alpot")
]
PARTIAL = {"ERROR_PARTIAL_BATCH"}


@pytest.mark.parametrize("name", CALCULATIONS)
def test_what_a_job_refuses_or_loses_is_not_replayed_from_the_cache(name):
    process = CalculationFactory(name)
    own = {label: code for label, code in process.exit_codes.items() if code.status > 200}
    assert len(own) >= 17
    for label, code in own.items():
        assert code.invalidates_cache == (code.status < 400 or label in PARTIAL), label


@pytest.mark.parametrize("name", CALCULATIONS)
def test_every_job_has_a_version_for_the_cache(name):
    assert isinstance(CalculationFactory(name).CACHE_VERSION, int)


def test_every_error_the_user_can_mend_has_an_exit_code():
    classes = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.AlpotError)
    }
    assert set(ERROR_CLASSES) == classes - {"AlpotError"}


@pytest.fixture
def parse(localhost):
    """Parse made-up files as if a job had left them."""

    def run(files, *, name="alpot.fit", parser=JobParser, status=None):
        node = orm.CalcJobNode(computer=localhost, process_type=f"aiida.calculations:{name}")
        node.set_option("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
        node.set_option("scheduler_stderr", "_scheduler-stderr.txt")
        node.store()
        if status is not None:
            node.set_exit_status(status)
            node.set_exit_message("said by the scheduler")
        retrieved = orm.FolderData()
        for filename, given in files.items():
            content = given if isinstance(given, bytes) else given.encode()
            retrieved.base.repository.put_object_from_filelike(io.BytesIO(content), filename)
        retrieved.base.links.add_incoming(node, LinkType.CREATE, "retrieved")
        retrieved.store()
        instance = parser(node)
        return instance, instance.parse()

    return run


def result(job="fit", **content):
    return json.dumps({"schema": 1, "job": job, **content})


def test_a_job_without_result_passes_on_its_last_words(parse):
    _, code = parse({"alpot.err": "Traceback\nImportError: no numba\n\n"})
    assert code.status == 301
    assert "ImportError: no numba" in code.message


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("{ truncated", 302),
        (result("label"), 302),
        (json.dumps({"schema": 7, "job": "fit"}), 303),
        (result(), 304),
        (result(error={"class": "SpeciesError", "message": "no Zr"}), 203),
        (result(error={"class": "Surprise", "message": "?"}), 306),
    ],
    ids=["truncated", "other job", "schema", "no file", "refused", "unknown class"],
)
def test_a_result_that_is_no_success_has_its_exit_code(parse, text, status):
    _, code = parse({"result.json": text})
    assert code.status == status
    assert code.invalidates_cache


def test_an_output_that_cannot_be_read_is_not_stored(parse):
    parser, code = parse({"result.json": result(), "potential.mtp": "MTP\nversion = 1.1.0"})
    assert code.status == 305
    assert "potential" not in parser.outputs


@pytest.mark.parametrize("status", [110, 120, 140])
def test_what_the_scheduler_says_is_never_overridden(parse, status):
    for files in ({}, {"result.json": result(error={"class": "SpeciesError", "message": "x"})}):
        _, code = parse(files, status=status)
        assert code.status == status


def test_labels_of_a_batch_that_was_killed_are_kept(parse, labelled_copper):
    verdict = {"identifier": "cell_0", "hash": labelled_copper.hashes()[0], "seconds": 1.0}
    unfinished = result(
        "label",
        verdicts=[{**verdict, "status": "labelled", "reason": ""}],
        complete=False,
        n_configurations=4,
    )
    first = labelled_copper.select([0]).to_bytes()
    files = {"result.json": unfinished, "labelled.npz": first}
    for status, expected in ((None, 401), (120, 120)):
        parser, code = parse(files, name="alpot.label", parser=LabelParser, status=status)
        assert code.status == expected
        assert parser.outputs["labelled"].label_hashes == labelled_copper.hashes()[:1]
    parser, code = parse({"labelled.npz": first}, name="alpot.label", parser=LabelParser)
    assert code.status == 301
    assert isinstance(parser.outputs["labelled"], ConfigurationsData)
