# SPDX-License-Identifier: Apache-2.0
"""Residual in units of the predicted variance: A(x) = mean over channels of exp(-s) (x - x_hat)^2."""

import torch
from torch import Tensor, nn

from ..losses import split_uncertainty, squared_error_in_variances
from .base import AnomalyInferer


class UncertaintyInferer(AnomalyInferer):
    """Compare an image with its reconstruction in units of the predicted variance.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.

    References:
        Mao et al., "Abnormality Detection in Chest X-ray Images Using Uncertainty Prediction Autoencoders", MICCAI
        2020, section 2.
    """

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Reconstruct ``images`` and weight the squared error."""
        reconstruction, log_variance = split_uncertainty(network(images))
        error = squared_error_in_variances(reconstruction, log_variance, images)
        return torch.cat([error.mean(dim=1, keepdim=True), reconstruction], dim=1)
