# SPDX-License-Identifier: Apache-2.0
"""Morphology of masks: neighborhoods, connected components, erosion, dilation.

With ``spatial_dims=2`` a volume is a stack of slices along its last axis, which are no neighbors of each other.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from torch import Tensor, from_numpy
from torch.nn import functional as F

from .checks import check_at_least, check_channel_first

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.int32]


def neighborhood(ndim: int, spatial_dims: int, connectivity: int = 1) -> Mask:
    """Say which voxels are neighbors of the central one, for ``scipy.ndimage``.

    Args:
        ndim: spatial axes of the array.
        spatial_dims: 2 or 3.
        connectivity: how many axes a neighbor may differ in, 1 (faces) to ``spatial_dims``.

    Returns:
        Boolean structuring element, 3 voxels wide.
    """
    inner = ndimage.generate_binary_structure(spatial_dims, connectivity)
    inner = inner.reshape(inner.shape + (1,) * (ndim - spatial_dims))
    return np.pad(inner, [(0, 0)] * spatial_dims + [(1, 1)] * (ndim - spatial_dims))


def components(mask: Mask, spatial_dims: int | None = None, connectivity: int = 1) -> tuple[Labels, int]:
    """Number the connected components of a mask.

    Args:
        mask: ``(*spatial)``.
        spatial_dims: 2 or 3; by default all axes of the mask.
        connectivity: see :func:`neighborhood`.

    Returns:
        Labels ``(*spatial)``, 0 background, 1, 2, ... in the order of their first voxel; and how many there are.
    """
    labels, count = ndimage.label(mask, neighborhood(mask.ndim, spatial_dims or mask.ndim, connectivity))
    return labels, count


def label_components(mask: Tensor) -> Tensor:
    """Number the connected components of a mask, corners connecting.

    Args:
        mask: ``(*spatial)`` 0/1, 2D or 3D.

    Returns:
        int32 tensor ``(*spatial)`` on the CPU: 0 background, 1, 2, ... the components.
    """
    array = mask.detach().as_subclass(Tensor).cpu().numpy() != 0
    return from_numpy(components(array, connectivity=array.ndim)[0])


def drop_small(mask: Mask, share: float) -> Mask:
    """Drop the components that have less than a share of the voxels of the largest one."""
    labels, count = components(mask)
    if count < 2:
        return mask
    sizes = _sizes(labels)
    return np.asarray(sizes >= share * sizes.max())[labels]


def largest(mask: Mask) -> Mask:
    """Keep the largest component; the first of several that are equally large."""
    labels, count = components(mask)
    return mask if count < 2 else np.asarray(labels == _sizes(labels).argmax())


def fill_holes(mask: Mask, spatial_dims: int) -> Mask:
    """Fill the background that reaches no border of its slice (2D) or of the volume (3D), in one labeling."""
    labels, count = components(~mask, spatial_dims)
    outside = np.zeros(count + 1, dtype=bool)
    for axis in range(spatial_dims):
        outside[labels.take(0, axis=axis)] = True
        outside[labels.take(-1, axis=axis)] = True
    outside[0] = False
    return ~outside[labels]


def convex_hull(mask: Mask) -> Mask:
    """Fill the convex hull of a mask ``(x, y)``; one on a line stays as it is.

    ``skimage.morphology.convex_hull_image`` compares each pixel with each corner: 80 ms for a head of 512 x 512, not 2.
    The two differ by pixels that an edge of the hull runs through.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    first, last = mask[rows].argmax(axis=1), mask.shape[1] - 1 - mask[rows, ::-1].argmax(axis=1)
    ends = np.concatenate([np.stack([side, rows], axis=1) for side in (first, last)])
    try:
        corners = ends[ConvexHull(ends).vertices]
    except (QhullError, ValueError):  # there is no area
        return mask
    hull = Image.fromarray(mask.astype(np.uint8))
    ImageDraw.Draw(hull).polygon(corners.astype(float).ravel().tolist(), fill=1, outline=1)
    return np.asarray(hull) > 0


def relative_depth(mask: Tensor, spatial_dims: int) -> Tensor:
    """Say how deep in an object each voxel is: its distance to the rim in voxels, in units of the largest one.

    The border of the image is no rim: an object that is cut off there has its depth from the sides that are seen, and
    one that fills the image is 1 everywhere.

    Args:
        mask: 0/1 mask ``(1, *spatial)``; with ``spatial_dims=2`` also a volume, each slice by itself.
        spatial_dims: 2 or 3.

    Returns:
        float32 ``(1, *spatial)``: 0 outside, 1 at the deepest voxel.

    Raises:
        ValueError: if a shape does not fit.
    """
    check_channel_first(mask, spatial_dims)
    whole = mask.as_subclass(Tensor)[0].cpu().numpy() != 0
    stack = whole.reshape(*whole.shape[:spatial_dims], -1)
    depth = np.zeros(stack.shape, dtype=np.float32)
    for number in np.flatnonzero(stack.any(axis=tuple(range(spatial_dims)))):
        inside = stack[..., number]
        distance = np.ones_like(depth[..., number]) if inside.all() else ndimage.distance_transform_edt(inside)
        depth[..., number] = distance / distance.max()
    return from_numpy(depth.reshape(whole.shape)).to(mask.device)[None]


def erode(mask: Tensor, iterations: int, spatial_dims: int) -> Tensor:
    """Peel off the outermost voxels of a mask, ``iterations`` times.

    A voxel stays while all its face neighbors are set (min-pooling over the cross-shaped neighborhood, as
    ``scipy.ndimage.binary_erosion`` does by default). The image border is no edge of the object: nothing is peeled off
    there. Runs where the mask lies.

    Args:
        mask: 0/1 mask ``(1, *spatial)``; with ``spatial_dims=2`` also a volume, eroded within its slices.
        iterations: how many layers of voxels go, at least 0.
        spatial_dims: 2 or 3.

    Returns:
        Boolean mask ``(1, *spatial)``.

    Raises:
        ValueError: if an argument is out of its range or a shape does not fit.
    """
    check_channel_first(mask, spatial_dims)
    check_at_least(0, iterations=iterations)
    inside = mask.as_subclass(Tensor) > 0
    for _ in range(iterations):
        before = inside
        inside = before.clone()
        for axis in range(1, 1 + spatial_dims):
            size = before.shape[axis]
            inside.narrow(axis, 1, size - 1).logical_and_(before.narrow(axis, 0, size - 1))
            inside.narrow(axis, 0, size - 1).logical_and_(before.narrow(axis, 1, size - 1))
    return inside


def gray_dilation(maps: Tensor, kernel_size: int) -> Tensor:
    """Give every voxel the largest value of the cube around it, as far as it lies in the image.

    Args:
        maps: ``(B, C, *spatial)`` in 2D or 3D.
        kernel_size: edge of the cube in voxels, odd.

    Returns:
        Tensor of the shape of ``maps``.
    """
    pool = {4: F.max_pool2d, 5: F.max_pool3d}[maps.ndim]
    axes = maps.ndim - 2
    for axis in range(axes):  # the largest value of a cube, one axis after the other
        kernel = [kernel_size if other == axis else 1 for other in range(axes)]
        maps = pool(maps, kernel, stride=1, padding=[size // 2 for size in kernel])
    return maps


def _sizes(labels: Labels) -> npt.NDArray[np.int64]:
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0  # the background
    return sizes
