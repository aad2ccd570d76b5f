# SPDX-License-Identifier: MIT
"""Settings as frozen dataclasses: declared with help, made from plain values, refused in words.

Each field carries its help text in ``metadata["help"]``, from which the campaign file and its
documentation are made; a physical quantity names its unit there.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from aiida_alpot.errors import SettingError


def setting(default: Any, help_text: str) -> Any:
    """Declare a setting with its default and its help."""
    return dataclasses.field(default=default, metadata={"help": help_text})


def required_setting(help_text: str) -> Any:
    """Declare a setting that has no default."""
    return dataclasses.field(metadata={"help": help_text})


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise SettingError, naming the setting, its value and what is allowed, unless it holds."""
    if not condition:
        raise SettingError(f"'{name}' is {value!r}; it must be {allowed}.")


def require_symbols(name: str, symbols: Iterable[str]) -> None:
    """Raise SettingError, naming the setting and the word, unless each is a chemical symbol."""
    from ase.data import atomic_numbers

    for symbol in symbols:
        # ASE knows "X", which stands for no element
        require(
            symbol in atomic_numbers and symbol != "X", name, symbol, "a list of chemical symbols"
        )


def make_settings(settings_class: type, values: Mapping[str, Any], *, owner: str) -> Any:
    """Build a frozen dataclass of settings from plain values.

    Lists become tuples, whole numbers are taken where a real number is asked for, and mappings
    are checked value by value. NaN and infinity are no numbers.

    Raises
    ------
    SettingError
        If a key is unknown or missing, or a value is of the wrong type.
    """
    hints = typing.get_type_hints(settings_class)
    fields = {field.name: field for field in dataclasses.fields(settings_class)}
    for key in values:
        if key not in fields:
            allowed = ", ".join(fields)
            raise SettingError(f"Unknown key '{key}' of {owner}; allowed are {allowed}.")
    for name, field in fields.items():
        missing = (field.default, field.default_factory)
        if name not in values and missing == (dataclasses.MISSING, dataclasses.MISSING):
            raise SettingError(f"The {owner} lacks the key '{name}'.")
    converted = {
        key: _convert(value, hints[key], f"'{key}' of {owner}") for key, value in values.items()
    }
    return settings_class(**converted)


def _convert(value: Any, hint: Any, name: str) -> Any:
    for option in _options(hint):
        fits, converted = _try_option(value, option)
        if fits:
            return converted
    allowed = " or ".join(_describe_type(option) for option in _options(hint))
    raise SettingError(f"{name} is {value!r}; it must be {allowed}.")


def _options(hint: Any) -> tuple[Any, ...]:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _try_option(value: Any, hint: Any) -> tuple[bool, Any]:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return value in typing.get_args(hint), value
    if origin is tuple:
        return _try_tuple(value, typing.get_args(hint))
    if origin is Mapping:
        return _try_mapping(value, typing.get_args(hint)[1])
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and isinstance(value, Mapping):
        owner = hint.__name__.removesuffix("Settings").lower()
        return True, make_settings(hint, value, owner=owner)
    if hint is float:
        return _try_number(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool), value
    return isinstance(value, hint), value


def _try_number(value: Any) -> tuple[bool, Any]:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False, value
    try:
        number = float(value)
    except OverflowError:  # a whole number of more digits than any real one has
        return False, value
    return math.isfinite(number), number


def _try_tuple(value: Any, items: tuple[Any, ...]) -> tuple[bool, Any]:
    if not isinstance(value, (list, tuple)):
        return False, value
    if len(items) == 2 and items[1] is Ellipsis:
        items = (items[0],) * len(value)
    if len(value) != len(items):
        return False, value
    pairs = [_try_option(one, hint) for one, hint in zip(value, items, strict=True)]
    return all(fits for fits, _ in pairs), tuple(converted for _, converted in pairs)


def _try_mapping(value: Any, hint: Any) -> tuple[bool, Any]:
    """Try a mapping whose keys are text; of each value the first option that fits counts."""
    if not isinstance(value, Mapping):
        return False, value
    made = {}
    for key, one in value.items():
        tried = [_try_option(one, option) for option in _options(hint)]
        fitting = [converted for fits, converted in tried if fits]
        if not isinstance(key, str) or not fitting:
            return False, value
        made[key] = fitting[0]
    return True, made


def _describe_type(hint: Any) -> str:
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(hint))
    if origin is tuple:
        return f"a list [{', '.join(_describe_type(item) for item in typing.get_args(hint))}]"
    if origin is Mapping:
        value = " or ".join(_describe_type(one) for one in _options(typing.get_args(hint)[1]))
        return f"a mapping of names to {value}"
    if hint is Ellipsis:
        return "..."
    if dataclasses.is_dataclass(hint):
        return "keys and values of its own"
    names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
    return "null" if hint is type(None) else names.get(hint, getattr(hint, "__name__", str(hint)))
