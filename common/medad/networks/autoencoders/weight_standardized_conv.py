# SPDX-License-Identifier: Apache-2.0
"""Weight-standardized convolution: its kernels have mean 0 and variance 1 per output channel.

w_hat = (w - mean(w)) / sqrt(var(w) + eps), then scaled by 1 / sqrt(fan_in).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...checks import check_odd, check_spatial_dims


class WeightStandardizedConv(nn.Module):
    """2D or 3D convolution with standardized weights and mirrored borders.

    The division by sqrt(fan_in) keeps the variance of the activations at initialization; without it the group
    normalization that follows would hide it anyway, but mixed precision would lose range.

    Args:
        spatial_dims: 2 or 3.
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: odd kernel size.
        eps: added to the variance.

    Shape:
        ``(B, in_channels, *spatial)`` to ``(B, out_channels, *spatial)``; each axis longer than ``kernel_size // 2``.

    References:
        Qiao et al., "Micro-Batch Training with Batch-Channel Normalization and Weight Standardization",
        arXiv:1903.10520, equations 11-13.
    """

    def __init__(
        self, spatial_dims: int, in_channels: int, out_channels: int, kernel_size: int = 3, eps: float = 1e-5
    ) -> None:
        super().__init__()
        check_spatial_dims(spatial_dims)
        check_odd(kernel_size=kernel_size)
        self.spatial_dims = spatial_dims
        self.eps = eps
        self.padding = [kernel_size // 2] * (2 * spatial_dims)
        self.fan_in_scale = 1.0 / math.sqrt(in_channels * kernel_size**spatial_dims)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, *(kernel_size,) * spatial_dims))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        nn.init.kaiming_normal_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve ``x`` with the standardized kernels."""
        variance, mean = torch.var_mean(self.weight.flatten(1), dim=1, unbiased=False)
        shape = [-1] + [1] * (self.weight.ndim - 1)
        scale = self.fan_in_scale * torch.rsqrt(variance + self.eps)
        weight = (self.weight - mean.reshape(shape)) * scale.reshape(shape)
        x = F.pad(x, self.padding, mode="reflect")
        if self.spatial_dims == 2:
            return F.conv2d(x, weight, self.bias)
        return F.conv3d(x, weight, self.bias)
