# SPDX-License-Identifier: Apache-2.0
"""Insertion of lesions: x' = max(x + m k r (1 + t), 0), blob m, contrast k, reference r, texture t."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_MODES = {2: "bilinear", 3: "trilinear"}
_REFERENCE_DEPTH = 0.35
_CENTER_DEPTH, _LEAST_DEPTH = 0.17, 0.12
_DARK_TISSUE = 0.55
_SURE, _FAINT = 0.3, 0.05
_VISIBLE = 0.07
_BLACK = 1e-6


class SyntheticLesion(NamedTuple):
    """One drawn lesion, on whatever image: everything random is in here."""

    place: float
    """Rank of the central voxel among those deep enough, in [0, 1)."""
    shape: Tensor
    """``(D, D)``: from an offset in shares of the image's axes to one in which the lesion is the unit ball."""
    border: tuple[Tensor, ...]
    """Noises that move the border, each ``(1, 1, *points)`` over the image, in units of the radius."""
    softness: float
    """Width of the edge, in units of the radius."""
    contrast: float
    """Change of intensity in units of the reference, negative for a dark lesion."""
    texture: Tensor
    """Noise ``(1, 1, *points)`` by which the change differs from place to place."""


class LesionedImage(NamedTuple):
    """An image with lesions, and what there is to know about them."""

    image: Tensor
    """``(C, *spatial)``."""
    change: Tensor
    """What heals the image: that without lesions less that with them, ``(C, *spatial)``."""
    lesions: Tensor
    """``(1, *spatial)``: 1 in a lesion, 0 outside, -1 where it is too faint for either."""


def insert_lesions(
    image: Tensor, depth: Tensor, lesions: Sequence[SyntheticLesion], spare_dark: bool = False
) -> LesionedImage:
    """Put lesions into an image.

    Centers are deeper than 0.17, and nothing changes at a depth below 0.12. The reference is the median of what is
    deeper than 0.35. A lesion counts where its blob is above 0.3 and it is visible: where the change, averaged over 3
    voxels along each axis, is above 0.07 of the reference in a channel. What else is above 0.05 of a blob is too faint
    to call.

    Args:
        image: ``(C, *spatial)``, at least 0.
        depth: ``(1, *spatial)``: how deep in the object a voxel is, see :func:`medad.morphology.relative_depth`.
        lesions: what to put in, one after the other.
        spare_dark: whether what is darker than 0.55 of the reference, such as fluid, stays as it is.

    Returns:
        The image with lesions; as it was, if it is nowhere deep enough.
    """
    allowed = (depth[0] > _CENTER_DEPTH).nonzero()
    deep = image[:, depth[0] > _REFERENCE_DEPTH]
    if not (lesions and len(allowed) and deep.numel()):
        return LesionedImage(image, torch.zeros_like(image), torch.zeros_like(depth))
    reference = deep.median(dim=1).values.view(-1, *[1] * (image.ndim - 1))
    changeable = depth > _LEAST_DEPTH
    if spare_dark:
        changeable = changeable & (image > _DARK_TISSUE * reference).any(dim=0)
    lesioned, blob = image, torch.zeros_like(depth)
    for lesion in lesions:
        center = allowed[min(int(lesion.place * len(allowed)), len(allowed) - 1)]
        membership = lesion_blob(image.shape[1:], center, lesion) * changeable
        texture = 1.0 + enlarged(lesion.texture, image.shape[1:]).to(image.device)
        lesioned = (lesioned + membership * (lesion.contrast * reference) * texture).clamp(min=0.0)
        blob = torch.maximum(blob, membership)
    change = image - lesioned
    seen = _mean_of_neighbors((change / reference.clamp(min=_BLACK)).abs().amax(dim=0, keepdim=True)) > _VISIBLE
    marks = torch.where((blob > _SURE) & seen, 1.0, torch.where(blob > _FAINT, -1.0, 0.0))
    return LesionedImage(lesioned, change, marks)


def lesion_blob(spatial: Sequence[int], center: Tensor, lesion: SyntheticLesion) -> Tensor:
    """Draw a blob: an ellipsoid with an irregular, soft border.

    m = sigmoid((1 - |S (p - c)| + sum n) / s), shape S, noises n, softness s

    Args:
        spatial: size of the image.
        center: voxel c, ``(D,)``.
        lesion: the rest.

    Returns:
        ``(1, *spatial)`` in (0, 1).
    """
    lines = [(torch.arange(size) - at) / size for size, at in zip(spatial, center.tolist(), strict=True)]
    offset = torch.stack(torch.meshgrid(*lines, indexing="ij")).to(center.device)
    radius = torch.tensordot(lesion.shape.to(center.device), offset, dims=1).norm(dim=0, keepdim=True)
    height = 1.0 - radius
    for noise in lesion.border:
        height = height + enlarged(noise, spatial).to(center.device)
    return torch.sigmoid(height / lesion.softness)


def enlarged(grid: Tensor, spatial: Sequence[int]) -> Tensor:
    """Interpolate noise ``(1, 1, *points)`` to ``(1, *spatial)``, from border to border."""
    return F.interpolate(grid, size=tuple(spatial), mode=_MODES[len(spatial)], align_corners=True)[0]


def _mean_of_neighbors(values: Tensor) -> Tensor:
    """Average ``(1, *spatial)`` over 3 voxels along each axis; the border is replicated."""
    spatial_dims = values.ndim - 1
    padded = F.pad(values[None], [1] * (2 * spatial_dims), mode="replicate")
    return {2: F.avg_pool2d, 3: F.avg_pool3d}[spatial_dims](padded, 3, stride=1)[0]
