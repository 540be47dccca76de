# SPDX-License-Identifier: Apache-2.0
"""Synthetic anomalies in normal images: what does not belong there, and where it is."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, RandomizableTransform
from torch import Tensor
from typing_extensions import Self

from ..checks import check_within
from ..errors import InputError
from ..keys import Keys
from .anomaly_insertion import SyntheticAnomaly, insert_anomaly

_MIN_SHIFT = 0.1
_CONTRAST = (0.3, 1.5)


class RandSyntheticAnomaly(RandomizableTransform):
    """Change a random region of a normal image, and tell where it was changed.

    The region is an ellipse of any size that noise makes irregular. What fills it is another place of the same image,
    flipped, with another contrast and brightness, or what was there before, made brighter or darker; edges are hard to
    soft. So no single cue gives anomalies away. Differs from both papers: content comes from the same image as in
    CutPaste, not from photographs of textures as in DRAEM, and regions are blobs as in DRAEM, not rectangles.

    Args:
        prob: probability that an image is changed.
        size: smallest and largest diameter of a region as a share of the image's axis.
        min_weight: smallest weight of what is pasted; 1 replaces the image.
        shift_prob: share of the anomalies that are brighter or darker only, as many lesions are.
        max_shift: largest change of brightness.
        min_change: the mask holds voxels that differ by more than this in a channel.

    Shape:
        ``(C, *spatial)`` in [0, 1] with 2 or 3 spatial axes, and optionally a foreground ``(1, *spatial)``, to the
        changed image and a ``float32`` mask ``(1, *spatial)``; nothing outside the foreground is changed.

    Raises:
        InputError: in a call, if the image is not in [0, 1], or has another shape than the foreground.
        ValueError: if an argument is out of range.

    References:
        1. Zavrtanik et al., "DRAEM", ICCV 2021, arXiv:2108.07610, section 3.3 (thresholded noise).
        2. Li et al., "CutPaste", CVPR 2021, arXiv:2104.04015, section 2.2 (content of the same image).
    """

    def __init__(
        self,
        prob: float = 0.5,
        size: Sequence[float] = (0.08, 0.8),
        min_weight: float = 0.4,
        shift_prob: float = 0.5,
        max_shift: float = 0.5,
        min_change: float = 0.03,
    ) -> None:
        super().__init__(prob)
        if len(size) != 2 or not 0.0 < size[0] <= size[1] <= 1.0:
            raise ValueError(f"size={tuple(size)}: two shares, 0 < smallest <= largest <= 1, are expected.")
        check_within("(0, 1]", min_weight=min_weight)
        check_within("[0, 1]", shift_prob=shift_prob)
        check_within(f"[{_MIN_SHIFT}, 0.5]", max_shift=max_shift)  # half the range: one of the two ways stays in it
        check_within(f"[0, {_MIN_SHIFT})", min_change=min_change)
        self.size = (float(size[0]), float(size[1]))
        self.min_weight = min_weight
        self.shift_prob = shift_prob
        self.max_shift = max_shift
        self.min_change = min_change
        self.anomaly: SyntheticAnomaly | None = None

    def randomize(self, data: Tensor) -> None:
        """Draw whether to change an image, and the anomaly.

        Args:
            data: image ``(C, *spatial)``; gives the numbers of channels and axes.
        """
        super().randomize(None)
        self.anomaly = self._draw(data.ndim - 1, len(data)) if self._do_transform else None

    def __call__(
        self, image: Tensor, foreground: Tensor | None = None, randomize: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Change ``image``.

        Args:
            image: ``(C, *spatial)``.
            foreground: ``(1, *spatial)``, nonzero where voxels may change.
            randomize: whether to draw an anomaly; if not, the last one is put in.

        Returns:
            Changed image, and mask of what was changed.
        """
        _check(image, foreground)
        if randomize:
            self.randomize(image)
        if self.anomaly is None:
            return image, torch.zeros(1, *image.shape[1:])
        return insert_anomaly(image, self.anomaly, foreground, self.min_change)

    def _draw(self, spatial_dims: int, channels: int) -> SyntheticAnomaly:
        shift = self.R.random_sample() < self.shift_prob
        diameter = self._between(*self.size)
        grid = self.R.normal(size=(1, 1, *self.R.randint(3, 9, size=spatial_dims)))
        place, source = self.R.random_sample(2)
        flips = (self.R.random_sample(spatial_dims) < 0.5).nonzero()[0] + 1
        brightness = self.R.choice((-1.0, 1.0), channels) * self.R.uniform(_MIN_SHIFT, self.max_shift, channels)
        return SyntheticAnomaly(
            size=tuple(diameter * self._between(0.6, 1.0) for _ in range(spatial_dims)),
            grid=torch.as_tensor(grid, dtype=torch.float32),
            irregularity=self.R.uniform(0.0, 1.5),
            softness=self._between(0.4 if shift else 0.1, 1.0),
            place=place,
            source=None if shift else source,
            flips=tuple(int(axis) for axis in flips),
            contrast=self._between(*_CONTRAST),
            brightness=tuple(brightness if shift else brightness * self.R.random_sample()),
            weight=1.0 if shift else self.R.uniform(self.min_weight, 1.0),
        )

    def _between(self, low: float, high: float) -> float:
        """Draw a number whose logarithm is uniform."""
        return float(low * (high / low) ** self.R.random_sample())


