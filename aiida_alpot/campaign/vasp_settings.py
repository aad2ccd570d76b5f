# SPDX-License-Identifier: MIT
"""Settings of VASP in a campaign: which there are, which INCAR they make, which level they are.

Everything of an INCAR decides the value of a label but for the tags of ``NOT_DECIDING``, which
say how self-consistency is reached, how cores are divided and what is written. Retries change
those alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, ValidationError

from aiida_alpot.campaign.messages import from_validation
from aiida_alpot.campaign.schema.keys import Count, PositiveFloat, Section, Symbol, key
from aiida_alpot.campaign.vasp_tags import (
    CONDUCT,
    DEFAULTS,
    ELSEWHERE,
    FUNCTIONALS,
    NOT_DECIDING,
    REFUSED,
    SELF_CONSISTENT,
)
from aiida_alpot.errors import SettingError

IncarValue = bool | int | float | str | list[bool | int | float | str]
Moment = Annotated[float, Field(allow_inf_nan=False)]


class VaspSettings(Section):
    """The settings of VASP in ``label.settings``."""

    encut: PositiveFloat = key(..., "Cutoff of the plane waves, eV.", "numbers above 0")
    family: str = key(
        ...,
        "Family of POTCAR files in AiiDA, such as PBE.54.",
        "the name of a family",
        min_length=1,
    )
    mapping: dict[Symbol, str] = key(
        {}, "POTCAR by species, as in {Fe: Fe_pv}; the plain one if absent.", "species with names"
    )
    kspacing: PositiveFloat | None = key(
        None, "Largest distance of k-points, 1/A with the factor 2 pi.", "numbers above 0, or kpts"
    )
    kpts: Annotated[list[Count], Field(min_length=3, max_length=3)] | None = key(
        None, "Mesh of k-points for all cells.", "three numbers from 1, or kspacing"
    )
    xc: str | None = key(
        "PBE",
        "Exchange-correlation functional; with null the INCAR or the POTCAR files decide.",
        ", ".join(FUNCTIONALS) + " or nothing",
    )
    incar: dict[str, IncarValue] = key(
        {}, "Further tags of the INCAR.", "tags with numbers, texts, true or false, or lists"
    )
    magmoms: dict[Symbol, Moment] = key(
        {}, "Moments to start from by species, Bohr magnetons.", "species with numbers"
    )
    structure_magmoms: dict[str, list[Moment]] = key(
        {},
        "Moments by the name of the structure that a configuration came from, an atom each.",
        "names of structures with lists of numbers",
    )
    moment_kept: float = key(
        0.3,
        "Least share of the moment asked for that each atom must keep.",
        "numbers from 0 to 1",
        ge=0,
        le=1,
    )
    ldau: dict[str, Any] = key(
        {},
        "Hubbard corrections as aiida-vasp takes them: {mapping: {Fe: [d, 4.0]}, utype: 2}.",
        "mapping, jmapping, utype, felec",
    )
    vacuum: PositiveFloat = key(
        5.0, "A on each side where the cell has no vector.", "numbers above 0"
    )
    parser: dict[str, Any] = key(
        {}, "Parser settings of aiida-vasp, over those that labels need.", "parser settings"
    )
    max_iterations: Count = key(
        1,
        "Runs within one WorkChain of aiida-vasp; the retries of labels come on top.",
        "numbers from 1",
    )


def check_vasp_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings in canonical form, defaults filled in.

    Raises
    ------
    SettingError
        If a setting is unknown, missing or not valid, or a tag of the INCAR cannot be set.
    """
    try:
        checked = VaspSettings.model_validate(dict(settings))
    except ValidationError as error:
        raise SettingError(str(from_validation("VASP", VaspSettings, error))) from error
    if (checked.kspacing is None) == (checked.kpts is None):
        raise SettingError("VASP needs exactly one of the settings 'kspacing' (1/A) and 'kpts'.")
    if checked.xc is not None and checked.xc not in FUNCTIONALS:
        raise SettingError(
            f"Setting 'xc' of VASP is {checked.xc!r}; allowed: {', '.join(FUNCTIONALS)}, or null "
            "with the tags of the functional in 'incar'."
        )
    complete = checked.model_dump()
    complete["incar"] = {
        name.lower(): complete["incar"][name] for name in sorted(complete["incar"])
    }
    _check_incar(complete["incar"], named_functional=checked.xc is not None)
    return complete


