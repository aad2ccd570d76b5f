# SPDX-License-Identifier: MIT
"""The moment basis of a level: basic moments, the products that contract them, the scalars.

Basic moments are M_{mu; a, b, c} = sum_j f_mu(r_j) x^a y^b z^c / r^(a + b + c). The products are
then executed in order, ``moments[target] += multiplicity * moments[left] * moments[right]``, and
the scalars are picked from the moments: the layout of the ``.mtp`` files of MLIP-2. The scalars are
all distinct full contractions of up to four moments with a summed level 2 + 4 mu + nu up to the
level of the basis (Shapeev, Multiscale Model. Simul. 14, 1153 (2016)), each with unit coefficient.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import gcd

import numpy as np

from aiida_alpot.errors import SettingError
from aiida_alpot.mtp.basis_cache import keep_tables, load_tables
from aiida_alpot.mtp.contraction_schedule import plan_contractions
from aiida_alpot.mtp.contraction_steps import Step, step_terms
from aiida_alpot.mtp.moment_graphs import MAX_RADIAL, MAX_RANK, MomentGraph, scalar_graphs
from aiida_alpot.mtp.tensor_components import components, exponents_of_rank, pack_exponents

Array = np.ndarray
LEVELS = tuple(range(2, 29, 2))
"""Levels that :func:`moment_basis` generates."""
N_SCALARS = (1, 2, 5, 9, 16, 29, 52, 92, 163, 288, 500, 864, 1464, 2445)
"""Number of scalars of each level."""
_SLOW_LEVEL = 20  # from here on generation takes longer than reading a file


@dataclass(frozen=True)
class MomentBasis:
    """Basic moments, products and scalars of a moment tensor potential, as in an ``.mtp`` file.

    Parameters
    ----------
    basic : (n_basic, 4) int64
        mu, a, b, c of each basic moment sum_j f_mu(r_j) x^a y^b z^c / r^(a+b+c).
    products : (n_products, 4) int64
        left, right, multiplicity, target, executed in order; the products of one target stand
        together, targets increase, and the sources of a product lie before its target.
    scalars : (n_scalars,) int64
        Moment that is each scalar basis function.
    n_moments : int
        Basic moments and targets of products.
    level : int or None
        Level of the basis; None where it was read from a file and not recognised.
    """

    basic: Array
    products: Array
    scalars: Array
    n_moments: int
    level: int | None

    @property
    def n_basic(self) -> int:
        """Number of basic moments."""
        return len(self.basic)

    @property
    def n_radial(self) -> int:
        """Number K of radial functions f_mu."""
        return int(self.basic[:, 0].max()) + 1

    @property
    def n_products(self) -> int:
        """Number of products."""
        return len(self.products)

    @property
    def n_scalars(self) -> int:
        """Number of scalar basis functions."""
        return len(self.scalars)


@cache
def moment_basis(level: int) -> MomentBasis:
    """Generate the moment basis of a level.

    Parameters
    ----------
    level : int
        Even, 2 to 28.

    Returns
    -------
    MomentBasis
        Its arrays are read-only and the same in every run. Scalars are ordered by level first, in
        the order of :func:`scalar_keys`.

    Raises
    ------
    SettingError
        If there is no such level.

    Examples
    --------
    >>> basis = moment_basis(8)
    >>> basis.n_radial, basis.n_basic, basis.n_scalars
    (2, 11, 9)
    """
    _require_level(level)
    tables = load_tables(level) if level >= _SLOW_LEVEL else None
    if tables is None or set(tables) != {"basic", "products", "scalars", "n_moments"}:
        tables = _generate_tables(level)
        if level >= _SLOW_LEVEL:
            keep_tables(level, tables)
    return MomentBasis(
        basic=_read_only(tables["basic"]),
        products=_read_only(tables["products"]),
        scalars=_read_only(tables["scalars"]),
        n_moments=int(tables["n_moments"]),
        level=level,
    )


def _generate_tables(level: int) -> dict[str, Array]:
    """Return the fields of the moment basis of a level."""
    basic = _basic_moments(level)
    scalars = scalar_graphs(level)
    assembly = _Assembly(basic, scalars)
    for graph, step in plan_contractions(scalars).items():
        assembly.execute(graph, step)
    return {
        "basic": np.array(basic, dtype=np.int64),
        "products": np.array(assembly.products, dtype=np.int64).reshape(-1, 4),
        "scalars": np.array([assembly.index[scalar][0] for scalar in scalars], dtype=np.int64),
        "n_moments": np.array(assembly.n_moments),
    }


def scalar_keys(basis_level: int) -> tuple[MomentGraph, ...]:
    """Return what identifies each scalar of :func:`moment_basis`, whatever the level of the basis.

    Parameters
    ----------
    basis_level : int
        Even, 2 to 28.

    Returns
    -------
    tuple of MomentGraph
        mu of each moment of the contraction and the number of indices contracted between each two,
        in canonical numbering. Equal keys of two levels name equal functions.

    Raises
    ------
    SettingError
        If there is no such level.

    Examples
    --------
    >>> set(scalar_keys(8)) < set(scalar_keys(12))
    True
    """
    _require_level(basis_level)
    return scalar_graphs(basis_level)


def recognise_level(basis: MomentBasis) -> int | None:
    """Return the level with as many radial functions, basic moments and scalars, if any."""
    for level, n_scalars in zip(LEVELS, N_SCALARS, strict=True):
        basic = _basic_moments(level)
        counts = (len(basic), max(basic)[0] + 1, n_scalars)
        if counts == (basis.n_basic, basis.n_radial, basis.n_scalars):
            return level
    return None


def _require_level(level: int) -> None:
    if level not in LEVELS:
        raise SettingError(
            f"There is no moment tensor potential of level {level}. "
            f"Choose an even level from {LEVELS[0]} to {LEVELS[-1]}."
        )


def _basic_moments(level: int) -> list[tuple[int, int, int, int]]:
    """Return mu, a, b, c of the moments that stand in a scalar of the level.

    A moment with indices needs a partner with as many, at least M_{0,nu}: 4 + 4 mu + 2 nu <= level.
    """
    moments = []
    for mu in range(MAX_RADIAL + 1):
        for nu in range(MAX_RANK + 1):
            if (2 + 4 * mu if nu == 0 else 4 + 4 * mu + 2 * nu) <= level:
                moments += [(mu, a, b, c) for a, b, c in exponents_of_rank(nu)]
    return moments


class _Assembly:
    """Products in order of execution, and where the components of each tensor stand."""

    def __init__(
        self, basic: Sequence[tuple[int, int, int, int]], scalars: Sequence[MomentGraph]
    ) -> None:
        self.products: list[tuple[int, int, int, int]] = []
        self.n_moments = len(basic)
        self.index: dict[MomentGraph, Array] = {}
        self._scale: dict[MomentGraph, Array] = {}
        self._scalars = frozenset(scalars)
        self._known: dict[tuple[tuple[int, int, int], ...], int] = {}
        self._place_basic(basic)

    def _place_basic(self, basic: Sequence[tuple[int, int, int, int]]) -> None:
        place = {(mu, pack_exponents(a, b, c)): index for index, (mu, a, b, c) in enumerate(basic)}
        for mu, nu in sorted({(mu, a + b + c) for mu, a, b, c in basic}):
            graph = MomentGraph((mu,), (), ((nu,),) if nu else ())
            names = components(graph).tolist()
            self.index[graph] = np.array([place[mu, name] for name in names])
            self._scale[graph] = np.ones(len(names), dtype=np.int64)

    def execute(self, graph: MomentGraph, step: Step) -> None:
        """Append the products of a step.

        Intermediates are stored divided by the common divisor of their multiplicities, which keeps
        the integers of later products small, and once where two of them are the same sum.
        """
        terms = step_terms(graph, step)
        left, right = self.index[step.left][terms.left], self.index[step.right][terms.right]
        multiplicity = (
            terms.multiplicity
            * self._scale[step.left][terms.left]
            * self._scale[step.right][terms.right]
        )
        rows = np.stack([np.minimum(left, right), np.maximum(left, right), multiplicity], axis=1)
        first = np.searchsorted(terms.target, np.arange(1, len(components(graph))))
        placed = [self._append(group, graph in self._scalars) for group in np.split(rows, first)]
        self.index[graph] = np.array([index for index, _ in placed])
        self._scale[graph] = np.array([scale for _, scale in placed])

    def _append(self, rows: Array, is_scalar: bool) -> tuple[int, int]:
        """Append one moment; return its index and the factor that its stored value lacks."""
        multiplicity: dict[tuple[int, int], int] = defaultdict(int)
        for left, right, count in rows.tolist():
            multiplicity[left, right] += count
        scale = 1 if is_scalar else gcd(*multiplicity.values())
        terms = tuple(sorted((*pair, count // scale) for pair, count in multiplicity.items()))
        if terms not in self._known:
            self._known[terms] = self.n_moments
            self.products += [(*term, self.n_moments) for term in terms]
            self.n_moments += 1
        return self._known[terms], scale


def _read_only(array: Array) -> Array:
    array.flags.writeable = False
    return array
