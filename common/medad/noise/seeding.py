# SPDX-License-Identifier: Apache-2.0
"""Seeds of fields: samples, channels and, where time is no coordinate, times have fields of their own."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .counter import counter_bits, mix


def check_call(images: Tensor, seeds: Tensor, spatial_dims: int, times: Tensor | None) -> None:
    """Refuse a call whose tensors do not fit together.

    Args:
        images: ``(B, C, *spatial)``.
        seeds: ``int64`` seeds ``(B,)``.
        spatial_dims: number of spatial axes that ``images`` must have.
        times: ``(B,)`` or None.

    Raises:
        ValueError: if a shape or dtype is wrong.
    """
    if images.ndim != spatial_dims + 2:
        raise ValueError(f"images of shape {tuple(images.shape)}: {spatial_dims} spatial axes are expected.")
    if not images.is_floating_point():
        raise ValueError(f"images of type {images.dtype}: a floating point type is expected.")
    if seeds.shape != images.shape[:1] or seeds.dtype != torch.int64:
        raise ValueError(f"seeds {seeds.dtype} {tuple(seeds.shape)}: int64 ({len(images)},) is expected.")
    if times is not None and times.shape != images.shape[:1]:
        raise ValueError(f"times of shape {tuple(times.shape)}: ({len(images)},) is expected.")


def check_origin(origin: Sequence[int] | None, spatial_dims: int) -> tuple[int, ...]:
    """Give the index of the first voxel as integers.

    Args:
        origin: one integer per spatial axis, or None for zeros.
        spatial_dims: number of spatial axes.

    Returns:
        ``spatial_dims`` integers.

    Raises:
        ValueError: if the number of axes differs.
    """
    if origin is None:
        return (0,) * spatial_dims
    if len(origin) != spatial_dims:
        raise ValueError(f"origin={tuple(origin)}: one index for each of {spatial_dims} spatial axes is expected.")
    return tuple(int(index) for index in origin)


def field_seeds(seeds: Tensor, channels: int, times: Tensor | None = None) -> Tensor:
    """Derive the seed of every field.

    Args:
        seeds: ``int64`` seeds ``(B,)``.
        channels: number of channels C; channel c of a sample does not depend on how many there are.
        times: ``(B,)`` if each time shall have a field of its own; None is the same as 0.

    Returns:
        ``int64`` seeds ``(B, C)``.
    """
    if times is not None:
        # + 0.0 turns -0.0 into 0.0; time 0 changes nothing, so that it equals None
        bits = (times.to(device=seeds.device, dtype=torch.float64) + 0.0).view(torch.int64)
        seeds = seeds ^ torch.where(bits == 0, bits, mix(bits))
    return counter_bits(seeds, channels)