def _check_incar(incar: Mapping[str, Any], *, named_functional: bool) -> None:
    for tag, value in incar.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", tag):
            raise SettingError(f"The INCAR has no tag {tag!r}; use letters, digits and '_'.")
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not re.fullmatch(r"[\w .,*+-]*", text, flags=re.ASCII):
                raise SettingError(
                    f"The tag {tag.upper()} of the INCAR is {value!r}; use letters, digits, blanks "
                    "and . , * + - alone."
                )
        if tag in REFUSED:
            raise SettingError(f"The tag {tag.upper()} cannot be set: {REFUSED[tag]}.")
        if tag in ELSEWHERE and (named_functional or tag not in ("gga", "metagga")):
            raise SettingError(f"The tag {tag.upper()} of the INCAR is set by {ELSEWHERE[tag]}.")
    if str(incar.get("algo", "normal")).lower() not in SELF_CONSISTENT:
        raise SettingError(f"ALGO is {incar['algo']!r}; allowed: {', '.join(SELF_CONSISTENT[:6])}.")


def is_spin_polarised(settings: Mapping[str, Any]) -> bool:
    """Return whether checked settings ask for moments, by name or by ISPIN."""
    asked = bool(settings["magmoms"] or settings["structure_magmoms"])
    return asked or settings["incar"].get("ispin") == 2


def incar_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the INCAR of checked settings, names in lower case, without moments of a cell."""
    functional = FUNCTIONALS[settings["xc"]] if settings["xc"] else {}
    spin = {"ispin": 2, "lorbit": 11} if is_spin_polarised(settings) else {"ispin": 1}
    incar = {**CONDUCT, **DEFAULTS, **functional, **spin, **settings["incar"]}
    return {**incar, "encut": settings["encut"]}


def deciding_tags(incar: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tags that decide a label, in canonical form: floats, lower case, sorted."""
    tags = {name.lower(): value for name, value in incar.items()}
    return {name: _canonical(tags[name]) for name in sorted(tags) if name not in NOT_DECIDING}


def _canonical(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_canonical(one) for one in value]
    if isinstance(value, str):
        return value.strip().lower()
    return value if isinstance(value, bool) else float(value)


def vasp_level(settings: Mapping[str, Any], potentials: Mapping[str, str] | None = None) -> str:
    """Return what decides the value of a label, as canonical JSON.

    Parameters
    ----------
    settings : mapping
        Settings, checked or not.
    potentials : mapping of str, optional
        Hash of the POTCAR file of each species. Without them the family and the names stand in
        their place, as far as the campaign file goes; labels carry the hashes.

    Raises
    ------
    SettingError
        If a setting is not valid.
    """
    checked = check_vasp_settings(settings)
    named = {"family": checked["family"], "mapping": dict(sorted(checked["mapping"].items()))}
    level = {
        "calculator": "VASP",
        "settings": {
            "incar": deciding_tags(incar_of(checked)),
            "ldau": checked["ldau"],
            "kpoints": checked["kpts"] or float(checked["kspacing"]),
            "magmoms": {k: float(v) for k, v in sorted(checked["magmoms"].items())},
            "potentials": named if potentials is None else dict(sorted(potentials.items())),
            "structure_magmoms": {
                name: [float(moment) for moment in moments]
                for name, moments in sorted(checked["structure_magmoms"].items())
            },
            "vacuum": float(checked["vacuum"]),
        },
    }
    return json.dumps(level, sort_keys=True, separators=(",", ":"), allow_nan=False)


def moments_of(
    settings: Mapping[str, Any], symbols: list[str], names: tuple[str, ...] = ()
) -> list[float] | None:
    """Return the moments asked for in a cell, or None where no moments are.

    Parameters
    ----------
    settings : mapping
        Checked settings.
    symbols : list of str
        Species of the atoms.
    names : tuple of str
        Names that the cell goes by: its own, and the structure that it came from.

    Raises
    ------
    SettingError
        If moments are given for a structure of another number of atoms.
    """
    if not is_spin_polarised(settings):
        return None
    for name in names:
        if name in settings["structure_magmoms"]:
            moments = [float(moment) for moment in settings["structure_magmoms"][name]]
            if len(moments) != len(symbols):
                raise SettingError(
                    f"structure_magmoms.{name} has {len(moments)} moments for {len(symbols)} atoms."
                )
            return moments
    if not settings["magmoms"]:
        return None
    return [float(settings["magmoms"].get(symbol, 0.0)) for symbol in symbols]
