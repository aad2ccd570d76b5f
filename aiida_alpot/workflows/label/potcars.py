# SPDX-License-Identifier: MIT
"""POTCAR files of aiida-vasp: which ones species have, and what they are known by."""

from __future__ import annotations

from collections.abc import Mapping

from aiida.common.exceptions import MultipleObjectsError, NotExistent

from aiida_alpot.errors import SettingError


def potcar_names(symbols: list[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the name of the POTCAR file of each species."""
    return {symbol: mapping.get(symbol, symbol) for symbol in sorted(set(symbols))}


def potcar_hashes(species: list[str], family: str, mapping: Mapping[str, str]) -> dict[str, str]:
    """Return the hash of the POTCAR file of each species.

    Raises
    ------
    SettingError
        If the family is not in this profile, or has no such file.
    """
    from aiida_vasp.data.potcar import PotcarData

    names = potcar_names(species, mapping)
    if PotcarData.get_potcar_group(family) is None:
        raise SettingError(
            f"There is no family {family!r} of POTCAR files in this profile. Upload it: "
            f"aiida-vasp potcar uploadfamily --path FOLDER --name {family} --description TEXT"
        )
    try:
        found = PotcarData.get_potcars_dict(list(names), family_name=family, mapping=names)
    except (NotExistent, MultipleObjectsError, ValueError) as error:
        raise SettingError(
            f"The family {family!r} lacks a POTCAR file of {names}: {error}. Name another in "
            "settings.mapping, or upload it."
        ) from error
    return {symbol: f"sha512:{found[symbol].sha512}" for symbol in names}
