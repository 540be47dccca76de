# SPDX-License-Identifier: Apache-2.0
"""Normative atlas: what normal images that are like this one have at each place, and how much they differ there.

From the most similar normal images: median ``m``, spread ``s``, and an expected image ``e = m + sum_j c_j (b_j - m)``
that a robust ridge regression adapts to the image. The standardized difference is ``z = (x - e) / s``.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_at_least, check_positive, check_spatial_dims
from .robust_ridge import robust_ridge

_BUFFERS = ("bank", "depth", "features")
_DEPTH_SIZE = 24
_RIM = 0.1
"""How deep in the object the regression begins: scalp differs from head to head."""


class Expectation(NamedTuple):
    """What normal images say about an image, each ``(B, C, *spatial)``."""

    image: Tensor
    """Expected image."""
    spread: Tensor
    """Standard deviation of the most similar normal images, and the floor."""


class NormativeAtlas(nn.Module):
    """Compare an image with the most similar images of a bank of normal ones.

    Nothing is trained: :meth:`remember` puts images into the bank, which is part of the state dict, in half precision.
    Similar is what has similar means in ``feature_size`` cells along each axis, after intensities above that of tissue,
    1, are cut off. The images of the bank are smoothed, and so is the image that is compared with them.

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

    Shape:
        ``(B, C, *image_size)`` to ``(B, 2 C, *image_size)``: the standardized difference, then the expected image.

    Raises:
        ValueError: if an argument is out of range.
    """

    onnx_can: ClassVar[bool] = False
    """ONNX has no solver of linear equations, and no median."""

    holds_images: ClassVar[bool] = True
    """The state dict holds training images: whoever has the weights can look at them."""

    bank: Tensor
    depth: Tensor
    features: Tensor

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
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, num_neighbors=num_neighbors, feature_size=feature_size, rounds=rounds)
        check_at_least(0, num_bases=num_bases)
        check_positive(sigma=sigma, floor=floor, ridge=ridge)
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.image_size = [int(size) for size in image_size]
        self.num_neighbors = num_neighbors
        self.num_bases = num_bases
        self.feature_size = feature_size
        self.sigma = sigma
        self.floor = floor
        self.ridge = ridge
        self.rounds = rounds
        self.mirror = mirror
        self._mode = {2: "bilinear", 3: "trilinear"}[spatial_dims]
        self._rim = _RIM
        # an atlas that knows black images only
        self.register_buffer("bank", torch.zeros(1, in_channels, *self.image_size, dtype=torch.float16))
        self.register_buffer("depth", torch.ones(1, 1, *[_DEPTH_SIZE] * spatial_dims, dtype=torch.float16))
        self.register_buffer("features", self._features(self.bank.float()))
        self.register_load_state_dict_pre_hook(_make_room)

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
        features = self._features(smooth)
        known = self._known() if len(self.bank) else torch.zeros_like(features[:1])
        distance = _distances(features, known).amin(dim=1)
        coarse = F.interpolate(depth, size=[_DEPTH_SIZE] * self.spatial_dims, mode="area")
        self.bank = torch.cat([self.bank, smooth.to(self.bank.dtype)])
        self.depth = torch.cat([self.depth, coarse.to(self.depth.dtype)])
        self.features = torch.cat([self.features, features])
        return distance

    @torch.jit.unused
    def forget(self) -> None:
        """Empty the bank."""
        self.bank, self.depth, self.features = self.bank[:0], self.depth[:0], self.features[:0]

    @torch.jit.unused
    def gather(self) -> None:
        """Join the banks of all processes."""
        for name in _BUFFERS:
            own: Tensor = getattr(self, name)
            setattr(self, name, torch.cat([part for (part,) in idist.all_gather([own.cpu()])]).to(own.device))

    def smooth(self, images: Tensor) -> Tensor:
        """Convolve images ``(B, C, *spatial)`` with a Gaussian, as those of the bank are; the border is replicated."""
        reach = int(4.0 * self.sigma + 0.5)
        steps = torch.arange(-reach, reach + 1, device=images.device)
        line = torch.exp(-0.5 * (steps / self.sigma) ** 2)
        line = line / line.sum()
        channels = images.shape[1]
        padded = F.pad(images.float(), [reach] * (2 * self.spatial_dims), mode="replicate")
        plane = line[:, None] * line
        if self.spatial_dims == 2:
            return F.conv2d(padded, plane.expand(channels, 1, -1, -1), groups=channels)
        return F.conv3d(padded, (plane[:, :, None] * line).expand(channels, 1, -1, -1, -1), groups=channels)

    def expect(self, smooth: Tensor) -> Expectation:
        """Say what is expected of images.

        Args:
            smooth: ``(B, C, *image_size)``, see :meth:`smooth`.

        Returns:
            Expected images, and how much normal ones differ.
        """
        places = self._nearest(smooth, max(self.num_neighbors, self.num_bases))
        similar = _turned(self.bank, places).float()
        nearest = similar[:, : self.num_neighbors]
        median, spread = nearest.median(dim=1).values, _deviation(nearest) + self.floor
        if self.num_bases == 0:
            return Expectation(median, spread)
        depth = _turned(self.depth, places[:, : self.num_neighbors]).float().mean(dim=1)
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

    def _features(self, smooth: Tensor) -> Tensor:
        return F.interpolate(smooth.clamp(0.0, 1.0), size=[self.feature_size] * self.spatial_dims, mode="area")

    def _nearest(self, smooth: Tensor, count: int) -> Tensor:
        """Rank the images of the bank, and behind them the mirrored ones, by their distance ``(B, count)``."""
        distances = _distances(self._features(smooth), self._known())
        return distances.topk(min(count, distances.shape[1]), largest=False).indices

    def _known(self) -> Tensor:
        return torch.cat([self.features, self.features.flip(2)]) if self.mirror else self.features


def _distances(features: Tensor, known: Tensor) -> Tensor:
    """Distances ``(B, N)``, without the matrix product that makes them depend on the size of the batch."""
    return torch.cdist(features.flatten(1), known.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def _turned(images: Tensor, places: Tensor) -> Tensor:
    """Take images ``(N, C, *spatial)`` by their places ``(B, K)``; those from N on are mirrored."""
    chosen = images[places % len(images)]
    mirrored = (places >= len(images)).view(list(places.shape) + [1] * (images.ndim - 1))
    return torch.where(mirrored, chosen.flip(3), chosen)


def _deviation(values: Tensor) -> Tensor:
    """Standard deviation over the second axis; ``torch.std`` takes 15 times as long there."""
    return (values - values.mean(dim=1, keepdim=True)).square().mean(dim=1).sqrt()


def _make_room(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the buffers as many images as a state dict has."""
    for name in _BUFFERS:
        own, other = getattr(module, name), state.get(prefix + name)
        if other is not None and own.shape[1:] == other.shape[1:]:
            setattr(module, name, own.new_empty(other.shape))
