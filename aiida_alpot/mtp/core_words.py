# SPDX-License-Identifier: MIT
"""A ZBL core in the words that record it in a potential file.

They stand in the line ``potential_tag`` behind the species: ``zbl Cu-Cu 1.2 1.9 Cu-Zr 1.3 2.1
...``, every pair once with its inner and outer radius in Angstrom; ``zbl-overlay`` for an overlay.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

from ase.data import atomic_numbers

from aiida_alpot.errors import InputFileError, SettingError
from aiida_alpot.mtp.zbl import CorePair, ZblCore

_FADING, _OVERLAY = "zbl", "zbl-overlay"


def core_as_words(core: ZblCore, species: Sequence[str]) -> str:
    """Return the words for all pairs of ``species``; numbers read back to the same bits."""
    words = [_FADING if core.fades else _OVERLAY]
    for pair in core.completed(species).pairs:
        words += [f"{pair.first}-{pair.second}", repr(pair.inner), repr(pair.outer)]
    return " ".join(words)


def split_core(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the words of a ``potential_tag`` into the species and those of the core."""
    for index, word in enumerate(words):
        if word in (_FADING, _OVERLAY):
            return list(words[:index]), list(words[index:])
    return list(words), []


def core_from_words(words: Sequence[str], species: Sequence[str], source: str) -> ZblCore | None:
    """Read a core, or None where there are no words; ``source`` names the file in messages.

    Raises
    ------
    InputFileError
        If the words are garbled or a pair of ``species`` is missing.
    """
    if not words:
        return None
    try:
        core = ZblCore(tuple(_read_pairs(words[1:])), fades=words[0] == _FADING)
    except (ValueError, SettingError) as error:
        raise InputFileError(
            f"{source}: the ZBL core in 'potential_tag' is garbled ({error}). The file is "
            "truncated or damaged: copy or write it again."
        ) from error
    named = {frozenset((pair.first, pair.second)) for pair in core.pairs}
    for first, second in combinations_with_replacement(species, 2):
        if frozenset((first, second)) not in named:
            raise InputFileError(
                f"{source}: the ZBL core in 'potential_tag' lacks the pair {first}-{second}. The "
                "file is truncated or damaged: copy or write it again."
            )
    return core


def _read_pairs(words: Sequence[str]) -> Iterator[CorePair]:
    for name, inner, outer in zip(words[::3], words[1::3], words[2::3], strict=True):
        first, second = name.split("-")
        if first not in atomic_numbers or second not in atomic_numbers:
            raise ValueError(f"{name!r} is no pair of species")
        yield CorePair(first, second, float(inner), float(outer))
