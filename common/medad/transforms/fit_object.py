# SPDX-License-Identifier: Apache-2.0
"""Box of the object: what lies in it fills the grid of the network, whatever the field of view was."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.config import KeysCollection
from monai.data import MetaTensor, get_track_meta
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils import ensure_tuple_rep
from monai.utils.enums import TraceKeys
from torch import Tensor
from torch.nn import functional as F

from ..keys import Keys

_MODE = "mode"
Box = list[tuple[int, int]]
"""First voxel and length along each axis; a box may reach beyond the image."""


def object_box(mask: Tensor, grid: Sequence[int], spacing: Sequence[float] | None = None) -> Box | None:
    """Find the box around an object that fills a grid, but for one point on each side.

    Args:
        mask: ``(*spatial)``, nonzero where the object is.
        grid: points of the grid along each axis.
        spacing: voxel sizes; the box then gets the proportions of the grid and becomes as much longer around its center
            as that needs, also beyond the image. ``None``: it has those of the object.

    Returns:
        The box; ``None`` where there is no object.
    """
    places = torch.nonzero(mask.as_subclass(Tensor))
    if not len(places):
        return None
    low, high = places.amin(dim=0).tolist(), places.amax(dim=0).tolist()
    lengths = [last + 1 - first for first, last in zip(low, high, strict=True)]
    lengths = [length + 2 * math.ceil(length / max(1, side - 2)) for length, side in zip(lengths, grid, strict=True)]
    if spacing is not None:
        sides = [side / step for side, step in zip(grid, spacing, strict=True)]
        scale = max(length / side for length, side in zip(lengths, sides, strict=True))
        lengths = [max(length, round(scale * side)) for length, side in zip(lengths, sides, strict=True)]
    centers = [(first + last + 1) / 2 for first, last in zip(low, high, strict=True)]
    return [(round(center - length / 2), length) for center, length in zip(centers, lengths, strict=True)]


class FitObjectToGridd(MapTransform, InvertibleTransform):
    """Stretch the box of the object to the grid of the network; the way back puts maps where it was.

    The object leaves one point of the grid free on each side: there its rim can be told.

    With two axes each slice of a volume has its own box, as if it were an image by itself; a slice without an object is
    0. Images are interpolated linearly, and smoothed where they shrink.

    Args:
        keys: entries ``(C, *spatial)`` to bring to the grid; the foreground is usually one of them.
        spatial_size: grid of the network, one entry for each of its spatial axes.
        keep_aspect: whether to keep the proportions of the object (voxel sizes count) and show more around it instead
            of stretching it along each axis.
        nearest: whether to take the nearest value, as masks need, one entry for all keys or one for each.
        foreground_key: mask of the object ``(1, *spatial)``.
        allow_missing_keys: whether a missing key is passed over.

    Shape:
        ``(C, *spatial)`` to ``(C, *spatial_size, *further axes)``. The affine of a result is that of the grid if there
        is one box; that of the image if each slice has its own.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Sequence[int],
        keep_aspect: bool = False,
        nearest: bool | Sequence[bool] = False,
        foreground_key: str = Keys.FOREGROUND,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.spatial_size = tuple(int(size) for size in spatial_size)
        self.keep_aspect = keep_aspect
        self.nearest = ensure_tuple_rep(nearest, len(self.keys))
        self.foreground_key = foreground_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the entries of one case to the grid."""
        case = dict(data)
        boxes = self._boxes(case[self.foreground_key])
        for key, nearest in self.key_iterator(case, self.nearest):
            image = case[key]
            parts = [self._fitted(part, box, nearest) for part, box in zip(self._parts(image), boxes, strict=True)]
            result = self._joined(parts, image)
            if isinstance(image, MetaTensor) and get_track_meta():
                result = MetaTensor(result).copy_meta_from(image)
                result.affine = self._affine(image, boxes)
                mode = "nearest" if nearest else "bilinear"  # Invertd may ask for another one
                found = {"boxes": boxes, "affine": image.affine, "size": image.shape[1:], _MODE: mode}
                self.push_transform(result, extra_info=found)
                result.applied_operations[-1][TraceKeys.ID] = TraceKeys.NONE  # any instance may invert it
            case[key] = result
        return case

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the entries of one case back to the grid of the image; 0 outside the boxes."""
        case = dict(data)
        for key in self.key_iterator(case):
            image = case[key]
            history = self.pop_transform(image)[TraceKeys.EXTRA_INFO]
            nearest = str(history[_MODE]).startswith("nearest")
            size = history["size"][: len(self.spatial_size)]
            parts = zip(self._parts(image), history["boxes"], strict=True)
            back = self._joined([_back(part, box, size, nearest) for part, box in parts], image)
            result = MetaTensor(back).copy_meta_from(image)
            result.affine = history["affine"]
            case[key] = result
        return case

    def _boxes(self, foreground: Tensor) -> list[Box | None]:
        axes = len(self.spatial_size)
        voxels = foreground.pixdim.tolist() if isinstance(foreground, MetaTensor) else [1.0] * axes
        spacing = voxels[:axes] if self.keep_aspect else None
        return [object_box(part[0], self.spatial_size, spacing) for part in self._parts(foreground)]

    def _parts(self, image: Tensor) -> list[Tensor]:
        values = image.as_subclass(Tensor)
        axes = len(self.spatial_size)
        if values.ndim - 1 == axes:
            return [values]
        if (values.ndim - 1, axes) == (3, 2):
            return list(values.unbind(-1))
        raise ValueError(f"image of shape {tuple(values.shape)}: {axes} spatial axes are expected, or 3.")

    def _joined(self, parts: Sequence[Tensor], image: Tensor) -> Tensor:
        return torch.stack(list(parts), dim=-1) if image.ndim - 1 > len(self.spatial_size) else parts[0]

    def _fitted(self, image: Tensor, box: Box | None, nearest: bool) -> Tensor:
        if box is None:
            return image.new_zeros(len(image), *self.spatial_size)
        return _resized(_cropped(image, box), self.spatial_size, nearest)

    def _affine(self, image: MetaTensor, boxes: Sequence[Box | None]) -> Tensor:
        affine: Tensor = image.affine.clone()
        if boxes[0] is None or image.ndim - 1 > len(self.spatial_size):
            return affine
        for axis, ((start, length), size) in enumerate(zip(boxes[0], self.spatial_size, strict=True)):
            step = length / size
            affine[:, -1] += image.affine[:, axis] * (start + step / 2 - 0.5)
            affine[:, axis] *= step
        return affine


