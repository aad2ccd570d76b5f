# SPDX-License-Identifier: MIT
"""One geometry that moves: dynamics, metadynamics, energy contours, relaxation."""
