# SPDX-License-Identifier: Apache-2.0
"""Value range of a diffusion network: images in [low, high] become [-1, 1] on the way in, and back.

y = 2 (x - low) / (high - low) - 1
"""

from collections.abc import Sequence

from torch import Tensor


def check_value_range(value_range: Sequence[float]) -> tuple[float, float]:
    """Make sure that a range has two ends in the right order.

    Args:
        value_range: values of an image that become -1 and 1.

    Returns:
        The two as numbers.

    Raises:
        ValueError: if there are not two, or the first is not the smaller one.
    """
    if len(value_range) != 2 or not value_range[0] < value_range[1]:
        raise ValueError(f"value_range={list(value_range)}: two numbers are expected, the smaller one first.")
    return float(value_range[0]), float(value_range[1])


def to_network_range(images: Tensor, value_range: Sequence[float]) -> Tensor:
    """Bring images to the range of the network.

    Args:
        images: any shape.
        value_range: values that become -1 and 1; others are continued, nothing is clamped.

    Returns:
        Tensor of the shape of ``images``.
    """
    low, high = value_range
    return (images - low) * (2.0 / (high - low)) - 1.0


def from_network_range(images: Tensor, value_range: Sequence[float]) -> Tensor:
    """Undo :func:`to_network_range`.

    Args:
        images: any shape, in the range of the network.
        value_range: values that -1 and 1 stand for.

    Returns:
        Tensor of the shape of ``images``.
    """
    low, high = value_range
    return (images + 1.0) * ((high - low) / 2.0) + low
