# SPDX-License-Identifier: MIT
"""Derivatives of energies, forces and strain derivatives by every parameter, atom by atom.

Symbols: V site energy, B_s scalars, M_b basic moments (n_basic), phi_k radial basis, f_mu radial
functions, u unit vector to a neighbour j, r_j the vector, Y_m monomials of u. For one atom, with c the
coefficients of its pairs (t type of the neighbour) and xi those of the scalars::

    d(dV/dr_j)/dxi_s    = sum_b (dB_s/dM_b) dM_b/dr_j
    d(dV/dr_j)/dc_t,mu,k = sum_b H_b dM_b/dr_j + [j of type t] d(phi_k h_mu)/dr_j
    H_b  = sum_b' (d2V/dM_b dM_b') A_b',  A_b' = sum_(j of type t) phi_k Y_m(b'), b' with this mu
    h_mu = sum_(b with mu) (dV/dM_b) Y_m(b)

dB_s/dM_b comes from a reverse pass through the products for 8 scalars side by side, H_b from a tangent
and a reverse pass for 8 polynomials k side by side. Neighbours are stored 8 to a vector, all of one type;
places not taken hold a dummy beyond the cutoff. *Columns* of an atom are [t][mu][k], then s; a *row* of
``gradients`` holds the x, then the y, then the z of dV/dr_j for all places, padded to ``width``.
"""

from __future__ import annotations

import numpy as np

from aiida_alpot.mtp.kernels.lanes import (
    LANES,
    WIDE,
    compiled,
    fma,
    load_narrow,
    load_wide,
    splat_narrow,
    splat_wide,
    store,
)


@compiled
def place_neighbors(atom, first, neighbor, vectors, types, n_species, cutoff, places, kinds, xyz):
    """Distribute the neighbours of an atom over places, those of one type to whole vectors.

    ``places`` receives the index of the pair in each place (-1: dummy), ``kinds`` the type of each vector,
    ``xyz`` the coordinates. Returns the number of vectors.
    """
    n_vectors = 0
    capacity = len(places)
    for kind in range(n_species):
        at = n_vectors * LANES
        for pair in range(first[atom], first[atom + 1]):
            if types[neighbor[pair]] == kind:
                places[at] = pair
                for axis in range(3):
                    xyz[axis * capacity + at] = vectors[pair, axis]
                at += 1
        end = (at + LANES - 1) // LANES
        for place in range(at, end * LANES):
            places[place] = -1
            xyz[place] = cutoff + 1.0
            xyz[capacity + place] = 0.0
            xyz[2 * capacity + place] = 0.0
        for vector in range(n_vectors, end):
            kinds[vector] = kind
        n_vectors = end
    return n_vectors


