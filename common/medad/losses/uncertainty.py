# SPDX-License-Identifier: Apache-2.0
"""Gaussian negative log-likelihood: L = mean(exp(-s) (x - x_hat)^2 + s), s = log variance."""

import torch
from torch import Tensor, nn

_LOG_VARIANCE_BOUND = 10.0


def split_uncertainty(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Split a network's output into reconstruction and log-variance.

    The log-variance is kept in [-10, 10]: an empty background is reconstructed perfectly, and its variance would
    otherwise fall without end.

    Args:
        outputs: ``(B, 2 C, *spatial)``.

    Returns:
        Reconstruction and log-variance, each ``(B, C, *spatial)``.

    Raises:
        ValueError: if the number of channels is odd.
    """
    if outputs.shape[1] % 2:
        raise ValueError(f"{outputs.shape[1]} channels: reconstruction and log-variance need an even number.")
    reconstruction, log_variance = outputs.chunk(2, dim=1)
    return reconstruction, log_variance.clamp(-_LOG_VARIANCE_BOUND, _LOG_VARIANCE_BOUND)


def squared_error_in_variances(reconstruction: Tensor, log_variance: Tensor, image: Tensor) -> Tensor:
    """Compute exp(-s) (x - x_hat)^2, elementwise: an error counts less where the network expects one."""
    return torch.exp(-log_variance) * (image - reconstruction).square()


class UncertaintyLoss(nn.Module):
    """Negative log-likelihood of the image, up to a factor and a constant.

    References:
        1. Mao et al., "Abnormality Detection in Chest X-ray Images Using Uncertainty Prediction Autoencoders", MICCAI
           2020, section 2.
        2. Kendall and Gal, "What Uncertainties Do We Need in Bayesian Deep Learning for Computer Vision?", NeurIPS
           2017, arXiv:1703.04977, equation 8.
    """

    def forward(self, outputs: Tensor, target: Tensor) -> Tensor:
        """Judge one batch.

        Args:
            outputs: ``(B, 2 C, *spatial)``, reconstruction and log-variance.
            target: image ``(B, C, *spatial)``.

        Returns:
            Scalar.
        """
        reconstruction, log_variance = split_uncertainty(outputs)
        return (squared_error_in_variances(reconstruction, log_variance, target) + log_variance).mean()
