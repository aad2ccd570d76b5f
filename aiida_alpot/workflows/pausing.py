# SPDX-License-Identifier: MIT
"""A turn that waits for a person before it spends: the setting ``pause_before``.

The turn pauses as AiiDA pauses any process: its checkpoint and its node say so, the message stands
as the status of the process, and playing it (``alpot approve``, ``verdi process play``) goes on
with the next step, also after a restart of the daemon.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiida_alpot.campaign.forecast import shown_core_time
from aiida_alpot.configurations import Configurations
from aiida_alpot.data import ConfigurationsData
from aiida_alpot.jobs.carve_settings import CarveSettings
from aiida_alpot.workflows.caching import CachingWorkChain
from aiida_alpot.workflows.forecasting import law_of_forecast
from aiida_alpot.workflows.label.builder import labeller
from aiida_alpot.workflows.settings import LabelSettings, read_section

PAUSED = "paused before"
"""Begins the status of a process that waits for a person."""


class PausingWorkChain(CachingWorkChain):
    """Base of the turn: steps that pause it where the settings ask for that."""

    def pauses_before_labels(self) -> bool:
        """Return whether a person wants to look before labels are paid for."""
        return self._pauses_before("label")

    def pauses_before_fit(self) -> bool:
        """Return whether a person wants to look before a fit."""
        return self._pauses_before("fit")

    def pause_before_labels(self) -> None:
        """Pause until a person approves of the labels."""
        sets = self.sets_to_label()
        works = [work for node in sets for work in self.works_of(node)]
        law = law_of_forecast(self.forecast())
        cost = "at a cost that nothing tells yet"
        if law is not None:
            cost = f"about {shown_core_time(law.estimate(works).middle)}"
        self._pause(f"{PAUSED} labelling {count_words(len(works))}, {cost}: alpot approve")

    def pause_before_fit(self) -> None:
        """Pause until a person approves of the new labels."""
        increment = self.outputs["increment"]
        known = sum(node.n_configurations for node in self.inputs.get("training", {}).values())
        self._pause(
            f"{PAUSED} fitting to {count_words(increment.n_configurations)} more than the {known} "
            "there were: alpot approve"
        )

    def sets_to_label(self) -> Sequence[ConfigurationsData]:
        """Return what the next step labels; a subclass says."""
        raise NotImplementedError

    def forecast(self) -> dict[str, object] | None:
        """Return the forecast that the turn was given, None without one."""
        if "forecast" not in self.inputs:
            return None
        content: dict[str, object] = self.inputs.forecast.get_dict()
        return content

    def works_of(self, node: ConfigurationsData) -> list[int]:
        """Return atoms x k-points of each configuration, as the labeller counts them."""
        return self._works_of(node.get_configurations())

    def works_of_labels(self, node: ConfigurationsData) -> list[int]:
        """Return the work that a label of each candidate means at most, of chunks where carved."""
        carve = CarveSettings.from_mapping(self.inputs.settings.get_dict().get("carve"))
        frames = node.get_configurations()
        return self._works_of(frames if carve is None else carve.largest_chunks(frames))

    def works_as_carved(self, node: ConfigurationsData) -> list[float]:
        """Return atoms x k-points of each candidate, where it is carved with the mesh of chunks.

        The cost of a chunk follows from that of its frame by the numbers of atoms alone then.
        """
        carve = CarveSettings.from_mapping(self.inputs.settings.get_dict().get("carve"))
        frames = node.get_configurations()
        if carve is None:
            return [float(work) for work in self._works_of(frames)]
        chunks = carve.largest_chunks(frames)
        shares = frames.n_atoms / chunks.n_atoms
        return [
            work * share
            for work, share in zip(self._works_of(chunks), shares.tolist(), strict=True)
        ]

    def _works_of(self, configurations: Configurations) -> list[int]:
        label = read_section(self.inputs.settings.get_dict(), LabelSettings)
        process = labeller(label.workchain)
        settings = process.check_settings(label.calculator)
        return [
            process.work_of(configurations, index, settings) for index in range(len(configurations))
        ]

    def _pauses_before(self, step: str) -> bool:
        return bool(self.inputs.settings.get_dict().get("pause_before") == step)

    def _pause(self, message: str) -> None:
        self.report(message)
        self.pause(message)


def count_words(count: int) -> str:
    """Return a number of configurations in words."""
    return f"{count} configuration" + ("" if count == 1 else "s")
