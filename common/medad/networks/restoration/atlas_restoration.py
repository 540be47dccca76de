# SPDX-License-Identifier: Apache-2.0
"""Restoration with an atlas: the network is told what normal images that are like this one have at each place."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..atlas.normative_atlas import NormativeAtlas


class AtlasRestoration(nn.Module):
    """Give a restoration network the image, its standardized difference from an atlas, and the expected image.

    Args:
        atlas: the atlas; it has to be filled, see :class:`medad.transforms.ExpectedImaged`.
        network: takes three times the channels of the image, such as :class:`RestorationUNet`.

    Shape:
        ``(B, C, *image_size)`` to that of the network.
    """

    onnx_can: ClassVar[bool] = False
    """ONNX has no solver of linear equations, and no median."""

    def __init__(self, atlas: NormativeAtlas, network: nn.Module) -> None:
        super().__init__()
        self.atlas = atlas
        self.network = network
        self._largest = 8.0
        self._scale = 3.0  # gives the difference the spread of the other channels

    def forward(self, images: Tensor, expected: Tensor | None = None, spread: Tensor | None = None) -> Tensor:
        """Find and heal lesions.

        Args:
            images: ``(B, C, *image_size)``.
            expected: what the atlas expects of them, where that is known already.
            spread: how much normal images differ from it.

        Returns:
            What the network gives.
        """
        smooth = self.atlas.smooth(images)
        if expected is None or spread is None:
            expectation = self.atlas.expect(smooth)
            expected, spread = expectation.image, expectation.spread
        # beyond the border of an image that was turned the spread is 0
        difference = (smooth - expected) / spread.clamp(min=self.atlas.floor)
        difference = difference.clamp(-self._largest, self._largest) / self._scale
        return self.network(torch.cat([images, difference, expected], dim=1))
