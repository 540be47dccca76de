# SPDX-License-Identifier: Apache-2.0
"""Phantom data: deterministic head-like images in 2D and 3D, healthy and with lesions, for tests and demonstrations."""

from .dataset import DEFAULT_COUNTS, write_phantom_dataset
from .lesions import LesionKind
from .sample import PHANTOM_VERSION, abnormal_phantom, healthy_phantom

__all__ = [
    "DEFAULT_COUNTS",
    "PHANTOM_VERSION",
    "LesionKind",
    "abnormal_phantom",
    "healthy_phantom",
    "write_phantom_dataset",
]
