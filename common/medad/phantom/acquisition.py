# SPDX-License-Identifier: Apache-2.0
"""Acquisition: contrast, receive bias, gain and Rician noise, as a scanner adds them.

image = gain * |b(x) * v(x)^gamma + n_1 + i n_2|,  log b = a f(x),  n ~ N(0, sigma^2);  0 outside the head
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .fields import Array, smooth_field


def acquire(
    generator: np.random.Generator, intensity: Array, inside: NDArray[np.bool_], axes: Sequence[Array]
) -> NDArray[np.float32]:
    """Turn noise-free intensities into the image of one scan.

    Gain, contrast and bias vary so much between subjects that the statistics of the whole image say nothing about a
    local change.

    Args:
        generator: source of all randomness.
        intensity: noise-free head ``(*spatial)``.
        inside: where the head is; outside the image is exactly 0, as after background suppression.
        axes: coordinates of the grid (`fields.normalized_axes`).

    Returns:
        Image ``(*spatial)``, at least 0, mostly below 1.5.
    """
    gain = generator.uniform(0.7, 1.3)
    gamma = generator.uniform(0.92, 1.08)
    bias = np.exp(generator.uniform(0.03, 0.09) * smooth_field(generator, axes, 2))
    sigma = generator.uniform(0.010, 0.020)
    noise = sigma * generator.standard_normal((2, *intensity.shape))
    image = gain * np.hypot(bias * np.maximum(intensity, 0) ** gamma + noise[0], noise[1])
    return np.where(inside, image, 0).astype(np.float32)
