# SPDX-License-Identifier: Apache-2.0
"""Insertion of an anomaly: x' = x + w a (c (y - m) + m + b - x), region a, content y of mean m in it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_MODES = {2: "bilinear", 3: "trilinear"}
_FEWEST = 3  # voxels along an axis of a region's box


class SyntheticAnomaly(NamedTuple):
    """One drawn anomaly, on whatever image: everything random is in here."""

    size: tuple[float, ...]
    """Diameters of the ellipse that holds the region, as shares of the image's axes."""
    grid: Tensor
    """Noise that eats into the ellipse, ``(1, 1, *points)``."""
    irregularity: float
    """Weight of this noise, at least 0: from ellipses to ragged blobs."""
    softness: float
    """Share of the region's height over which its edge rises, in (0, 1]."""
    place: float
    """Rank of the central voxel among those where one may be, in [0, 1)."""
    source: float | None
    """Rank of the central voxel that the content is around; ``None`` takes the content that is there."""
    flips: tuple[int, ...]
    """Axes of the channel-first image that the content is flipped along."""
    contrast: float
    """Factor of the content's contrast."""
    brightness: tuple[float, ...]
    """What is added to the content, for each channel; the other way where it would leave [0, 1]."""
    weight: float
    """Weight of the content, in (0, 1]; the rest is the image."""


def soft_region(lengths: Sequence[int], grid: Tensor, irregularity: float, softness: float) -> Tensor:
    """Draw a blob, an ellipse less what noise takes away.

    a = clamp(h / (s max h), 0, 1),  h = 1 - r^2 - k max(n - n0, 0)

    Args:
        lengths: voxels of the box around it.
        grid: noise n, ``(1, 1, *points)``, enlarged to the box; it takes nothing from the center, where it is n0.
        irregularity: weight k of the noise, at least 0.
        softness: share s of the height over which the edge rises, in (0, 1].

    Returns:
        ``(1, *lengths)`` in [0, 1], 0 on the outside.
    """
    noise = F.interpolate(grid, size=tuple(lengths), mode=_MODES[len(lengths)], align_corners=True)[0]
    center = tuple(length // 2 for length in lengths)
    height = 1.0 - irregularity * (noise - noise[0][center]).clamp(min=0.0)
    for axis, length in enumerate(lengths, 1):
        place = (torch.arange(length) + 0.5) * (2.0 / length) - 1.0
        height -= (place * place).view([-1 if a == axis else 1 for a in range(height.ndim)])
    return (height / (softness * height.max())).clamp(0.0, 1.0)


def insert_anomaly(
    image: Tensor, anomaly: SyntheticAnomaly, foreground: Tensor | None = None, min_change: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Put an anomaly into an image.

    Args:
        image: ``(C, *spatial)`` in [0, 1].
        anomaly: what to put in.
        foreground: ``(1, *spatial)``, nonzero where voxels may change; ``None`` means everywhere.
        min_change: the mask holds voxels that differ by more than this in a channel.

    Returns:
        Changed image of the same shape in [0, 1], and ``float32`` mask ``(1, *spatial)``; image and zeros if the
        foreground is empty.
    """
    mask = torch.zeros(1, *image.shape[1:])
    allowed = None if foreground is None else foreground.flatten().nonzero()[:, 0]
    if allowed is not None and len(allowed) == 0:
        return image, mask
    spatial = image.shape[1:]
    lengths = [min(max(_FEWEST, round(share * n)), n) for share, n in zip(anomaly.size, spatial, strict=True)]
    starts = [at - length // 2 for at, length in zip(_voxel(anomaly.place, spatial, allowed), lengths, strict=True)]
    window, inside = [slice(None)], [slice(None)]
    for start, length, n in zip(starts, lengths, spatial, strict=True):  # what is left of the box within the image
        window.append(slice(max(start, 0), min(start + length, n)))
        inside.append(slice(window[-1].start - start, window[-1].stop - start))
    region = soft_region(lengths, anomaly.grid, anomaly.irregularity, anomaly.softness)[tuple(inside)]
    if foreground is not None:
        region = region * (foreground[tuple(window)] > 0)
    content = before = image[tuple(window)]
    if anomaly.source is not None:
        content = _around(image, _voxel(anomaly.source, spatial, allowed), before.shape[1:]).flip(anomaly.flips)
    after = before + anomaly.weight * region * (_adjusted(content, region, anomaly) - before)
    after = after.clamp(0.0, 1.0).to(image.dtype)
    changed = image.clone()
    changed[tuple(window)] = after
    mask[tuple(window)] = ((after - before).abs().amax(dim=0, keepdim=True) > min_change).float()
    return changed, mask


def _voxel(rank: float, spatial: Sequence[int], allowed: Tensor | None) -> list[int]:
    """Find the voxel of a rank in [0, 1), among those that are allowed."""
    count = int(np.prod(spatial)) if allowed is None else len(allowed)
    index = min(int(rank * count), count - 1)
    return [int(i) for i in np.unravel_index(index if allowed is None else int(allowed[index]), tuple(spatial))]


def _around(image: Tensor, center: Sequence[int], lengths: Sequence[int]) -> Tensor:
    """Cut a box around a voxel, moved into the image where it would leave it."""
    box = [slice(None)]
    for at, length, n in zip(center, lengths, image.shape[1:], strict=True):
        start = min(max(at - length // 2, 0), n - length)
        box.append(slice(start, start + length))
    return image[tuple(box)]


def _adjusted(content: Tensor, region: Tensor, anomaly: SyntheticAnomaly) -> Tensor:
    """Change contrast and brightness of a content around its mean in the region."""
    axes = tuple(range(1, content.ndim))
    mean = (content * region).sum(axes, keepdim=True) / region.sum()
    added = torch.tensor(anomaly.brightness, dtype=content.dtype).view_as(mean)
    moved = mean + added
    moved = torch.where((moved < 0.0) | (moved > 1.0), mean - added, moved)
    return anomaly.contrast * (content - mean) + moved
