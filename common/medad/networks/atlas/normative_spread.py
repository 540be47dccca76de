# SPDX-License-Identifier: Apache-2.0
"""Normative spread: how large the residual of a method is in the most similar normal images, at each place.

``A(x) / (s(x) + floor m)``, with ``s`` the root mean square of the residual maps of the most similar normal images, and
``m`` the mean of all normal ones: a residual of twice the usual size counts as much at the scalp as in white matter.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...checks import check_at_least, check_positive
from ...errors import InputError
from ..unwrapping import unwrap_network
from .image_bank import ImageBank, turned

_NAME = "normative_spread"
_LEAST = 1e-12
_LARGEST = torch.finfo(torch.float16).max


class NormativeSpread(ImageBank):
    """Divide residual maps by their spread in normal images.

    :meth:`remember` fills the bank with the maps of normal images, which is part of the state dict of the network that
    it is attached to, see :func:`attach_spread`. While the bank is empty, as in training, maps stay as they are.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the images.
        image_size: grid of the images and of their maps.
        num_neighbors: how many normal images give the spread.
        feature_size: see :class:`ImageBank`.
        sigma: standard deviation of the smoothing, of images that are compared and of maps in the bank, in pixels.
        floor: what is added to the spread, in units of the mean of all maps in the bank.
        mirror: see :class:`ImageBank`.
        clip: intensity above which images are not compared.
        group_size: see :class:`ImageBank`; the map of a group is the root mean square of its maps.

    Raises:
        ValueError: if an argument is out of range.
    """

    bank: Tensor
    means: Tensor

    def __init__(
        self,
        spatial_dims: int,
        in_channels: int,
        image_size: Sequence[int],
        num_neighbors: int = 21,
        feature_size: int = 16,
        sigma: float = 1.0,
        floor: float = 0.1,
        mirror: bool = True,
        clip: float = 1.0,
        group_size: int = 1,
    ) -> None:
        super().__init__(spatial_dims, in_channels, image_size, feature_size, sigma, mirror, group_size)
        check_at_least(1, num_neighbors=num_neighbors)
        check_positive(floor=floor, clip=clip)
        self.num_neighbors = num_neighbors
        self.floor = floor
        self.clip = clip
        self.register_entries(
            bank=torch.zeros(0, 1, *self.image_size, dtype=torch.float16),
            features=torch.zeros(0, in_channels, *[feature_size] * spatial_dims),
            means=torch.zeros(0),
        )
        self.register_load_state_dict_pre_hook(_allow_none)

    def remember(self, images: Tensor, residuals: Tensor) -> None:
        """Put the residual maps ``(B, 1, *image_size)`` of normal images ``(B, C, *image_size)`` into the bank."""
        self.append(
            bank=self.smooth(residuals).clamp(max=_LARGEST),
            features=self.features_of(self.smooth(images / self.clip)),
            means=residuals.float().flatten(1).mean(dim=1),
        )

    def forward(self, images: Tensor, residuals: Tensor) -> Tensor:
        """Divide the residual maps ``(B, 1, *image_size)`` of images ``(B, C, *image_size)``."""
        if not len(self.bank):
            return residuals
        places = self.nearest(self.smooth(images / self.clip), self.neighbors_for(self.num_neighbors))
        spread = turned(self.bank, places).float().square().mean(dim=1).sqrt()
        return residuals / (spread + self.floor * self.means.mean()).clamp(min=_LEAST)

    def _averaged(self, entries: dict[str, Tensor]) -> dict[str, Tensor]:
        return {**super()._averaged(entries), "bank": entries["bank"].square().mean(dim=0).sqrt()}


def attach_spread(network: nn.Module, spread: NormativeSpread) -> None:
    """Make a spread part of the state dict of a network.

    Raises:
        InputError: if the network is an exported one.
    """
    if isinstance(network, torch.jit.ScriptModule):
        raise InputError(
            "an exported network has no normative spread",
            where="TorchScript",
            expected="the network itself, whose model.pt holds the spread",
            remedy="Leave inference_ts.json out, or normative_spread.json.",
        )
    network.add_module(_NAME, spread)


def spread_of(network: nn.Module) -> NormativeSpread | None:
    """Give the spread that is attached to a network, ``None`` if there is none."""
    found: NormativeSpread | None = getattr(unwrap_network(network), _NAME, None)
    return found


def without_spread(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out what a state dict has of a normative spread."""
    return {name: value for name, value in state.items() if not name.startswith(f"{_NAME}.")}


def _allow_none(module: NormativeSpread, state: dict[str, Any], prefix: str, *_: Any) -> None:
    """Take the weights of a network that was trained without it: the bank is then empty."""
    if prefix + "features" not in state:
        module.forget()
        state.update({prefix + name: value for name, value in module.entries().items()})
