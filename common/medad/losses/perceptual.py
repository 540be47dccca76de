# SPDX-License-Identifier: Apache-2.0
"""Perceptual loss: |f(x) - f(x_hat)| / mean |f(x)|, in the features f of a frozen network."""

from torch import Tensor, nn


def relative_feature_difference(features: Tensor, reference: Tensor) -> Tensor:
    """Compare the features of a reconstruction with those of its image, relative to the latter.

    Args:
        features: of the reconstruction, ``(B, C, *grid)``.
        reference: of the image, ``(B, C, *grid)``; its mean magnitude is no path for gradients.

    Returns:
        ``(B, 1, *grid)``, mean over the channels, at least 0.
    """
    scale = reference.detach().abs().flatten(1).mean(dim=1).clamp(min=1e-8)
    difference = (features - reference).abs().mean(dim=1, keepdim=True)
    return difference / scale.view(-1, *[1] * (features.ndim - 1))


class PerceptualLoss(nn.Module):
    """Mean relative difference of features; the pixels themselves do not count.

    References:
        Shvetsova et al., "Anomaly Detection in Medical Imaging with Deep Perceptual Autoencoders", IEEE Access 2021,
        arXiv:2006.13265, equation 2.
    """

    def forward(self, outputs: tuple[Tensor, Tensor, Tensor], target: Tensor) -> Tensor:
        """Judge one batch.

        Args:
            outputs: reconstruction, features of it, features of the image.
            target: the image; its features are among the outputs.

        Returns:
            Scalar.
        """
        _, features, reference = outputs
        return relative_feature_difference(features, reference).mean()
