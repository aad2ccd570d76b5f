# SPDX-License-Identifier: MIT
"""The machines file: where the jobs of a campaign run."""

from __future__ import annotations

from typing import Any

from aiida_alpot.campaign.schema.keys import Count, Section, key


class SizeClass(Section):
    """Where the label jobs of cells up to a size run."""

    up_to: Count | None = key(
        None, "Largest atoms x k-points of the class; the last class has none.", "numbers from 1"
    )
    resources: dict[str, Any] = key({}, "Resources of a job.", "resources of an AiiDA CalcJob")
    options: dict[str, Any] = key(
        {}, "Options over those of the role.", "metadata.options of an AiiDA CalcJob"
    )
    batch_size: Count | None = key(
        None, "Most configurations of one job, in place of label.batch_size.", "numbers from 1"
    )


class Role(Section):
    """Where the jobs of one role run."""

    code: str | None = key(None, "Code in AiiDA, such as alpot@cluster.", "the label of a code")
    resources: dict[str, Any] = key(
        {"num_machines": 1, "num_mpiprocs_per_machine": 1},
        "Resources of a job.",
        "resources of an AiiDA CalcJob",
    )
    options: dict[str, Any] = key(
        {},
        "Other options of the scheduler: queue_name, max_wallclock_seconds, prepend_text, ...",
        "metadata.options of an AiiDA CalcJob",
    )
    threads: Count = key(1, "Threads of a job; results can depend on it.", "numbers from 1")
    max_jobs: Count = key(8, "Most jobs of this role at a time.", "numbers from 1")
    max_submitted: Count | None = key(
        None,
        "Most label jobs of all campaigns together on the computer of the code.",
        "numbers from 1",
    )
    sizes: list[SizeClass] = key(
        [],
        "Resources of label jobs by the size of their cells, smallest first.",
        "a list of classes with up_to, resources, options, batch_size",
    )


class MachinesFile(Section):
    """Where the jobs of a campaign run."""

    keep_folders: bool = key(
        False,
        "Keep the folders of jobs that ended well on their computers; those of failed jobs stay "
        "in any case.",
        "true or false",
    )
    fit: Role = key(Role(), "Fits and selections.", "code, resources, options, threads")
    sample: Role = key(Role(), "Samplers and properties.", "code, resources, options, ...")
    label: Role = key(Role(max_jobs=4), "Labels.", "code, resources, options, ...")