def _cropped(image: Tensor, box: Box) -> Tensor:
    pads = [(-start, start + length - size) for (start, length), size in zip(box, image.shape[1:], strict=True)]
    return F.pad(image, [pad for pair in reversed(pads) for pad in pair])


def _back(image: Tensor, box: Box | None, size: Sequence[int], nearest: bool) -> Tensor:
    if box is None:
        return image.new_zeros(len(image), *size)
    whole = [(-start, n) for (start, _), n in zip(box, size, strict=True)]
    return _cropped(_resized(image, [length for _, length in box], nearest), whole)


def _resized(image: Tensor, size: Sequence[int], nearest: bool) -> Tensor:
    """Interpolate ``(C, *spatial)`` along the first and second axes, then along the third."""
    if nearest:
        return F.interpolate(image[None].float(), tuple(size), mode="nearest-exact")[0].to(image.dtype)
    result = image.float()
    for axis in range(1, len(size) + 1):  # torch smooths in 2D only: one axis of a stack of lines after the other
        lines = result.movedim(axis, -1)
        stretched = F.interpolate(
            lines.reshape(1, 1, -1, lines.shape[-1]),
            (lines[..., 0].numel(), size[axis - 1]),
            mode="bilinear",
            antialias=True,
        )
        result = stretched.reshape(*lines.shape[:-1], size[axis - 1]).movedim(-1, axis)
    return result
