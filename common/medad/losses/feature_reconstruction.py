# SPDX-License-Identifier: Apache-2.0
"""Feature reconstruction loss: L = l(f_hat, f), with the features that the network took of the image."""

from torch import Tensor, nn


class FeatureReconstructionLoss(nn.Module):
    """Compare reconstructed features with the true ones; the image itself is no target.

    Args:
        loss: of reconstructed and true features, such as :class:`torch.nn.MSELoss`.

    References:
        You et al., "A Unified Model for Multi-class Anomaly Detection", NeurIPS 2022, arXiv:2206.03687.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, outputs: tuple[Tensor, Tensor], target: Tensor | None = None) -> Tensor:
        """Judge one batch.

        Args:
            outputs: reconstructed and true features, each ``(B, F, *grid)``.
            target: not used; what MONAI's trainer passes on.

        Returns:
            Scalar.
        """
        reconstruction, features = outputs
        loss: Tensor = self.loss(reconstruction, features)
        return loss
