# SPDX-License-Identifier: MIT
"""Tables, drawings and numbers of the report in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape


def make_table(head: Sequence[str], rows: Iterable[str], *, numbers: Iterable[int] = ()) -> str:
    """Return a table; the columns whose places are ``numbers`` are set flush right."""
    right = set(numbers)
    titles = "".join(
        f"<th class='{'n' if index in right else ''}'>{escape(title)}</th>"
        for index, title in enumerate(head)
    )
    return (
        f"<div class='table'><table><thead><tr>{titles}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def show_picture(svg: str) -> str:
    """Return a drawing as its own block."""
    return f"<div class='picture'>{svg}</div>"


def pretty(text: str) -> str:
    """Return text with the sign of the angstrom in its units."""
    shown = text.replace("A^3", "Å³").replace("/A", "/Å").replace(" A", " Å")
    return "Å" if shown == "A" else shown


def show_grade(value: float | None) -> str:
    """Return a number in three digits, a dash where there is none."""
    return "–" if value is None else f"{value:.3g}"
