# SPDX-License-Identifier: Apache-2.0
"""Normative atlas: what normal images that are like this one have at each place, and how much they differ there.

From the most similar normal images: median ``m``, spread ``s``, and an expected image ``e = m + sum_j c_j (b_j - m)``
that a robust ridge regression adapts to the image. The standardized difference is ``z = (x - e) / s``.
"""

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from ...checks import check_at_least, check_positive
from .image_bank import ImageBank, distances_between, turned
from .robust_ridge import robust_ridge

_DEPTH_SIZE = 24
_RIM = 0.1
"""How deep in the object the regression begins: scalp differs from head to head."""


class Expectation(NamedTuple):
    """What normal images say about an image, each ``(B, C, *spatial)``."""

    image: Tensor
    """Expected image."""
    spread: Tensor
    """Standard deviation of the most similar normal images, and the floor."""


class NormativeAtlas(ImageBank):
    """Compare an image with the most similar images of a bank of normal ones.

    Nothing is trained: :meth:`remember` puts images into the bank, see :class:`ImageBank`. The images of the bank are
    smoothed, and so is the image that is compared with them.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        image_size: grid of the images.
        num_neighbors: how many normal images give median and spread; of an even number the median is the lower one of
            the two in the middle.
        num_bases: how many give the directions in which the expected image may adapt; 0 leaves it the median.
        feature_size: cells along each axis.
        sigma: standard deviation of the smoothing in pixels.
        floor: what is added to the spread.
        ridge: penalty of the regression, per pixel.
        rounds: rounds of the regression, which trusts outliers less from one to the next.
        mirror: whether each image of the bank counts twice, as it is and mirrored along its first axis: left and right
            of axial and coronal images.
        group_size: see :class:`ImageBank`; of a group the bank has mean and standard deviation, and as many groups give
            median and spread as have ``num_neighbors`` images.

    Shape:
        ``(B, C, *image_size)`` to ``(B, 2 C, *image_size)``: the standardized difference, then the expected image.

    Raises:
        ValueError: if an argument is out of range.
    """

    onnx_can: ClassVar[bool] = False
    """ONNX has no solver of linear equations, and no median."""

    depth: Tensor
    deviation: Tensor

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        image_size: Sequence[int],
        num_neighbors: int = 21,
        num_bases: int = 40,
        feature_size: int = 16,
        sigma: float = 1.0,
        floor: float = 0.05,
        ridge: float = 1.0,
        rounds: int = 4,
        mirror: bool = True,
        group_size: int = 1,
    ) -> None:
        super().__init__(spatial_dims, in_channels, image_size, feature_size, sigma, mirror, group_size)
        check_at_least(1, num_neighbors=num_neighbors, rounds=rounds)
        check_at_least(0, num_bases=num_bases)
        check_positive(floor=floor, ridge=ridge)
        self.num_neighbors = num_neighbors
        self.num_bases = num_bases
        self.floor = floor
        self.ridge = ridge
        self.rounds = rounds
        self._mode = {2: "bilinear", 3: "trilinear"}[spatial_dims]
        self._rim = _RIM
        # an atlas that knows black images only
        bank = torch.zeros(1, in_channels, *self.image_size, dtype=torch.float16)
        depth = torch.ones(1, 1, *[_DEPTH_SIZE] * spatial_dims, dtype=torch.float16)
        self.register_entries(bank=bank, depth=depth, features=self.features_of(bank.float()))
        if group_size > 1:
            self.register_entries(deviation=torch.zeros_like(bank))
        else:
            self.deviation = bank[:0]  # no buffer: TorchScript would count it among the weights

    @torch.jit.unused
    def remember(self, images: Tensor, depth: Tensor) -> Tensor:
        """Put normal images into the bank.

        Args:
            images: ``(B, C, *image_size)``.
            depth: ``(B, 1, *image_size)``: how deep in the object a pixel is, see
                :func:`medad.morphology.relative_depth`.

        Returns:
            Distance ``(B,)`` of each to the most similar image that was known before; to a black one, if none was.
        """
        smooth = self.smooth(images)
        features = self.features_of(smooth)
        known = self.known() if len(self.bank) else torch.zeros_like(features[:1])
        distance = distances_between(features, known).amin(dim=1)
        coarse = F.interpolate(depth, size=[_DEPTH_SIZE] * self.spatial_dims, mode="area")
        self.append(bank=smooth, depth=coarse, features=features)
        return distance

    @torch.jit.unused
    def _averaged(self, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**super()._averaged(entries), "deviation": entries["bank"].std(dim=0, correction=0)}

    def expect(self, smooth: Tensor, allowed: Tensor | None = None) -> Expectation:
        """Say what is expected of images.

        Args:
            smooth: ``(B, C, *image_size)``, see :meth:`smooth`.
            allowed: ``(N,)`` boolean: which images of the bank count; all by default.

        Returns:
            Expected images, and how much normal ones differ.
        """
        neighbors = self.neighbors_for(self.num_neighbors)
        places = self.nearest(smooth, max(neighbors, self.num_bases), allowed)
        similar = turned(self.bank, places).float()
        median, spread = similar[:, :neighbors].median(dim=1).values, _deviation(similar[:, :neighbors])
        if self.group_size > 1:
            within = turned(self.deviation, places[:, :neighbors]).float().square().mean(dim=1)
            spread = (spread.square() + within).sqrt()
        spread = spread + self.floor
        if self.num_bases == 0:
            return Expectation(median, spread)
        depth = turned(self.depth, places[:, :neighbors]).float().mean(dim=1)
        inside = F.interpolate(depth, size=self.image_size, mode=self._mode) > self._rim
        bases = (similar[:, : self.num_bases] - median[:, None]) / spread[:, None]
        # every second pixel along each axis is enough: smoothed neighbors say the same
        coefficients = robust_ridge(
            self._every_second(bases).flatten(2),
            self._every_second((smooth - median) / spread).flatten(1),
            self._every_second(inside.expand_as(smooth)).flatten(1),
            self.ridge,
            self.rounds,
        )
        change = (coefficients[:, None] @ bases.flatten(2)).view_as(median)
        return Expectation(median + change * spread, spread)

    def forward(self, images: Tensor) -> Tensor:
        """Compare images with the bank."""
        smooth = self.smooth(images)
        expected = self.expect(smooth)
        return torch.cat([(smooth - expected.image) / expected.spread, expected.image], dim=1)

    def _every_second(self, values: Tensor) -> Tensor:
        return values[..., ::2, ::2] if self.spatial_dims == 2 else values[..., ::2, ::2, ::2]


def _deviation(values: Tensor) -> Tensor:
    """Standard deviation over the second axis; ``torch.std`` takes 15 times as long there."""
    return (values - values.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()
