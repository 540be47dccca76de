# SPDX-License-Identifier: Apache-2.0
"""Head in magnetic resonance images of any contrast, with or without skull: the convex hull of its bright parts."""

import numpy as np
import torch
from monai.data import MetaTensor
from scipy import ndimage
from torch import Tensor

from ..errors import InputError
from ..morphology import Mask, components, convex_hull, neighborhood
from .foreground import ObjectMaskd

_FIELD = 256  # points along the longest side of the image that the lengths below count in
_SIGMA = 1.5
_OPENING = 2
_BRIGHTEST = 0.97  # what is brighter, such as fat or vessels, does not move the threshold
_SHARE_OF_THRESHOLD = 0.5
_SHARE_OF_LARGEST = 0.1
_SHARE_OF_LARGEST_SLICE = 0.05
_FULL = 0.95  # no head fills its frame: the corners are air


def head_mask(image: Tensor) -> Tensor:
    """Find the head, slice by slice.

    The image is smoothed; what is brighter than half of Otsu's threshold is opened, so that noise and thin streaks go;
    pieces with few voxels above the threshold itself are dropped, and the convex hull of the rest is the head: eyes,
    skull, ventricles and air in the sinuses belong to it, whatever the contrast. Lengths are shares of the longest side
    of the image. The threshold and the pieces of a volume belong to all of its slices, hulls to each one. Slices that
    show less than a twentieth of what the largest one shows are left out.

    Args:
        image: ``(C, x, y)``, or a volume ``(C, x, y, z)`` of slices along its last axis; 0 is its background. Voxel
            sizes count where it has an affine.

    Returns:
        Boolean mask ``(1, *spatial)`` on the image's device; empty where nothing is brighter than the background.

    Raises:
        ValueError: if the image has another number of axes.
    """
    if image.ndim not in (3, 4):
        raise ValueError(f"image must be (C, x, y) or (C, x, y, z), got shape {tuple(image.shape)}")
    spacing = image.pixdim.tolist() if isinstance(image, MetaTensor) else [1.0] * (image.ndim - 1)
    field = max(size * step for size, step in zip(image.shape[1:], spacing, strict=True))
    steps = [field / (_FIELD * step) for step in spacing[:2]]
    values = image.as_subclass(Tensor).float().cpu().numpy()
    bright = np.any([_bright(channel, steps) for channel in values], axis=0)
    if bright.ndim == 3:
        slices = np.ascontiguousarray(np.moveaxis(bright, 2, 0))  # five times as fast
        hulls = np.stack([convex_hull(each) for each in slices])
        sizes = hulls.sum(axis=(1, 2), keepdims=True)
        mask = np.moveaxis(hulls & (sizes >= _SHARE_OF_LARGEST_SLICE * sizes.max()), 0, 2)
    else:
        mask = convex_hull(bright)
    return torch.from_numpy(mask).to(image.device)[None]


class HeadMaskd(ObjectMaskd):
    """Give every case the head as its foreground, see :func:`head_mask`; a foreground of the data list wins.

    Args:
        image_key: see :class:`ObjectMaskd`.
        foreground_key: see :class:`ObjectMaskd`.

    Raises:
        InputError: in a call, if there is no head: nothing is bright, or everything.
    """

    def find(self, image: Tensor, where: str) -> Tensor:
        """Find the head."""
        mask = head_mask(image)
        share = mask.float().mean().item()
        if 0.0 < share < _FULL:
            return mask
        raise InputError(
            "no head found: " + (f"what is bright fills {share:.0%} of the image" if share else "nothing is bright"),
            where=where,
            expected="a head, brighter than the air around it, with some air at least in the corners",
            remedy="Leave out images that show no head, give a foreground in the data list, or do without head_mri.",
        )


def _bright(values: np.ndarray, steps: list[float]) -> Mask:
    from skimage.filters import threshold_otsu  # slow to import

    across = [0.0] * (values.ndim - 2)  # slices are no neighbors of each other
    smooth = ndimage.gaussian_filter(values, [_SIGMA * step for step in steps] + across)
    threshold = threshold_otsu(np.minimum(smooth, np.quantile(smooth, _BRIGHTEST)).ravel())
    rounds = max(1, round(_OPENING * min(steps)))
    mask = ndimage.binary_opening(
        smooth > _SHARE_OF_THRESHOLD * threshold, neighborhood(values.ndim, 2), iterations=rounds
    )
    labels, count = components(mask)
    sizes = np.bincount(labels[smooth > threshold], minlength=count + 1)
    sizes[0] = 0
    kept: Mask = (sizes > 0) & (sizes >= _SHARE_OF_LARGEST * sizes.max())
    return kept[labels]
