# SPDX-License-Identifier: Apache-2.0
"""Gradient of a loss: A(x) = mean over channels of |d loss / d x|, the pixels that would change it most.

``reconstruction``  |d R / d x|,         R = sum of (x - x_hat)^2 over the image
``kl``              |d N K / d x|,       K = KL of the code from the standard normal, N numbers in the image
``elbo``            |d (R + beta N K) / d x|
``combined``        (x - x_hat)^2 |d N K / d x|

The published losses are means over the image; these are N times as large, so that a map does not fade as images grow.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..checks import check_choice
from ..errors import InputError
from ..losses import kl_to_standard_normal
from .base import AnomalyInferer

TERMS = ("reconstruction", "kl", "elbo", "combined")


class GradientInferer(AnomalyInferer):
    """Score pixels by the gradient of a loss with respect to the image (AE-Grad, VAE-Grad).

    All terms but ``"reconstruction"`` need a network with ``posterior`` and ``decode``, such as
    :class:`medad.networks.VariationalAutoencoder`. The gradient is computed in float32 whatever precision surrounds it.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        term: whose gradient: ``"reconstruction"``, ``"kl"``, ``"elbo"`` or ``"combined"``.
        beta: weight of the divergence in ``"elbo"``, as in training.
        kl_reduction: over the latent units, ``"mean"`` or ``"sum"``, as in training.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.

    Raises:
        ValueError: if an argument does not fit.
        InputError: in a call, if the network has no Gaussian code and the term needs one.

    References:
        1. Zimmerer et al., "Unsupervised Anomaly Localization using Variational Auto-Encoders", MICCAI 2019,
           arXiv:1907.02796, section 2.
        2. Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4.
    """

    uses_forward_only: ClassVar[bool] = False

    def __init__(
        self,
        spatial_dims: int,
        term: str = "reconstruction",
        beta: float = 1.0,
        kl_reduction: str = "mean",
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(spatial_dims, slice_batch_size)
        check_choice(TERMS, term=term)
        self.term = term
        self.beta = beta
        self.kl_reduction = kl_reduction

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Reconstruct ``images`` and differentiate."""
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(images.device.type, enabled=False):
            x = images.detach().float().clone().requires_grad_()
            reconstruction, divergence = self._pass(x, network)
            squared = (x - reconstruction).square()
            # images of a batch do not depend on each other: the gradient of the sum holds the gradient of each
            loss = torch.zeros((), device=x.device)
            if self.term in ("reconstruction", "elbo"):
                loss = loss + squared.sum()
            if divergence is not None:
                weight = self.beta if self.term == "elbo" else 1.0
                loss = loss + weight * x[0].numel() * divergence.sum()
            (gradient,) = torch.autograd.grad(loss, x)
        anomaly = gradient.abs()
        if self.term == "combined":
            anomaly = anomaly * squared.detach()
        return torch.cat([anomaly.mean(dim=1, keepdim=True), reconstruction.detach()], dim=1)

    def _pass(self, x: Tensor, network: Any) -> tuple[Tensor, Tensor | None]:
        """Give the reconstruction and, where the term has one, the divergence of every image."""
        if self.term == "reconstruction":
            return network(x), None
        if not hasattr(network, "posterior"):
            raise InputError(
                f"{type(network).__name__} has no Gaussian code",
                where=f"gradient of the term {self.term!r}",
                expected="a variational autoencoder",
                remedy="Add the overlay of the variational network before that of the gradient, in training, too.",
            )
        mean, log_variance = network.posterior(x)
        return network.decode(mean), kl_to_standard_normal(mean, log_variance, self.kl_reduction)
