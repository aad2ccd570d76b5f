# SPDX-License-Identifier: MIT
"""A moment tensor potential in one node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from aiida_alpot.data.content_file import ContentFileData
from aiida_alpot.errors import SpeciesError
from aiida_alpot.mtp.mlip_files import dump_potential, parse_content
from aiida_alpot.mtp.potential import MomentTensorPotential
from aiida_alpot.mtp.selection_state import parse_state, split_content


class PotentialData(ContentFileData):
    """A potential in the format of MLIP-2 (``.mtp``) or MLIP-3 (``.almtp``), its species recorded.

    What an ``.almtp`` file holds behind the text, an active set, is kept as it is.
    """

    FILENAME: ClassVar[str] = "potential.mtp"
    DESCRIBED_BY: ClassVar[tuple[str, ...]] = (
        "species",
        "level",
        "cutoff",
        "min_distance",
        "n_parameters",
    )

    @classmethod
    def from_text(cls, text: str, *, species: Sequence[str] | None = None) -> PotentialData:
        """Return an unstored node with the potential of the ``.mtp`` file ``text``.

        Parameters
        ----------
        text : str
            Content of the file.
        species : sequence of str, optional
            As for :meth:`from_content`.

        Raises
        ------
        InputFileError
            If the text is not such a file or is truncated.
        SpeciesError
            If the file records no species and none are given, or the two contradict each other.
        """
        return cls.from_content(text.encode("utf-8"), species=species)

    @classmethod
    def from_content(cls, content: bytes, *, species: Sequence[str] | None = None) -> PotentialData:
        """Return an unstored node with the potential of the ``.mtp`` or ``.almtp`` file.

        Parameters
        ----------
        content : bytes
            Of the file.
        species : sequence of str, optional
            Order of the types, for files that do not record it; it is recorded then.

        Raises
        ------
        InputFileError
            If the content is not such a file or is truncated.
        SpeciesError
            If the file records no species and none are given, or the two contradict each other.
        """
        if species is not None:
            potential = parse_content(content, species=species)
            content = dump_potential(potential).encode() + (split_content(content).state or b"")
        node = cls()
        node._set_content(content, source=cls.FILENAME)
        return node

    @classmethod
    def from_potential(cls, potential: MomentTensorPotential) -> PotentialData:
        """Return an unstored node that holds ``potential``."""
        return cls.from_text(dump_potential(potential))

    @classmethod
    def describe(cls, content: bytes, source: str) -> dict[str, Any]:
        """Return species, level, cutoffs (Angstrom) and the number of parameters.

        Raises
        ------
        InputFileError
            If the content is not a whole potential file, or its active set is damaged.
        SpeciesError
            If it records no species.
        """
        potential = parse_content(content, source=source)
        if not potential.species:
            raise SpeciesError(
                f"{source} names no species, as MLIP files do. Give their order: species=[...]."
            )
        state = split_content(content).state
        if state is not None:
            parse_state(
                state,
                n_parameters=potential.n_parameters,
                species=potential.species,
                source=source,
            )
        return {
            "species": list(potential.species),
            "level": potential.basis.level,
            "cutoff": float(potential.cutoff),
            "min_distance": float(potential.min_distance),
            "n_parameters": int(potential.n_parameters),
        }

    def get_text(self) -> str:
        """Return the text of the potential, the content of an ``.mtp`` file."""
        return split_content(self.content).text.decode("utf-8")

    def get_potential(self) -> MomentTensorPotential:
        """Return the potential, ready to be evaluated where numba is installed."""
        return parse_content(self.content, source=f"node {self.uuid}")

    def export(self, path: str | Path) -> None:
        """Write the file at ``path``."""
        Path(path).write_bytes(self.content)

    @property
    def species(self) -> tuple[str, ...]:
        """Chemical symbols in the order of the types."""
        return tuple(self.base.attributes.get("species"))

    @property
    def level(self) -> int | None:
        """Level of the basis; None if the basis is not one of the standard levels."""
        level: int | None = self.base.attributes.get("level")
        return level

    @property
    def cutoff(self) -> float:
        """Radius beyond which atoms do not interact, in Angstrom."""
        return float(self.base.attributes.get("cutoff"))
