# SPDX-License-Identifier: Apache-2.0
"""Fit to the grid of the network, and of its maps back to the grid of the file."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from monai.config import KeysCollection
from monai.data import MetaTensor
from monai.transforms import InvertibleTransform, MapTransform, Resize, SpatialPad
from monai.transforms.transform import Transform
from monai.utils import ensure_tuple_rep
from monai.utils.enums import TraceKeys
from torch import Tensor

_MODES = {1: "linear", 2: "bilinear", 3: "trilinear"}
_FINE = 4  # grid points of the file per grid point of the network, at least, when the smoothing begins
_AVERAGED = "averaged"


def _untie_from_instance(image: Tensor) -> Tensor:
    """Let any object of the same class invert the last step, since its arguments depend on the image."""
    image.applied_operations[-1][TraceKeys.ID] = TraceKeys.NONE  # type: ignore[attr-defined]
    return image


class FitToGrid(Transform):
    """Resize an image to the grid of the network.

    The leading ``len(spatial_size)`` axes are resized; further axes stay. So a 2D network takes an image as well as
    every slice of a volume. With ``keep_aspect`` the object keeps its proportions (voxel sizes count) and the image is
    extended to the grid by repeating its border; without it each axis is stretched to fit.

    An image is smoothed before it shrinks: otherwise fine texture turns into false structure. Smoothing costs as many
    operations per pixel as the image is too large, so an image of more than eight times the grid is first averaged over
    blocks to four times the grid or a little more.

    Args:
        spatial_size: grid of the network, one entry for each of its spatial axes.
        keep_aspect: whether to keep the proportions of the image.
        nearest: whether to take the nearest value, as masks need, instead of interpolating.

    Shape:
        ``(C, *spatial)`` to ``(C, *spatial_size, *further axes)``; the result is a ``MetaTensor`` and invertible.

    Raises:
        ValueError: if the image has fewer axes than the grid.
    """

    def __init__(self, spatial_size: Sequence[int], keep_aspect: bool = True, nearest: bool = False) -> None:
        self.spatial_size = tuple(int(size) for size in spatial_size)
        self.keep_aspect = keep_aspect
        self.nearest = nearest
        self._resize = Resize(spatial_size=self.spatial_size)
        self._pad = SpatialPad(spatial_size=self.spatial_size)

    def __call__(self, image: Tensor) -> Tensor:
        """Resize ``image``."""
        size = tuple(image.shape[1:])
        grid = len(self.spatial_size)
        if len(size) < grid:
            raise ValueError(f"image with spatial size {size}: at least {grid} spatial axes are expected.")
        target = self.spatial_size
        if self.keep_aspect:
            spacing = image.pixdim.tolist() if isinstance(image, MetaTensor) else [1.0] * grid
            lengths = [count * step for count, step in zip(size[:grid], spacing[:grid], strict=True)]
            scale = min(new / length for new, length in zip(target, lengths, strict=True))
            target = tuple(max(1, round(length * scale)) for length in lengths)
        mode = "nearest-exact" if self.nearest else _MODES[len(size)]
        if not self.nearest:
            image = _averaged(image, target, mode)
        resize = Resize((*target, *size[grid:]), mode=mode, anti_aliasing=not self.nearest)
        image = _untie_from_instance(resize(image))
        if self.keep_aspect:
            pad = SpatialPad((*self.spatial_size, *size[grid:]), mode="edge")
            image = _untie_from_instance(pad(image))
        return image

    def inverse(self, image: MetaTensor) -> Tensor:
        """Bring ``image`` back to the grid it came from."""
        if self.keep_aspect:
            image = self._pad.inverse(image)
        resized = self._resize.inverse(image)
        steps = getattr(resized, "applied_operations", None) or [{}]
        return self._resize.inverse(resized) if _AVERAGED in steps[-1].get(TraceKeys.EXTRA_INFO, {}) else resized


def _averaged(image: Tensor, target: Sequence[int], mode: str) -> Tensor:
    """Average over blocks along the axes that are more than eight times too long; the way back interpolates."""
    size = tuple(image.shape[1:])
    factors = [old // (_FINE * new) if old >= 2 * _FINE * new else 1 for old, new in zip(size, target, strict=False)]
    if max(factors) == 1:
        return image
    coarse = [old // factor for old, factor in zip(size, factors, strict=False)]
    image = _untie_from_instance(Resize((*coarse, *size[len(coarse) :]), mode="area")(image))
    image.applied_operations[-1][TraceKeys.EXTRA_INFO].update({"mode": mode, _AVERAGED: True})  # type: ignore[attr-defined]
    return image


class FitToGridd(MapTransform, InvertibleTransform):
    """Dictionary form of :class:`FitToGrid`.

    Args:
        keys: keys of the images.
        spatial_size: grid of the network.
        keep_aspect: whether to keep the proportions of the image.
        nearest: whether to take the nearest value, one entry for all keys or one for each.
        allow_missing_keys: whether a missing key is passed over.
    """

    def __init__(
        self,
        keys: KeysCollection,
        spatial_size: Sequence[int],
        keep_aspect: bool = True,
        nearest: bool | Sequence[bool] = False,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.fits = {
            key: FitToGrid(spatial_size, keep_aspect, each)
            for key, each in zip(self.keys, ensure_tuple_rep(nearest, len(self.keys)), strict=True)
        }

    def __call__(self, data: Mapping[Hashable, Tensor]) -> dict[Hashable, Tensor]:
        """Resize the images of one case."""
        case = dict(data)
        for key in self.key_iterator(case):
            case[key] = self.fits[key](case[key])
        return case

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Bring the images of one case back to their own grids."""
        case = dict(data)
        for key in self.key_iterator(case):
            case[key] = self.fits[key].inverse(case[key])
        return case
