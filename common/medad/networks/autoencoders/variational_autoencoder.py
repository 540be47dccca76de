# SPDX-License-Identifier: Apache-2.0
"""Variational autoencoder: q(z | x) = N(mean(x), exp(log_variance(x))), z = mean + sd * noise in training only."""

from typing import Any

import torch
from torch import Tensor

from .autoencoder import Autoencoder


class VariationalAutoencoder(Autoencoder):
    """The benchmark autoencoder with a Gaussian code.

    In training mode the code is drawn and the result is ``(reconstruction, mean, log_variance)``. In evaluation mode
    the code is the mean and the result the reconstruction, so that a score is the same every time. (The benchmark's
    code draws at test time, too; MONAI's ``VarAutoEncoder`` by default shifts the mean by the standard deviation.)

    Arguments, shape and errors are those of :class:`Autoencoder`.

    References:
        1. Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, arXiv:1312.6114, section 3.
        2. Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4.
    """

    def code_units(self) -> int:
        """Mean and logarithm of the variance of each latent unit."""
        return 2 * self.latent_size

    @torch.jit.export
    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Give mean and log-variance, each ``(B, latent_size)``, of the code of images ``x``."""
        mean, log_variance = self.encode(x).chunk(2, dim=1)
        return mean, log_variance

    def reconstruct(self, x: Tensor) -> Tensor:
        """Decode the mean of the code."""
        return self.decode(self.posterior(x)[0])

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Decode a code drawn at random; give its mean and log-variance, too."""
        mean, log_variance = self.posterior(x)
        code = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decode(code), mean, log_variance
