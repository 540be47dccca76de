# SPDX-License-Identifier: Apache-2.0
"""SqueezeNet 1.1 features, after each of its seven stages."""

import torch
from torch import Tensor, nn

# channels between the fire modules of each stage after the first: input, squeezed, expanded
_STAGES = (
    ((64, 16, 128), (128, 16, 128)),
    ((128, 32, 256), (256, 32, 256)),
    ((256, 48, 384),),
    ((384, 48, 384),),
    ((384, 64, 512),),
    ((512, 64, 512),),
)
_POOLED = 3  # this many stages begin with a pooling


class _Fire(nn.Module):
    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, kernel_size=1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded // 2, kernel_size=1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded // 2, kernel_size=3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x).relu(), self.expand3x3(x).relu()], dim=1)


class SqueezeNetFeatures(nn.Module):
    """The features of SqueezeNet 1.1 after its first convolution and after each fire module that LPIPS uses.

    The layers are named as in the state dict of the package lpips (``net.slice1.0.weight``), so that its weights fit.

    Shape:
        ``(B, 3, H, W)``, H and W at least 17, to seven maps with ``SqueezeNetFeatures.channels`` channels, at a half to
        a sixteenth of the resolution.

    References:
        Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and <0.5MB model size",
        arXiv:1602.07360, table 1; version 1.1 as in the authors' repository.
    """

    channels = (64, 128, 256, 384, 384, 512, 512)

    def __init__(self) -> None:
        super().__init__()
        self.slice1 = nn.Sequential(nn.Conv2d(3, 64, kernel_size=3, stride=2), nn.ReLU())
        position = len(self.slice1)
        for number, fires in enumerate(_STAGES):
            layers: list[nn.Module] = [nn.MaxPool2d(3, stride=2, ceil_mode=True)] if number < _POOLED else []
            layers += [_Fire(*widths) for widths in fires]
            stage = nn.Sequential()
            for layer in layers:
                stage.add_module(str(position), layer)
                position += 1
            self.add_module(f"slice{number + 2}", stage)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Give the features of ``x``."""
        features = []
        for stage in self.children():
            x = stage(x)
            features.append(x)
        return features
