# SPDX-License-Identifier: Apache-2.0
"""Bank of normal images: what is known of each, and which of them are most similar to a new one."""

from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_at_least, check_positive, check_spatial_dims
from .microaggregation import group_similar

_FEWEST_SUBJECTS = 5
"""An image of the bank that is the mean of fewer subjects counts as an image of one of them."""


class ImageBank(nn.Module):
    """Keep normal images, part of the state dict, in half precision; or means of similar ones of several subjects.

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
        group_size: how many similar images, each of another subject, become one of the bank, see :meth:`pool`; 1 keeps
            the images themselves.

    Raises:
        ValueError: if an argument is out of range.
    """

    holds_images: bool
    """Whether the state dict holds training images, or means of fewer than 5 subjects: whoever has the weights can look
    at them."""

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
        group_size: int = 1,
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_at_least(1, feature_size=feature_size, group_size=group_size)
        check_positive(sigma=sigma)
        self.spatial_dims = spatial_dims
        self.in_channels = in_channels
        self.image_size = [int(size) for size in image_size]
        self.feature_size = feature_size
        self.sigma = sigma
        self.mirror = mirror
        self.group_size = group_size
        self.holds_images = group_size < _FEWEST_SUBJECTS
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

    @torch.jit.unused
    def pool(self, subjects: Sequence[str]) -> list[list[int]]:
        """Replace the images of the bank by one for each group of ``group_size`` similar images of different subjects.

        Images that are in no group, at most those of ``group_size - 1`` subjects, are forgotten. With a ``group_size``
        of 1 nothing changes.

        Args:
            subjects: whose image each is.

        Returns:
            Which images each of the bank comes from.

        Raises:
            InputError: if there are fewer subjects than images in a group.
        """
        if self.group_size == 1:
            return [[number] for number in range(len(subjects))]
        groups = group_similar(self.features, subjects, self.group_size)
        pooled = [
            self._pooled({name: getattr(self, name)[group].float() for name in self._entries}) for group in groups
        ]
        self.forget()
        self.append(**{name: torch.stack([each[name] for each in pooled]) for name in self._entries})
        return groups

    @torch.jit.unused
    def _pooled(self, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make one entry of those of a group."""
        return {name: value.mean(dim=0) for name, value in entries.items()}

    @torch.jit.unused
    def summary(self, count: int) -> str:
        """Say in a line what the bank has of ``count`` images."""
        size = sum(value.nbytes for value in self.entries().values()) / 1e6
        images = f"{count} normal images"
        if self.group_size > 1:
            images = f"{len(self.features)} means of images of {self.group_size} subjects each, from {images}"
        return f"{images}, {size:.1f} MB"

    def neighbors_for(self, count: int) -> int:
        """Say how many entries of the bank stand for ``count`` images."""
        return (count + self.group_size - 1) // self.group_size

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


def holds_images(network: nn.Module) -> bool:
    """Say whether training images can be read from the weights of a network."""
    return any(getattr(part, "holds_images", False) for part in network.modules())


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
