# SPDX-License-Identifier: MIT
"""Many configurations, labelled or not, in one node."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.errors import GeometryError


class ConfigurationsData(ContentFileData):
    """Configurations as one deterministic ``.npz`` file.

    The attributes name what a query needs: how many there are, of which species, how many carry
    labels, of which level of theory, and the hashes of those that are labelled, so that a label
    is found without opening a file.
    """

    FILENAME: ClassVar[str] = "configurations.npz"
    DESCRIBED_BY: ClassVar[tuple[str, ...]] = (
        "n_configurations",
        "n_atoms",
        "species",
        "n_labelled",
        "level_of_theory",
        "label_hashes",
    )

    @classmethod
    def from_configurations(cls, configurations: Configurations) -> ConfigurationsData:
        """Return an unstored node that holds ``configurations``."""
        node = cls()
        node._set_content(configurations.to_bytes(), source=cls.FILENAME)
        return node

    @classmethod
    def describe(cls, content: bytes, source: str) -> dict[str, Any]:
        """Return counts, species, level of theory and the hashes of what is labelled.

        Raises
        ------
        InputFileError
            If the content is not an ``.npz`` file of configurations.
        GeometryError
            If a position or a cell is not finite.
        """
        configurations = Configurations.from_bytes(content, source=source)
        _require_places(configurations, source)
        complete = fully_labelled(configurations)
        return {
            "n_configurations": len(configurations),
            "n_atoms": int(configurations.offsets[-1]),
            "species": list(configurations.species),
            "n_labelled": int(configurations.labelled.sum()),
            "level_of_theory": configurations.level_of_theory,
            "label_hashes": configurations.select(complete).hashes(),
        }

    def get_configurations(self) -> Configurations:
        """Return the configurations that the node holds."""
        return Configurations.from_bytes(self.content, source=f"node {self.uuid}")

    @property
    def n_configurations(self) -> int:
        """Number of configurations."""
        return int(self.base.attributes.get("n_configurations"))

    @property
    def n_labelled(self) -> int:
        """Number of configurations with an energy or forces."""
        return int(self.base.attributes.get("n_labelled"))

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols that occur, by atomic number."""
        return tuple(self.base.attributes.get("species"))

    @property
    def level_of_theory(self) -> str:
        """Canonical JSON of the level of theory; empty when nothing is labelled."""
        return str(self.base.attributes.get("level_of_theory"))

    @property
    def label_hashes(self) -> list[str]:
        """Hashes of the configurations that have both an energy and all forces."""
        return list(self.base.attributes.get("label_hashes"))


def _require_places(configurations: Configurations, source: str) -> None:
    for name, values in (("position", configurations.positions), ("cell", configurations.cells)):
        if not np.isfinite(values).all():
            raise GeometryError(
                f"{source} holds a {name} that is not finite. The file is damaged or its maker "
                "failed: write it again."
            )


def fully_labelled(configurations: Configurations) -> np.ndarray:
    """Return for each configuration, (n,) bool, whether it has an energy and all forces."""
    is_absent = ~np.isfinite(configurations.forces).all(axis=1)
    n_absent = np.concatenate([[0], np.cumsum(is_absent)])
    has_forces = n_absent[configurations.offsets[1:]] == n_absent[configurations.offsets[:-1]]
    complete: np.ndarray = np.isfinite(configurations.energy) & has_forces
    return complete