class RandSyntheticAnomalyd(Randomizable, MapTransform):
    """Dictionary form of :class:`RandSyntheticAnomaly`.

    Args:
        keys: key of the image; one only, as a mask belongs to it.
        mask_key: key that the mask gets; with the default it is what a trainer hands to the loss.
        foreground_key: key of the foreground; a dictionary without it may change anywhere.
        prob: see :class:`RandSyntheticAnomaly`, like all that follows.
        size: see there.
        min_weight: see there.
        shift_prob: see there.
        max_shift: see there.
        min_change: see there.

    Raises:
        InputError: in a call, if the image is not in [0, 1], or has another shape than the foreground.
        ValueError: if an argument is out of range, or there are several keys.
    """

    def __init__(
        self,
        keys: KeysCollection,
        mask_key: str = "target",
        foreground_key: str = Keys.FOREGROUND,
        prob: float = 0.5,
        size: Sequence[float] = (0.08, 0.8),
        min_weight: float = 0.4,
        shift_prob: float = 0.5,
        max_shift: float = 0.5,
        min_change: float = 0.03,
    ) -> None:
        super().__init__(keys)
        if len(self.keys) != 1:
            raise ValueError(f"keys={self.keys}: one key is expected.")
        self.mask_key = mask_key
        self.foreground_key = foreground_key
        self.rand_anomaly = RandSyntheticAnomaly(prob, size, min_weight, shift_prob, max_shift, min_change)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Self:
        """Set the state of the draws."""
        super().set_random_state(seed, state)
        self.rand_anomaly.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Change the image of one case and add the mask."""
        case = dict(data)
        key = self.keys[0]
        case[key], case[self.mask_key] = self.rand_anomaly(case[key], case.get(self.foreground_key))
        return case


def _check(image: Tensor, foreground: Tensor | None) -> None:
    if image.ndim not in (3, 4) or not image.is_floating_point():
        found, expected = f"shape {tuple(image.shape)} of {image.dtype}", "floating-point (C, *spatial), 2 or 3 axes"
    elif foreground is not None and foreground.shape != (1, *image.shape[1:]):
        found, expected = f"foreground of shape {tuple(foreground.shape)}", f"{(1, *image.shape[1:])}, as the image"
    elif not bool((image.amin() >= 0.0) & (image.amax() <= 1.0)):
        found, expected = f"values from {image.amin():.3g} to {image.amax():.3g}", "values in [0, 1]"
    else:
        return
    remedy = "Scale images to [0, 1] and make them tensors before synthetic anomalies are put in."
    raise InputError(found, where="synthetic anomaly", expected=expected, remedy=remedy)
