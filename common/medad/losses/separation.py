# SPDX-License-Identifier: Apache-2.0
"""t-test separation loss: residuals of lesions high, of normal voxels low, both with small variance."""

from typing import Literal

import torch
from torch import Tensor, nn

from ..checks import check_at_least, check_choice, check_positive

_SAMPLES = ("patch", "voxel")


class TTestSeparationLoss(nn.Module):
    """Reconstruct normal images well and lesions badly.

    With the residual r = mean over channels of abs(x - x_hat), R+ in the marked voxels and R- in the images without a
    mark,

    L = max(0, margin - mean(R+)) + positive_weight * var(R+) + mean(R-) + negative_weight * var(R-).

    mean(R-) alone is the l1 reconstruction loss of normal images. The unmarked voxels of a marked image count nowhere:
    next to a lesion nobody knows what is normal. The variances divide by n, not by n - 1, so one sample has variance 0
    and repeating a batch changes nothing; a batch without marks has no R+ terms, one with marks only no R- terms. Half
    precision is raised to float32.

    Args:
        margin: residual from which on lesions are reconstructed badly enough; images in [0, 1] have at most 1.
        positive_weight: of the variance of R+, at least 0.
        negative_weight: of the variance of R-, at least 0.
        sample: what one sample of R is: the mean residual of one ``"patch"``, over its marked voxels or over all if it
            has none, every patch counting the same; or the residual of one ``"voxel"``. The patch is the default
            because the method is described as one that separates patches with and without a lesion; with voxels a large
            lesion counts more, and the variance of R- also punishes single bright voxels.

    Shape:
        reconstruction, image: ``(B, C, *spatial)``; mask: ``(B, 1, *spatial)``, nonzero where marked.

    Raises:
        ValueError: if an argument is out of its range; in a call, if the shapes do not fit.

    References:
        Zhang et al., "Cascaded Generative and Discriminative Learning for Microcalcification Detection", CVPR 2019,
        doi:10.1109/CVPR.2019.01286.
    """

    def __init__(
        self,
        margin: float = 0.8,
        positive_weight: float = 1.0,
        negative_weight: float = 0.1,
        sample: Literal["patch", "voxel"] = "patch",
    ) -> None:
        super().__init__()
        check_positive(margin=margin)
        check_at_least(0, positive_weight=positive_weight, negative_weight=negative_weight)
        check_choice(_SAMPLES, sample=sample)
        self.margin = margin
        self.positive_weight = positive_weight
        self.negative_weight = negative_weight
        self.sample = sample

    def forward(self, reconstruction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Judge one batch.

        Args:
            reconstruction: ``(B, C, *spatial)``.
            target: image ``(B, C, *spatial)`` and mask ``(B, 1, *spatial)``, already dilated if it shall be.

        Returns:
            Scalar, float32 or float64.
        """
        image, mask = target
        if reconstruction.shape != image.shape or mask.shape != image[:, :1].shape:
            raise ValueError(
                f"reconstruction has shape {tuple(reconstruction.shape)}, image {tuple(image.shape)}, mask "
                f"{tuple(mask.shape)}; expected (B, C, *spatial) twice and (B, 1, *spatial)."
            )
        precision = torch.promote_types(reconstruction.dtype, torch.float32)
        residual = (image.to(precision) - reconstruction.to(precision)).abs().mean(dim=1).flatten(1)  # (B, voxels)
        positive = mask.flatten(1) > 0
        negative = ~positive.any(dim=1, keepdim=True).expand_as(positive)
        mean, variance, some = self._moments(residual, positive)
        normal_mean, normal_variance, _ = self._moments(residual, negative)
        separation = (self.margin - mean).clamp(min=0) * some  # without a lesion there is nothing to separate
        return separation + self.positive_weight * variance + normal_mean + self.negative_weight * normal_variance

    def _moments(self, residual: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of the samples in the chosen voxels, 0 without any, and whether there is any."""
        weight = chosen.to(residual.dtype)
        if self.sample == "patch":
            residual = (residual * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
            weight = chosen.any(dim=1).to(residual.dtype)
        count = weight.sum().clamp(min=1)
        mean = (residual * weight).sum() / count
        variance = ((residual - mean).square() * weight).sum() / count
        return mean, variance, weight.any()
