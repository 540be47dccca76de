# SPDX-License-Identifier: Apache-2.0
"""Bank of normal images: what is known of each, and which of them are most similar to a new one."""

from collections.abc import Sequence
from typing import Any, ClassVar

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_at_least, check_positive, check_spatial_dims


class ImageBank(nn.Module):
    """Keep normal images, part of the state dict, in half precision.

    Similar is what has similar means in ``feature_size`` cells along each axis, after intensities above that of tissue,
    1, are cut off. All images are smoothed first.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        image_size: grid of the images.
        feature_size: cells along each axis.
        sigma: standard deviation of the smoothing in pixels.
        mirror: whether each image of the bank counts twice, as it is and mirrored along its first axis: left and right
            of axial and coronal images.

    Raises:
        ValueError: if an argument is out of range.
    """

    holds_images: ClassVar[bool] = True
    """The state dict holds training images: whoever has the weights can look at them."""

    bank: Tensor
    features: Tensor

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        image_size: Sequence[int],
        feature_size: int = 16,
        sigma: float = 1.0,
        mirror: bool = True,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, feature_size=feature_size)
        check_positive(sigma=sigma)
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.image_size = [int(size) for size in image_size]
        self.feature_size = feature_size
        self.sigma = sigma
        self.mirror = mirror
        self._entries: list[str] = []
        self.register_load_state_dict_pre_hook(_make_room)

    @torch.jit.unused
    def register_entries(self, **entries: Tensor) -> None:
        """Add buffers that have an entry for each image of the bank, ``(N, ...)``."""
        for name, value in entries.items():
            self.register_buffer(name, value)
            self._entries.append(name)

    @torch.jit.unused
    def append(self, **entries: Tensor) -> None:
        """Add images to the bank, what is known of them by the names of the buffers."""
        for name, value in entries.items():
            own: Tensor = getattr(self, name)
            setattr(self, name, torch.cat([own, value.to(own.dtype)]))

    @torch.jit.unused
    def entries(self) -> dict[str, Tensor]:
        """Give the buffers by their names, as :meth:`append` takes them."""
        return {name: getattr(self, name) for name in self._entries}

    @torch.jit.unused
    def forget(self) -> None:
        """Empty the bank."""
        for name in self._entries:
            setattr(self, name, getattr(self, name)[:0])

    @torch.jit.unused
    def gather(self) -> None:
        """Join the banks of all processes."""
        for name in self._entries:
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

    def features_of(self, smooth: Tensor) -> Tensor:
        """Take the means of the cells of smoothed images."""
        return F.interpolate(smooth.clamp(0.0, 1.0), size=[self.feature_size] * self.spatial_dims, mode="area")

    def nearest(self, smooth: Tensor, count: int, allowed: Tensor | None = None) -> Tensor:
        """Rank the images of the bank, and behind them the mirrored ones, by their distance ``(B, count)``.

        Args:
            smooth: ``(B, C, *image_size)``.
            count: how many to give, or all if there are fewer.
            allowed: ``(N,)`` boolean: which images of the bank count; all by default.
        """
        distances = distances_between(self.features_of(smooth), self.known())
        if allowed is not None:
            whole = torch.cat([allowed, allowed]) if self.mirror else allowed
            distances = distances.masked_fill(~whole, float("inf"))
            count = min(count, int(whole.sum()))
        return distances.topk(min(count, distances.shape[1]), largest=False).indices

    def known(self) -> Tensor:
        """Give the features of all images, and behind them those of the mirrored ones."""
        return torch.cat([self.features, self.features.flip(2)]) if self.mirror else self.features


def distances_between(features: Tensor, known: Tensor) -> Tensor:
    """Distances ``(B, N)``, without the matrix product that makes them depend on the size of the batch."""
    return torch.cdist(features.flatten(1), known.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def turned(images: Tensor, places: Tensor) -> Tensor:
    """Take images ``(N, C, *spatial)`` by their places ``(B, K)``; those from N on are mirrored."""
    chosen = images[places % len(images)]
    mirrored = (places >= len(images)).view(list(places.shape) + [1] * (images.ndim - 1))
    return torch.where(mirrored, chosen.flip(3), chosen)


def _make_room(module: ImageBank, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Give the buffers as many images as a state dict has."""
    for name in module._entries:
        own, other = getattr(module, name), state.get(prefix + name)
        if other is not None and own.shape[1:] == other.shape[1:]:
            setattr(module, name, own.new_empty(other.shape))
