# SPDX-License-Identifier: MIT
"""What a key of a campaign file is: its type, default and description, and what it allows."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def key(default: Any, description: str, allowed: str, **constraints: Any) -> Any:
    """Return the field of a key: its default (``...`` if required), what it is, what is allowed."""
    if isinstance(default, (list, dict)):
        constraints["default_factory"] = default.copy
    else:
        constraints["default"] = default
    return Field(description=description, json_schema_extra={"allowed": allowed}, **constraints)


def _known_symbol(symbol: str) -> str:
    from ase.data import atomic_numbers

    if symbol == "X" or symbol not in atomic_numbers:
        raise ValueError("not a chemical symbol")
    return symbol


def _plain_name(name: str) -> str:
    if not name or not name.replace("_", "").replace("-", "").isalnum() or not name.isascii():
        raise ValueError("not a plain name")
    return name


Symbol = Annotated[str, AfterValidator(_known_symbol)]
Name = Annotated[str, AfterValidator(_plain_name)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]
Limit = (
    Annotated[float, Field(ge=0, allow_inf_nan=False)]
    | Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)? ?%$")]
)

NAME = "letters, digits, '-' and '_'"


class Section(BaseModel):
    """Base of all sections: unknown keys are refused and nothing is converted silently."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, populate_by_name=True)


class OpenSection(Section):
    """A section that also takes the settings of a kind, which are checked against that kind."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True, populate_by_name=True)
