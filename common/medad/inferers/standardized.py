# SPDX-License-Identifier: Apache-2.0
"""Standardized difference: A(x) = mean over channels of |z|, or of its bright or dark part."""

import torch
from torch import Tensor, nn

from ..checks import check_choice
from .base import AnomalyInferer

SIGNS = ("both", "bright", "dark")


class StandardizedInferer(AnomalyInferer):
    """Take how far an image lies from what normal ones look like, in units of their spread.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        sign: what is abnormal: ``"both"``, only what is ``"bright"``er than expected, or only what is ``"dark"``er.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the expected image. The network gives ``(B, 2 C, *spatial)``, see
        :class:`medad.networks.NormativeAtlas`.

    Raises:
        ValueError: if an argument does not fit.
    """

    def __init__(self, spatial_dims: int, sign: str = "both", slice_batch_size: int = 16) -> None:
        super().__init__(spatial_dims, slice_batch_size)
        check_choice(SIGNS, sign=sign)
        self.sign = sign

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Compare ``images`` with what the network expects."""
        difference, expected = network(images).chunk(2, dim=1)
        part = {"both": difference.abs(), "bright": difference.clamp(min=0.0), "dark": (-difference).clamp(min=0.0)}
        return torch.cat([part[self.sign].mean(dim=1, keepdim=True), expected], dim=1)
