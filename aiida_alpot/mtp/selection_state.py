# SPDX-License-Identifier: MIT
r"""The selection state of MLIP: the active rows that follow the text of a potential.

An ``.almtp`` file of MLIP-3 is the text of an ``.mtp`` file, then::

    #MVS_v1.1
    energy_weight 0.0                 five lines of a key and a number, also as ``key = number``
    force_weight 0.0
    stress_weight 0.0
    site_en_weight 1.0
    weight_scaling 2
    #<A><X>                           2 n^2 little-endian doubles, n the number of parameters
    #
    3 17                              n lines: configuration of each row, row within it; or -1 -1
    #
    BEGIN_CFG ...                     the configurations

A holds the active rows, X the transposed inverse, so that c_i = sum_j b_j X_ij of a row b and its
grade is max \|c\|. The lines of the configurations may be missing. MLIP-2's ``.mvs`` files
(also ``.als``) have the line ``^<w>`` instead, w four doubles (site energy, energy, force, stress
weight), then ``#<A><X>``, the lines and the configurations.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from aiida_alpot.configurations import Configurations
from aiida_alpot.errors import InputFileError
from aiida_alpot.mtp.mlip_configurations import format_cfg, parse_cfg

Array = np.ndarray
_MARK = b"#MVS_v1.1"
_WEIGHTS = ("energy_weight", "force_weight", "stress_weight", "site_en_weight", "weight_scaling")
_WEIGHT_LINES = re.compile(
    rb"\s*#MVS_v1\.1[^\n]*\n"
    + b"".join(rb"\s*%s[ \t=]+([^\s=]\S*)[ \t\r]*\n" % k.encode() for k in _WEIGHTS)
)
_DAMAGED = "The file is truncated or belongs to another potential: copy or write it again."


class ContentParts(NamedTuple):
    """A potential file in its two parts; ``state`` is None for a potential alone."""

    text: bytes
    state: bytes | None


@dataclass(frozen=True)
class SelectionState:
    """Active rows as MLIP keeps them; see the module for the symbols.

    Parameters
    ----------
    energy_weight, force_weight, stress_weight, site_energy_weight : float
        Weights of the rows of the energy, the forces, the stress and the sites.
    weight_scaling : int
        Rows of an energy are divided by N^(weight_scaling / 2).
    rows : (n, n) float64
        A.
    inverse : (n, n) float64
        A^-1, not transposed.
    configuration : (n,) int64
        Index of the configuration of each row, -1 for fictitious rows.
    row : (n,) int64
        Which of its rows it is: in states of sites the atom. -1 for fictitious rows.
    configurations : Configurations
        May be empty.
    """

    energy_weight: float
    force_weight: float
    stress_weight: float
    site_energy_weight: float
    weight_scaling: int
    rows: Array
    inverse: Array
    configuration: Array
    row: Array
    configurations: Configurations


def split_content(content: bytes) -> ContentParts:
    """Split a potential file before its selection state."""
    for mark in (b"\n" + _MARK, b"\n^"):
        at = content.find(mark)
        if at >= 0:
            return ContentParts(content[: at + 1], content[at + 1 :])
    return ContentParts(content, None)


def parse_state(
    state: bytes, *, n_parameters: int, species: Sequence[str], source: str
) -> SelectionState:
    """Read the part of a file that follows the text of the potential.

    Parameters
    ----------
    state : bytes
        Of :func:`split_content`.
    n_parameters : int
        Of the potential; decides the size of the matrices.
    species : sequence of str
        Of the potential, in the order of its types.
    source : str
        Names the file in messages.

    Raises
    ------
    InputFileError
        If the state is truncated, garbled or of another size, or its numbers are not finite.
    """
    check_size(state, n_parameters=n_parameters, source=source)
    weights, at = _parse_weights(state, source)
    n_bytes = 8 * n_parameters**2
    rows, transposed = (
        np.frombuffer(state, dtype="<f8", count=n_parameters**2, offset=start)
        .reshape(n_parameters, n_parameters)
        .astype(np.float64)
        for start in (at, at + n_bytes)
    )
    if not (np.isfinite(rows).all() and np.isfinite(transposed).all()):
        raise InputFileError(
            f"{source}: the active set holds numbers that are not finite. {_DAMAGED}"
        )
    links, configurations = _parse_rest(state[at + 2 * n_bytes :], n_parameters, species, source)
    return SelectionState(
        *weights,
        rows=rows,
        inverse=np.ascontiguousarray(transposed.T),
        configuration=links[:, 0].copy(),
        row=links[:, 1].copy(),
        configurations=configurations,
    )


def check_size(state: bytes, *, n_parameters: int, source: str) -> None:
    """Raise InputFileError unless both matrices for so many parameters are there."""
    _, at = _parse_weights(state, source)
    n_bytes = 16 * n_parameters**2
    if len(state) < at + n_bytes:
        raise InputFileError(
            f"{source}: the active set of {n_parameters} parameters takes {n_bytes} bytes, "
            f"{len(state) - at} are there. {_DAMAGED}"
        )


def format_state(state: SelectionState, species: Sequence[str]) -> bytes:
    """Return the bytes that follow the text of the potential in an ``.almtp`` file."""
    values = (
        f"{state.energy_weight:.16e}",
        f"{state.force_weight:.16e}",
        f"{state.stress_weight:.16e}",
        f"{state.site_energy_weight:.16e}",
        f"{state.weight_scaling:d}",
    )
    weights = [f"{key} {value}\n" for key, value in zip(_WEIGHTS, values, strict=True)]
    links = [f"{a} {b}\n" for a, b in zip(state.configuration, state.row, strict=True)]
    return b"".join(
        [
            _MARK + b"\n",
            "".join(weights).encode(),
            b"#",
            state.rows.astype("<f8").tobytes(),
            state.inverse.T.astype("<f8").tobytes(),
            b"\n#\n",
            "".join(links).encode(),
            b"#\n",
            format_cfg(state.configurations, species).encode(),
        ]
    )


def _parse_weights(state: bytes, source: str) -> tuple[tuple[float, float, float, float, int], int]:
    """Return the weights in the order of the dataclass, and where the matrices begin."""
    if state.startswith(b"^"):
        if len(state) < 34 or state[33:35] != b"\n#":
            raise InputFileError(f"{source}: the weights of the active set are cut off. {_DAMAGED}")
        site, energy, force, stress = np.frombuffer(state, dtype="<f8", count=4, offset=1).tolist()
        return (energy, force, stress, site, 2), 35
    found = _WEIGHT_LINES.match(state)
    start = state.find(b"#", found.end()) if found else -1
    try:
        if found is None or start < 0:
            raise ValueError("a line is missing")
        energy, force, stress, site = (float(value) for value in found.groups()[:4])
        scaling = int(found[5])
    except ValueError as error:
        raise InputFileError(
            f"{source}: the weights of the active set are garbled ({error}). {_DAMAGED}"
        ) from error
    return (energy, force, stress, site, scaling), start + 1


def _parse_rest(
    rest: bytes, n: int, species: Sequence[str], source: str
) -> tuple[Array, Configurations]:
    """Return configuration and row of each active row, and the configurations."""
    try:
        text = rest.decode("utf-8").lstrip()
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{source}: the active set is larger than {n} parameters take. {_DAMAGED}"
        ) from error
    links = np.full((n, 2), -1, dtype=np.int64)
    if text and not text.startswith("BEGIN_CFG"):
        table, _, text = text.removeprefix("#").lstrip().partition("BEGIN_CFG")
        text = f"BEGIN_CFG{text}" if text else ""
        links = _parse_links(table.rstrip().removesuffix("#"), n, source)
    if not text:
        return np.full((n, 2), -1, dtype=np.int64), Configurations.empty()
    configurations = parse_cfg(text, source=source, species=species or None)
    if links[:, 0].max(initial=-1) >= len(configurations):
        raise InputFileError(
            f"{source}: active rows belong to configuration {links[:, 0].max()}, "
            f"{len(configurations)} are there. {_DAMAGED}"
        )
    return links, configurations


def _parse_links(table: str, n: int, source: str) -> Array:
    words = table.split()
    try:
        values = np.array([int(word) for word in words], dtype=np.int64)
    except (ValueError, OverflowError):
        values = np.zeros(0, dtype=np.int64)
    if len(values) != 2 * n or values.min(initial=0) < -1:
        raise InputFileError(
            f"{source}: after the active set {n} lines say where its rows come from; "
            f"{table[:20]!r} does not begin them, or they are not all there. {_DAMAGED}"
        )
    links: Array = values.reshape(n, 2)
    return links
