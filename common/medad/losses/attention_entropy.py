# SPDX-License-Identifier: Apache-2.0
"""Entropy of attention weights: H = -sum_i w_i log w_i, how many slots of a memory an image recalls."""

import torch
from torch import Tensor, nn


class AttentionEntropy(nn.Module):
    """Mean entropy of weights that sum to 1; 0 if every image recalls one slot.

    References:
        Gong et al., "Memorizing Normality to Detect Anomaly", ICCV 2019, arXiv:1904.02639, equation 9.
    """

    def forward(self, weights: Tensor) -> Tensor:
        """Average over the batch.

        Args:
            weights: ``(B, slots)``.

        Returns:
            Scalar in [0, log(slots)].
        """
        # where a weight is 0 its term is 0, with the gradient 0: the slot was cut off
        logarithm = torch.where(weights > 0, weights, 1.0).log()
        return -(weights * logarithm).sum(dim=1).mean()
