# SPDX-License-Identifier: Apache-2.0
"""Robust ridge regression: least squares with a penalty, in which outliers count less from round to round.

``min_c  sum_p w_p (y_p - sum_j c_j a_jp)^2 + lambda n |c|^2``,  ``w_p = 1 / max(1, |r_p| / (k max(median |r|, r0)))``,
the weights of Huber's loss for the residuals ``r`` of the round before.
"""

import torch
from torch import Tensor


def robust_ridge(
    bases: Tensor,
    target: Tensor,
    inside: Tensor,
    penalty: float,
    rounds: int,
    tuning: float = 1.5,
    least_scale: float = 0.1,
) -> Tensor:
    """Explain targets by a few bases, whatever a minority of the pixels says.

    Args:
        bases: ``(B, K, P)``.
        target: ``(B, P)``.
        inside: boolean ``(B, P)``: the pixels that count.
        penalty: lambda, per pixel that counts.
        rounds: how often the regression is solved.
        tuning: k, in units of the median residual, beyond which residuals lose weight.
        least_scale: r0, the least that the median residual counts.

    Returns:
        Coefficients ``(B, K)``.

    References:
        Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 1964.
    """
    weights = inside.to(target.dtype)
    count = weights.sum(dim=1)
    identity = torch.eye(bases.shape[1], dtype=target.dtype, device=target.device)
    coefficients = torch.zeros_like(bases[..., :1])
    for _ in range(rounds):
        weighted = bases * weights[:, None]
        normal = weighted @ bases.mT + (penalty * count.clamp(min=1.0))[:, None, None] * identity
        coefficients = torch.linalg.solve(normal, weighted @ target[..., None])
        residual = (target - (bases.mT @ coefficients)[..., 0]).abs()
        scale = residual.masked_fill(~inside, float("nan")).nanmedian(dim=1, keepdim=True).values.nan_to_num(0.0)
        weights = inside / (residual / (tuning * scale.clamp(min=least_scale))).clamp(min=1.0)
    return coefficients[..., 0]
