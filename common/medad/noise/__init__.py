# SPDX-License-Identifier: Apache-2.0
"""Noise fields, reproducible per sample: a field is a function of its seed, not of batch, order or device."""

from .backends import backend
from .coarse import CoarseNoise
from .counter import counter_bits, counter_integers, counter_normal, counter_uniform
from .gaussian import GaussianNoise
from .protocol import Noise
from .simplex import FractalSimplexNoise

__all__ = [
    "CoarseNoise",
    "FractalSimplexNoise",
    "GaussianNoise",
    "Noise",
    "backend",
    "counter_bits",
    "counter_integers",
    "counter_normal",
    "counter_uniform",
]
