# SPDX-License-Identifier: Apache-2.0
"""Random backbone: the same weights in every process, and no level lost beside the others."""

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_SEED = 0
_SIZE = {2: 64, 3: 32}  # of the noise image, by spatial axes
# what opens the gates of an EfficientNet, in MONAI and timm; drawn ones would let contrast grow from layer to layer
_GATES = ("_se_expand", "conv_expand")


def draw_backbone_weights(network: nn.Module, spatial_dims: int, in_channels: int) -> None:
    """Draw the weights of all convolutions from a fixed seed and fit the scale of all batch normalizations.

    Left as constructed, a normalization in evaluation mode does nothing, and each level of MONAI's EfficientNet is some
    fifty times smaller than the one before. Fitted, its levels 0 to 3 lie within two orders of magnitude in 2D and
    three in 3D.

    The hash of the weights is the same on every machine: uniform numbers need no rounding, and scales that come from
    a computation are powers of two. Call it where drawing random numbers is not seen outside.

    Args:
        network: network of convolutions and batch normalizations, in evaluation mode.
        spatial_dims: spatial axes, 2 or 3.
        in_channels: channels of its input.
    """
    torch.manual_seed(_SEED)
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Conv3d)):
            if name.rpartition(".")[2] in _GATES:
                nn.init.zeros_(module.weight)
            else:
                nn.init.kaiming_uniform_(module.weight, nonlinearity="linear")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, _BatchNorm):
            hooks.append(module.register_forward_pre_hook(_fit_scale))
    with torch.no_grad():
        network(torch.randn(1, in_channels, *[_SIZE[spatial_dims]] * spatial_dims))
    for hook in hooks:
        hook.remove()


def _fit_scale(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    variance = module.get_buffer("running_var")
    variance.fill_(inputs[0].var().log2().round().exp2())
