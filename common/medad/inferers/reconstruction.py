# SPDX-License-Identifier: Apache-2.0
"""Reconstruction residual: A(x) = mean over channels of |x - g(x)|^p, or another difference."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .base import AnomalyInferer

_RESIDUALS = {"l1": torch.abs, "l2": torch.square}


class ReconstructionInferer(AnomalyInferer):
    """Compare an image with its reconstruction.

    Args:
        spatial_dims: spatial axes of the network, 2 or 3.
        residual: ``"l1"`` (absolute) or ``"l2"`` (squared) difference, averaged over the channels; or a function of
            reconstruction and image that returns a map ``(B, 1, *spatial)``, such as
            :class:`medad.losses.StructuralDissimilarity`.
        slice_batch_size: how many slices of a volume go through a 2D network together.

    Returns:
        ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.

    Raises:
        ValueError: if an argument does not fit.

    Example:
        >>> inferer = ReconstructionInferer(spatial_dims=2)
        >>> inferer(torch.ones(1, 1, 8, 8), nn.Identity()).shape
        torch.Size([1, 2, 8, 8])
    """

    def __init__(
        self,
        spatial_dims: int,
        residual: str | Callable[[Tensor, Tensor], Tensor] = "l1",
        slice_batch_size: int = 32,
    ) -> None:
        super().__init__(spatial_dims, slice_batch_size)
        if isinstance(residual, str) and residual not in _RESIDUALS:
            raise ValueError(f"residual={residual!r}: must be one of {sorted(_RESIDUALS)} or a function.")
        self.residual = residual

    def infer(self, images: Tensor, network: nn.Module) -> Tensor:
        """Reconstruct ``images`` and take the residual."""
        return self.compare(images, network(images))

    def compare(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        """Take the residual.

        Args:
            images: ``(B, C, *spatial)``.
            reconstruction: of the same shape.

        Returns:
            ``(B, 1 + C, *spatial)``: anomaly map, then the reconstruction.
        """
        return torch.cat([self.difference(images, reconstruction), reconstruction], dim=1)

    def difference(self, images: Tensor, reconstruction: Tensor) -> Tensor:
        """Take the residual alone; arguments as for :meth:`compare`, result ``(B, 1, *spatial)``."""
        if isinstance(self.residual, str):
            return _RESIDUALS[self.residual](images - reconstruction).mean(dim=1, keepdim=True)
        return self.residual(reconstruction, images)
