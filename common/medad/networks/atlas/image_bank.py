# SPDX-License-Identifier: Apache-2.0
"""Bank of normal images: what is known of each, and which of them are most similar to a new one."""

import logging
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_at_least, check_positive, check_spatial_dims
from .microaggregation import group_similar

_logger = logging.getLogger(__name__)

_FEWEST_SUBJECTS = 5
"""An image of the bank that is the mean of fewer subjects counts as an image of one of them."""


class ImageBank(nn.Module):
    """Keep normal images, or means of similar ones from several subjects, in half precision, as part of the state dict.

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
        group_size: how many similar images, each of another subject, are averaged into one, see :meth:`pool`; 1 keeps
            the images themselves.

    Raises:
        ValueError: if an argument is out of range.
    """

    bank: Tensor
    features: Tensor
    members: Tensor
    """Of how many subjects each image of the bank is the mean, ``(N,)``."""

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
        self._entries = ["members"]
        self.register_buffer("members", torch.zeros(0, dtype=torch.int32))
        self.register_load_state_dict_pre_hook(_make_room)

    @torch.jit.unused
    def register_entries(self, **entries: Tensor) -> None:
        """Add buffers that have an entry for each image of the bank, ``(N, ...)``."""
        for name, value in entries.items():
            self.register_buffer(name, value)
            self._entries.append(name)
        self.members = torch.full((len(self.features),), self.group_size, dtype=torch.int32)

    @torch.jit.unused
    def append(self, **entries: Tensor) -> None:
        """Add images to the bank, what is known of them by the names of the buffers; by default each of one subject."""
        entries.setdefault("members", torch.ones(len(next(iter(entries.values())))))
        for name, value in entries.items():
            own: Tensor = getattr(self, name)
            setattr(self, name, torch.cat([own, value.to(own)]))

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
    def gather(self, subjects: Sequence[str]) -> list[str]:
        """Join the banks of all processes.

        Args:
            subjects: the subject of each image of this process.

        Returns:
            Those of all images.
        """
        if idist.get_world_size() == 1:
            return list(subjects)
        for name, own in self.entries().items():
            setattr(self, name, torch.cat([part for (part,) in idist.all_gather([own.cpu()])]).to(own.device))
        return [name for (part,) in idist.all_gather([list(subjects)]) for name in part]

    @torch.jit.unused
    def pool(self, subjects: Sequence[str]) -> list[list[int]]:
        """Average each group of ``group_size`` similar images of different subjects into one.

        Images that are in no group are forgotten. With a ``group_size`` of 1 all stay as they are.

        Args:
            subjects: the subject of each image.

        Returns:
            Which images each of the bank comes from.

        Raises:
            ValueError: if it is not one subject for each image.
            InputError: if there are fewer subjects than images in a group.
        """
        if len(subjects) != len(self.features):
            raise ValueError(f"{len(subjects)} subjects for {len(self.features)} images: one for each is expected.")
        groups = [[number] for number in range(len(subjects))]
        if self.group_size > 1:
            groups = group_similar(self.features, subjects, self.group_size)
            self._average(groups)
        if idist.get_rank() == 0:
            self._tell(subjects, groups)
        return groups

    @torch.jit.unused
    def _average(self, groups: Sequence[Sequence[int]]) -> None:
        entries = {name: value for name, value in self.entries().items() if len(value)}
        averages = (self._averaged({name: value[group].float() for name, value in entries.items()}) for group in groups)
        # in the type of the buffer at once: all of them in single precision would take twice as much
        pooled = [{name: value.to(getattr(self, name)) for name, value in each.items()} for each in averages]
        self.forget()
        self.append(
            **{name: torch.stack([each[name].to(getattr(self, name)) for each in pooled]) for name in pooled[0]}
        )

    @torch.jit.unused
    def _averaged(self, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        """Make one entry of those of a group."""
        return {name: value.sum(dim=0) if name == "members" else value.mean(dim=0) for name, value in entries.items()}

    @torch.jit.unused
    def _tell(self, subjects: Sequence[str], groups: Sequence[Sequence[int]]) -> None:
        size = sum(value.nbytes for value in self.entries().values()) / 1e6
        images, names = f"{len(subjects)} normal images of {len(set(subjects))} subjects", set(subjects)
        if self.group_size == 1:
            _logger.info("bank: %s, %.1f MB", images, size)
            return
        _logger.info(
            "bank: %d means, each of images of %d subjects, from %s, of which %d are in none; %.1f MB",
            *(len(groups), self.group_size, images, len(subjects) - sum(map(len, groups)), size),
        )
        if len(names) == len(subjects):
            _logger.warning("each image counts as a subject of its own; if several are of one, say so by subject_id")

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
    """Say whether images, or means of images of fewer than 5 subjects, can be read from the weights of a network."""
    counts = (getattr(part, "members", None) for part in network.modules())
    return any(bool((count < _FEWEST_SUBJECTS).any()) for count in counts if isinstance(count, Tensor))


def distances_between(features: Tensor, known: Tensor) -> Tensor:
    """Distances ``(B, N)``, without the matrix product that makes them depend on the size of the batch."""
    return torch.cdist(features.flatten(1), known.flatten(1), compute_mode="donot_use_mm_for_euclid_dist")


def turned(images: Tensor, places: Tensor) -> Tensor:
    """Take images ``(N, C, *spatial)`` by their places ``(B, K)``; those from N on are mirrored."""
    chosen = images[places % len(images)]
    mirrored = (places >= len(images)).view(list(places.shape) + [1] * (images.ndim - 1))
    return torch.where(mirrored, chosen.flip(3), chosen)


def _make_room(
    module: ImageBank,
    state: dict[str, Any],
    prefix: str,
    metadata: dict[str, Any],
    strict: bool,
    missing: list[str],
    unexpected: list[str],
    errors: list[str],
) -> None:
    """Give the buffers as many images as a state dict has, which must be of as many subjects as this bank says."""
    if (features := state.get(prefix + "features")) is not None:  # the first versions had no means
        members = state.setdefault(prefix + "members", torch.ones(len(features), dtype=torch.int32))
        if bool((members != module.group_size).any()):
            errors.append(f"images of the bank are means of {int(members.min())} subjects, not of {module.group_size}")
    for name in module._entries:
        own, other = getattr(module, name), state.get(prefix + name)
        if other is not None and own.shape[1:] == other.shape[1:]:
            setattr(module, name, own.new_empty(other.shape))
