# SPDX-License-Identifier: Apache-2.0
"""KL divergence from the standard normal: KL = -1/2 (1 + log s^2 - m^2 - s^2) per latent unit."""

from torch import Tensor, nn

from ..checks import check_choice

_REDUCTIONS = ("mean", "sum")


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor, reduction: str = "mean") -> Tensor:
    """Compute KL(N(mean, exp(log_variance)) || N(0, 1)) of every image.

    Args:
        mean: ``(B, latent units)``.
        log_variance: ``(B, latent units)``.
        reduction: over the latent units. ``"sum"`` is the divergence of the code; ``"mean"`` is what the benchmark
            weights, d times smaller.

    Returns:
        ``(B,)``, at least 0.

    Raises:
        ValueError: if ``reduction`` is unknown.

    References:
        Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014, arXiv:1312.6114, appendix B.
    """
    check_choice(_REDUCTIONS, reduction=reduction)
    units = -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
    return units.mean(dim=1) if reduction == "mean" else units.sum(dim=1)


class KLDivergence(nn.Module):
    """Mean of :func:`kl_to_standard_normal` over the batch.

    Args:
        reduction: over the latent units, ``"mean"`` or ``"sum"``.

    Raises:
        ValueError: if ``reduction`` is unknown.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        check_choice(_REDUCTIONS, reduction=reduction)
        self.reduction = reduction

    def forward(self, mean: Tensor, log_variance: Tensor) -> Tensor:
        """Average over the batch."""
        return kl_to_standard_normal(mean, log_variance, self.reduction).mean()
