# SPDX-License-Identifier: Apache-2.0
"""Constrained autoencoder: the same code in an image and in its reconstruction, f(g(f(x))) = f(x)."""

from typing import Any

import torch
from torch import Tensor

from .autoencoder import Autoencoder


class ConstrainedAutoencoder(Autoencoder):
    """The benchmark autoencoder, encoding its reconstruction once more in training.

    In training mode the result is ``(reconstruction, code, code of the reconstruction)``.

    Arguments, shape and errors are those of :class:`Autoencoder`.

    References:
        1. Chen and Konukoglu, "Unsupervised Detection of Lesions in Brain MRI using Constrained Adversarial
           Auto-encoders", MIDL 2018, arXiv:1806.04972.
        2. Cai et al., "MedIAnomaly", Medical Image Analysis 2025, arXiv:2404.04518, section 4.
    """

    @torch.jit.unused
    def training_outputs(self, x: Tensor) -> Any:
        """Give the reconstruction, the code, and the code of the reconstruction."""
        code = self.encode(x)
        reconstruction = self.decode(code)
        return reconstruction, code, self.encode(reconstruction)
