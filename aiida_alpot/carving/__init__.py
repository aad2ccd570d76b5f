# SPDX-License-Identifier: MIT
"""Nearsighted force training: chunks about uncertain atoms teach one force each."""

from aiida_alpot.carving.choice import choose_atoms
from aiida_alpot.carving.chunks import Chunk, carve_chunk
from aiida_alpot.carving.labels import (
    central_atom,
    chunks_as_configurations,
    frame_of_chunk,
    is_carved,
    keep_central_forces,
    without_saturation,
    without_species,
)
from aiida_alpot.carving.locality import Locality, measure_locality
from aiida_alpot.carving.most_atoms import carve_at_most
from aiida_alpot.carving.passivation import passivate
from aiida_alpot.carving.periodic_chunks import carve_periodic_chunk

__all__ = [
    "Chunk",
    "Locality",
    "carve_at_most",
    "carve_chunk",
    "carve_periodic_chunk",
    "central_atom",
    "choose_atoms",
    "chunks_as_configurations",
    "frame_of_chunk",
    "is_carved",
    "keep_central_forces",
    "measure_locality",
    "passivate",
    "without_saturation",
    "without_species",
]
