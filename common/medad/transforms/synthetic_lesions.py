# SPDX-License-Identifier: Apache-2.0
"""Synthetic lesions in normal images: what a network learns to find and to undo."""

import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform, Randomizable, RandomizableTransform
from torch import Tensor
from typing_extensions import Self

from ..checks import check_within
from ..keys import Keys
from .depth import DEPTH
from .lesion_insertion import LesionedImage, SyntheticLesion, insert_lesions

CHANGE, LESIONS = "change", "lesions"
"""Entries of a training item: what heals the image, ``(C, *spatial)``; where lesions are, ``(1, *spatial)``: 1 in them,
0 outside, -1 where they are too faint for either."""

_MORE = (0.35, 0.2)
"""Probabilities of a second and a third lesion."""
_LARGEST_OF_MORE = 0.17
"""Largest radius of those."""
_ASPECT = 0.5
_SOFTNESS = (0.03, 0.3)
_BORDER = ((5, 0.35), (12, 0.3))
_TEXTURE = (12, 0.35)
_DARK = 0.6


class RandSyntheticLesions(RandomizableTransform):
    """Put one to three lesions into a normal image: blobs, brighter or darker than the tissue they lie in.

    Args:
        prob: probability that an image gets lesions.
        radius: smallest and largest radius as a share of the image's axes; the logarithm is uniform.
        contrast: smallest and largest change of intensity, in units of the median of the deep interior; the logarithm
            is uniform. Dark lesions change by 0.6 of it: they cannot go below 0.
        bright_share: share of bright lesions; 0.5 knows nothing about the sign.
        spare_dark_prob: probability that tissue below 0.55 of that median, such as fluid, stays as it is.

    Shape:
        ``(C, *spatial)`` and depth ``(1, *spatial)`` with 2 or 3 spatial axes to :class:`LesionedImage`.

    Raises:
        ValueError: if an argument is out of range.
    """

    def __init__(
        self,
        prob: float = 0.75,
        radius: Sequence[float] = (0.03, 0.28),
        contrast: Sequence[float] = (0.12, 1.2),
        bright_share: float = 0.5,
        spare_dark_prob: float = 0.5,
    ) -> None:
        super().__init__(prob)
        check_within("[0, 1]", prob=prob)
        for name, pair in (("radius", radius), ("contrast", contrast)):
            if len(pair) != 2 or not 0.0 < pair[0] <= pair[1]:
                raise ValueError(f"{name}={tuple(pair)}: 0 < smallest <= largest is expected.")
        check_within("[0, 1]", bright_share=bright_share, spare_dark_prob=spare_dark_prob)
        self.radius = (float(radius[0]), float(radius[1]))
        self.contrast = (float(contrast[0]), float(contrast[1]))
        self.bright_share = bright_share
        self.spare_dark_prob = spare_dark_prob
        self.lesions: list[SyntheticLesion] = []
        self.spare_dark = False

    def randomize(self, data: int) -> None:
        """Draw whether an image gets lesions, and which.

        Args:
            data: spatial axes of the image.
        """
        super().randomize(None)
        self.lesions = []
        if not self._do_transform:
            return
        self.spare_dark = bool(self.R.random_sample() < self.spare_dark_prob)
        self.lesions.append(self._draw(data, self.radius[1]))
        for prob in _MORE:
            if self.R.random_sample() < prob:
                self.lesions.append(self._draw(data, max(self.radius[0], min(self.radius[1], _LARGEST_OF_MORE))))

    def __call__(self, image: Tensor, depth: Tensor | None = None, randomize: bool = True) -> LesionedImage:
        """Put lesions into ``image``.

        Args:
            image: ``(C, *spatial)``, at least 0.
            depth: ``(1, *spatial)``, see :func:`medad.morphology.relative_depth`; without it lesions may be anywhere.
            randomize: whether to draw lesions; if not, the last ones are put in.
        """
        if randomize:
            self.randomize(image.ndim - 1)
        depth = torch.ones_like(image[:1]) if depth is None else depth
        return insert_lesions(image, depth, self.lesions, self.spare_dark)

    def _draw(self, spatial_dims: int, largest: float) -> SyntheticLesion:
        radius = self._between(self.radius[0], largest)
        aspects = self.R.uniform(_ASPECT, 1.0, spatial_dims)
        aspects[0] = 1.0
        # the orthogonal factor of a Gaussian matrix is a rotation of any direction
        rotation, _ = np.linalg.qr(self.R.normal(size=(spatial_dims, spatial_dims)))
        sign, scale = (1.0, 1.0) if self.R.random_sample() < self.bright_share else (-1.0, _DARK)
        return SyntheticLesion(
            place=float(self.R.random_sample()),
            shape=torch.as_tensor(rotation / (radius * aspects)[:, None], dtype=torch.float32),
            border=tuple(self._noise(spatial_dims, *border) for border in _BORDER),
            softness=self._between(*_SOFTNESS),
            contrast=sign * scale * self._between(*self.contrast),
            texture=self._noise(spatial_dims, *_TEXTURE),
        )

    def _noise(self, spatial_dims: int, points: int, largest: float) -> Tensor:
        amplitude = self.R.uniform(0.0, largest)
        return torch.as_tensor(amplitude * self.R.normal(size=(1, 1, *[points] * spatial_dims)), dtype=torch.float32)

    def _between(self, low: float, high: float) -> float:
        """Draw a number whose logarithm is uniform."""
        return low * math.exp(self.R.random_sample() * math.log(high / low))


class RandSyntheticLesionsd(Randomizable, MapTransform):
    """Dictionary form of :class:`RandSyntheticLesions`; the item needs a depth, see :class:`RelativeDepthd`.

    Args:
        keys: key of the image; one only, as the marks belong to it.
        prob: see :class:`RandSyntheticLesions`, like all that follows.
        radius: see there.
        contrast: see there.
        bright_share: see there.
        spare_dark_prob: see there.

    Raises:
        ValueError: if an argument is out of range, or there are several keys.
    """

    def __init__(
        self,
        keys: KeysCollection = Keys.IMAGE,
        prob: float = 0.75,
        radius: Sequence[float] = (0.03, 0.28),
        contrast: Sequence[float] = (0.12, 1.2),
        bright_share: float = 0.5,
        spare_dark_prob: float = 0.5,
    ) -> None:
        super().__init__(keys)
        if len(self.keys) != 1:
            raise ValueError(f"keys={self.keys}: one key is expected.")
        self.rand_lesions = RandSyntheticLesions(prob, radius, contrast, bright_share, spare_dark_prob)

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Self:
        """Set the state of the draws."""
        super().set_random_state(seed, state)
        self.rand_lesions.set_random_state(seed, state)
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Put lesions into the image of one item, and add what heals it and where they are."""
        item = dict(data)
        key = self.keys[0]
        item[key], item[CHANGE], item[LESIONS] = self.rand_lesions(item[key].clamp(min=0.0), item[DEPTH])
        return item