@compiled
def expand_radially(
    n_places, coefficients, kinds, min_distance, cutoff, scaling, xyz, unit, radial, slopes, values
):
    """Evaluate u, 1/r, phi_k and dphi_k/dr (``radial``, ``slopes``), f_mu and its slope (``values``)."""
    capacity = len(xyz) // 3
    n_radial, size = coefficients.shape[1:]
    stretch = 2.0 / (cutoff - min_distance)
    for place in range(n_places):
        x = xyz[place]
        y = xyz[capacity + place]
        z = xyz[2 * capacity + place]
        r = np.sqrt(x * x + y * y + z * z)
        unit[place] = x / r
        unit[capacity + place] = y / r
        unit[2 * capacity + place] = z / r
        unit[3 * capacity + place] = 1.0 / r
        argument = (2.0 * r - (min_distance + cutoff)) / (cutoff - min_distance)
        q = cutoff - r if r < cutoff else 0.0
        # T_(-1) = T_1 starts the recurrence
        before, now = argument, 1.0
        before_slope, now_slope = stretch, 0.0
        for k in range(size):
            radial[k * capacity + place] = scaling * now * q * q
            slopes[k * capacity + place] = scaling * (now_slope * q - 2.0 * now) * q
            after = 2.0 * argument * now - before
            after_slope = 2.0 * (stretch * now + argument * now_slope) - before_slope
            before, now = now, after
            before_slope, now_slope = now_slope, after_slope
    for vector in range(n_places // LANES):
        at = vector * LANES
        for mu in range(n_radial):
            value = splat_narrow(0.0)
            slope = splat_narrow(0.0)
            for k in range(size):
                c = splat_narrow(coefficients[kinds[vector], mu, k])
                value = fma(c, load_narrow(radial, k * capacity + at), value)
                slope = fma(c, load_narrow(slopes, k * capacity + at), slope)
            store(values, 2 * mu * capacity + at, value)
            store(values, (2 * mu + 1) * capacity + at, slope)


@compiled
def differentiate_basics(tables, n_places, width, unit, values, monomials, basics):
    """Evaluate Y_m with its gradient (``monomials``: value, x, y, z) and dM_b/dr_j (``basics``)."""
    capacity = len(unit) // 4
    for at in range(0, n_places, LANES):
        inverse = load_narrow(unit, 3 * capacity + at)
        for m in range(len(tables.monomial_parent)):
            row = 4 * m * capacity + at
            if m == 0:
                value = splat_narrow(1.0)
            else:
                parent = load_narrow(monomials, 4 * tables.monomial_parent[m] * capacity + at)
                value = parent * load_narrow(unit, tables.monomial_axis[m] * capacity + at)
            store(monomials, row, value)
            powers = tables.monomial_powers[m]
            degree = splat_narrow(-(powers[0] + powers[1] + powers[2]))
            for axis in range(3):
                u = load_narrow(unit, axis * capacity + at)
                lower = load_narrow(monomials, 4 * tables.monomial_lower[m, axis] * capacity + at)
                slope = fma(splat_narrow(powers[axis]), lower, degree * value * u) * inverse
                store(monomials, row + (axis + 1) * capacity, slope)
        for b in range(len(tables.basic_mu)):
            row = 4 * tables.basic_monomial[b] * capacity + at
            f = load_narrow(values, 2 * tables.basic_mu[b] * capacity + at)
            slope = load_narrow(values, (2 * tables.basic_mu[b] + 1) * capacity + at)
            outward = slope * load_narrow(monomials, row)
            for axis in range(3):
                gradient = load_narrow(monomials, row + (axis + 1) * capacity)
                u = load_narrow(unit, axis * capacity + at)
                store(basics, b * width + axis * n_places + at, fma(f, gradient, outward * u))


@compiled
def project_on_radial_basis(tables, n_species, size, n_places, kinds, radial, monomials, projected):
    """Evaluate A_t,m,k = sum over neighbours of type t of phi_k Y_m; k is padded to whole vectors."""
    capacity = len(monomials) // (4 * len(tables.monomial_parent))
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    phi = np.zeros(lanes)
    projected[: n_species * n_monomials * lanes] = 0.0
    for place in range(n_places):
        for k in range(size):
            phi[k] = radial[k * capacity + place]
        of_kind = kinds[place // LANES] * n_monomials
        for block in range(0, lanes, LANES):
            vector = load_narrow(phi, block)
            for m in range(n_monomials):
                at = (of_kind + m) * lanes + block
                y = splat_narrow(monomials[4 * m * capacity + place])
                store(projected, at, fma(y, vector, load_narrow(projected, at)))


@compiled
def contract_moments(tables, coefficients, projected, moments):
    """Evaluate all moments of an atom from the projections."""
    n_species, n_radial, size = coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    n_monomials = len(tables.monomial_parent)
    n_basic = len(tables.basic_mu)
    for b in range(n_basic):
        total = 0.0
        for kind in range(n_species):
            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes
            for k in range(size):
                total += coefficients[kind, tables.basic_mu[b], k] * projected[at + k]
        moments[b] = total
    for group in range(len(tables.first_product) - 1):
        total = 0.0
        for q in range(tables.first_product[group], tables.first_product[group + 1]):
            total += tables.weight[q] * moments[tables.left[q]] * moments[tables.right[q]]
        moments[n_basic + group] = total


@compiled
def differentiate_energy(tables, xi, moments, gradient):
    """Evaluate dV/dM for every moment of an atom."""
    gradient[:] = 0.0
    for s in range(len(xi)):
        gradient[tables.scalar[s]] += xi[s]
    for q in range(len(tables.target) - 1, -1, -1):
        g = tables.weight[q] * gradient[tables.target[q]]
        gradient[tables.left[q]] += g * moments[tables.right[q]]
        gradient[tables.right[q]] += g * moments[tables.left[q]]


@compiled
def differentiate_scalars(tables, group, moments, adjoint):
    """Evaluate dB_s/dM for 8 scalars s side by side."""
    for at in range(0, len(adjoint), LANES):
        store(adjoint, at, splat_narrow(0.0))
    start = group * LANES
    for s in range(start, min(start + LANES, len(tables.scalar))):
        adjoint[tables.scalar[s] * LANES + s - start] += 1.0
    for index in range(tables.group_first[group], tables.group_first[group + 1]):
        q = tables.group_products[index]
        left = tables.left[q]
        right = tables.right[q]
        g = splat_narrow(tables.weight[q]) * load_narrow(adjoint, tables.target[q] * LANES)
        at = left * LANES
        store(adjoint, at, fma(splat_narrow(moments[right]), g, load_narrow(adjoint, at)))
        at = right * LANES
        store(adjoint, at, fma(splat_narrow(moments[left]), g, load_narrow(adjoint, at)))


@compiled
def respond_to_radial(
    tables, kind, mu, block, lanes, projected, moments, gradient, tangent, adjoint
):
    """Evaluate H_b for 8 polynomials k of one radial function f_mu side by side."""
    for at in range(0, len(tangent), LANES):
        store(tangent, at, splat_narrow(0.0))
        store(adjoint, at, splat_narrow(0.0))
    n_monomials = len(tables.monomial_parent)
    for b in range(len(tables.basic_mu)):
        if tables.basic_mu[b] == mu:
            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes + block
            store(tangent, b * LANES, load_narrow(projected, at))
    for index in range(tables.forward_first[mu], tables.forward_first[mu + 1]):
        q = tables.forward_products[index]
        left = tables.left[q]
        right = tables.right[q]
        at = tables.target[q] * LANES
        weight = tables.weight[q]
        total = load_narrow(tangent, at)
        total = fma(
            splat_narrow(weight * moments[left]), load_narrow(tangent, right * LANES), total
        )
        total = fma(
            splat_narrow(weight * moments[right]), load_narrow(tangent, left * LANES), total
        )
        store(tangent, at, total)
    for index in range(tables.backward_first[mu], tables.backward_first[mu + 1]):
        q = tables.backward_products[index]
        left = tables.left[q]
        right = tables.right[q]
        weight = tables.weight[q]
        g = splat_narrow(weight * gradient[tables.target[q]])
        h = splat_narrow(weight) * load_narrow(adjoint, tables.target[q] * LANES)
        at = left * LANES
        total = fma(g, load_narrow(tangent, right * LANES), load_narrow(adjoint, at))
        store(adjoint, at, fma(splat_narrow(moments[right]), h, total))
        at = right * LANES
        total = fma(g, load_narrow(tangent, left * LANES), load_narrow(adjoint, at))
        store(adjoint, at, fma(splat_narrow(moments[left]), h, total))


@compiled
def sum_one_column(lane, chosen, start, end, width, adjoint, basics, row, gradients):
    """Write sum_b adjoint_b dM_b/dr_j over the chosen basic moments to one row of ``gradients``."""
    for at in range(0, width, WIDE):
        total = splat_wide(0.0)
        for index in range(start, end):
            b = chosen[index]
            weight = splat_wide(adjoint[b * LANES + lane])
            total = fma(weight, load_wide(basics, b * width + at), total)
        store(gradients, row * width + at, total)


@compiled
def sum_four_columns(lane, chosen, start, end, width, adjoint, basics, row, gradients):
    """Do the same for four lanes and rows at once, which shares the loads."""
    for at in range(0, width, WIDE):
        total0 = splat_wide(0.0)
        total1 = splat_wide(0.0)
        total2 = splat_wide(0.0)
        total3 = splat_wide(0.0)
        for index in range(start, end):
            b = chosen[index]
            value = load_wide(basics, b * width + at)
            first = b * LANES + lane
            total0 = fma(splat_wide(adjoint[first]), value, total0)
            total1 = fma(splat_wide(adjoint[first + 1]), value, total1)
            total2 = fma(splat_wide(adjoint[first + 2]), value, total2)
            total3 = fma(splat_wide(adjoint[first + 3]), value, total3)
        store(gradients, row * width + at, total0)
        store(gradients, (row + 1) * width + at, total1)
        store(gradients, (row + 2) * width + at, total2)
        store(gradients, (row + 3) * width + at, total3)


@compiled
def add_direct_terms(
    tables, kind, mu, size, n_places, width, kinds, gradient, unit, radial, slopes, monomials, row,
    gradients,
):  # fmt: skip
    """Add d(phi_k h_mu)/dr_j for the neighbours of one type, all k."""
    capacity = len(unit) // 4
    for vector in range(n_places // LANES):
        if kinds[vector] != kind:
            continue
        at = vector * LANES
        h = splat_narrow(0.0)
        hx = splat_narrow(0.0)
        hy = splat_narrow(0.0)
        hz = splat_narrow(0.0)
        for b in range(len(tables.basic_mu)):
            if tables.basic_mu[b] == mu:
                g = splat_narrow(gradient[b])
                m = 4 * tables.basic_monomial[b] * capacity + at
                h = fma(g, load_narrow(monomials, m), h)
                hx = fma(g, load_narrow(monomials, m + capacity), hx)
                hy = fma(g, load_narrow(monomials, m + 2 * capacity), hy)
                hz = fma(g, load_narrow(monomials, m + 3 * capacity), hz)
        for k in range(size):
            phi = load_narrow(radial, k * capacity + at)
            outward = load_narrow(slopes, k * capacity + at) * h
            to = (row + k) * width + at
            x = fma(outward, load_narrow(unit, at), load_narrow(gradients, to))
            store(gradients, to, fma(phi, hx, x))
            to += n_places
            y = fma(outward, load_narrow(unit, capacity + at), load_narrow(gradients, to))
            store(gradients, to, fma(phi, hy, y))
            to += n_places
            z = fma(outward, load_narrow(unit, 2 * capacity + at), load_narrow(gradients, to))
            store(gradients, to, fma(phi, hz, z))


@compiled
def scatter_forces(
    atom, start, n_atoms, n_places, width, places, neighbor, row, column, gradients, first_column,
    jacobian,
):  # fmt: skip
    """Add one row of ``gradients`` to the forces on the atom and its neighbours.

    Row ``column`` of ``jacobian`` holds from ``first_column`` on the x, then y, then z components
    of the forces on the ``n_atoms`` atoms of the block, whose first atom is ``start``.
    """
    for axis in range(3):
        at = row * width + axis * n_places
        to = first_column + axis * n_atoms - start
        total = 0.0
        for place in range(n_places):
            pair = places[place]
            if pair >= 0:
                g = gradients[at + place]
                total += g
                jacobian[column, to + neighbor[pair]] -= g
        jacobian[column, to + atom] += total


@compiled
def add_strain(n_places, width, xyz, row, column, gradients, first_column, jacobian):
    """Add sum_j r_j (dV/dr_j), which is symmetric, to six entries of a row of ``jacobian``."""
    capacity = len(xyz) // 3
    part = np.empty(LANES)
    for voigt in range(6):
        if voigt < 3:
            left, right = voigt, voigt
        else:
            # yz, xz, xy
            left, right = (1 if voigt == 3 else 0), (1 if voigt == 5 else 2)
        total = splat_narrow(0.0)
        for at in range(0, n_places, LANES):
            g = load_narrow(gradients, row * width + right * n_places + at)
            total = fma(load_narrow(xyz, left * capacity + at), g, total)
        store(part, 0, total)
        added = 0.0
        for lane in range(LANES):
            added += part[lane]
        jacobian[column, first_column + voigt] += added


@compiled
def accumulate_block(
    tables, offsets, first_configuration, n_configurations, with_radial, with_forces,
    first, neighbor, vectors, types, radial_coefficients, xi, min_distance, cutoff, scaling, jacobian,
):  # fmt: skip
    """Fill the Jacobian of a block of configurations, which must come as zeros.

    ``jacobian`` has a row for each parameter, radial [centre][neighbour][mu][k], species, moments;
    without ``with_radial`` the radial ones are left out. Its columns are the energies, then where
    ``with_forces`` is set six strain derivatives of each configuration, then the x, y and z components
    of the forces on all atoms.
    """
    n_species, _, n_radial, size = radial_coefficients.shape
    lanes = (size + LANES - 1) // LANES * LANES
    n_scalars = len(xi)
    n_moments = len(tables.basic_mu) + len(tables.first_product) - 1
    n_monomials = len(tables.monomial_parent)
    start = offsets[first_configuration]
    end = offsets[first_configuration + n_configurations]
    n_atoms = end - start
    most = 0
    for atom in range(start, end):
        most = max(most, first[atom + 1] - first[atom])
    capacity = (most + LANES - 1) // LANES * LANES + n_species * LANES
    widest = (3 * capacity + WIDE - 1) // WIDE * WIDE
    places = np.zeros(capacity, np.int64)
    kinds = np.zeros(capacity // LANES, np.int64)
    xyz = np.zeros(3 * capacity)
    unit = np.zeros(4 * capacity)
    radial = np.zeros(size * capacity)
    slopes = np.zeros(size * capacity)
    values = np.zeros(2 * n_radial * capacity)
    monomials = np.zeros(4 * n_monomials * capacity)
    basics = np.zeros(len(tables.basic_mu) * widest)
    projected = np.zeros(n_species * n_monomials * lanes)
    moments = np.zeros(n_moments)
    gradient = np.zeros(n_moments)
    tangent = np.zeros(n_moments * LANES)
    adjoint = np.zeros(n_moments * LANES)
    gradients = np.zeros(LANES * widest)
    of_pair = n_radial * size
    n_radial_rows = n_species * n_species * of_pair if with_radial else 0
    for configuration in range(n_configurations):
        strain = n_configurations + 6 * configuration
        forces = 7 * n_configurations
        for atom in range(
            offsets[first_configuration + configuration],
            offsets[first_configuration + configuration + 1],
        ):
            centre = types[atom]
            coefficients = radial_coefficients[centre]
            n_vectors = place_neighbors(
                atom, first, neighbor, vectors, types, n_species, cutoff, places, kinds, xyz
            )
            n_places = n_vectors * LANES
            width = (3 * n_places + WIDE - 1) // WIDE * WIDE
            expand_radially(
                n_places, coefficients, kinds, min_distance, cutoff, scaling, xyz, unit, radial,
                slopes, values,
            )  # fmt: skip
            differentiate_basics(tables, n_places, width, unit, values, monomials, basics)
            project_on_radial_basis(
                tables, n_species, size, n_places, kinds, radial, monomials, projected
            )
            contract_moments(tables, coefficients, projected, moments)
            jacobian[n_radial_rows + centre, configuration] += 1.0
            for s in range(n_scalars):
                row = n_radial_rows + n_species + s
                jacobian[row, configuration] += moments[tables.scalar[s]]
            if with_forces:
                for group in range((n_scalars + LANES - 1) // LANES):
                    differentiate_scalars(tables, group, moments, adjoint)
                    for lane in range(min(LANES, n_scalars - group * LANES)):
                        s = group * LANES + lane
                        column = n_radial_rows + n_species + s
                        sum_one_column(
                            lane, tables.scalar_basics, tables.scalar_first[s],
                            tables.scalar_first[s + 1], width, adjoint, basics, lane, gradients,
                        )  # fmt: skip
                        scatter_forces(
                            atom, start, n_atoms, n_places, width, places, neighbor, lane, column,
                            gradients, forces, jacobian,
                        )  # fmt: skip
                        add_strain(n_places, width, xyz, lane, column, gradients, strain, jacobian)
            if not with_radial:
                continue
            differentiate_energy(tables, xi, moments, gradient)
            for kind in range(n_species):
                for mu in range(n_radial):
                    column = (centre * n_species + kind) * of_pair + mu * size
                    for b in range(len(tables.basic_mu)):
                        if tables.basic_mu[b] == mu:
                            at = (kind * n_monomials + tables.basic_monomial[b]) * lanes
                            for k in range(size):
                                jacobian[column + k, configuration] += (
                                    gradient[b] * projected[at + k]
                                )
                    if not with_forces:
                        continue
                    for block in range(0, lanes, LANES):
                        respond_to_radial(
                            tables, kind, mu, block, lanes, projected, moments, gradient, tangent,
                            adjoint,
                        )  # fmt: skip
                        for lane in range(0, LANES, 4):
                            sum_four_columns(
                                lane, tables.response_basics, tables.response_first[mu],
                                tables.response_first[mu + 1], width, adjoint, basics, lane,
                                gradients,
                            )  # fmt: skip
                        n_columns = min(LANES, size - block)
                        add_direct_terms(
                            tables, kind, mu, n_columns, n_places, width, kinds, gradient, unit,
                            radial[block * capacity :], slopes[block * capacity :], monomials, 0,
                            gradients,
                        )  # fmt: skip
                        for lane in range(n_columns):
                            scatter_forces(
                                atom, start, n_atoms, n_places, width, places, neighbor, lane,
                                column + block + lane, gradients, forces, jacobian,
                            )  # fmt: skip
                            add_strain(
                                n_places, width, xyz, lane, column + block + lane, gradients,
                                strain, jacobian,
                            )  # fmt: skip
