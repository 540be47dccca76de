# SPDX-License-Identifier: Apache-2.0
"""Structural dissimilarity (DSSIM): 1 - SSIM, as a map on the grid of the images or as its mean.

SSIM = (2 m_x m_y + c1)(2 s_xy + c2) / ((m_x^2 + m_y^2 + c1)(s_x^2 + s_y^2 + c2)), moments under a Gaussian window.
"""

import functools

import torch
from monai.networks.layers.convutils import gaussian_1d
from torch import Tensor, nn
from torch.nn import functional as F

from ..checks import check_choice, check_odd


def dissimilarity_map(
    prediction: Tensor, target: Tensor, window_size: int = 11, sigma: float = 1.5, data_range: float = 1.0
) -> Tensor:
    """Compute 1 - SSIM around every pixel.

    The images are mirrored at their borders, so that the map lies on their grid: a window without padding gives a
    smaller map, and stretching it back would move every value towards the border.

    Args:
        prediction: ``(B, C, *spatial)`` in 2D or 3D.
        target: ``(B, C, *spatial)``.
        window_size: edge of the window, odd, at least 3; every axis must be longer than half of it.
        sigma: standard deviation of the window in pixels.
        data_range: span of the intensities.

    Returns:
        ``(B, 1, *spatial)``, mean over the channels, in [0, 2].

    Raises:
        ValueError: if the window or the shapes do not fit.
    """
    check_odd(3, window_size=window_size)
    reach = window_size // 2
    if min(prediction.shape[2:]) <= reach:
        raise ValueError(f"image of size {tuple(prediction.shape[2:])}: every axis must be longer than {reach}.")
    x, y = prediction.float(), target.float()
    moments = torch.cat([x, y, x * x, y * y, x * y])
    with torch.autocast(x.device.type, enabled=False):  # the variances are small differences of large numbers
        for axis in range(2, x.ndim):
            moments = (moments.movedim(axis, -1) @ _blur_matrix(x.shape[axis], reach, sigma).to(x)).movedim(-1, axis)
    mean_x, mean_y, xx, yy, xy = moments.chunk(5)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    squares, product = mean_x.square() + mean_y.square(), mean_x * mean_y
    luminance = (2 * product + c1) / (squares + c1)
    structure = (2 * (xy - product) + c2) / (xx + yy - squares + c2)
    return (1 - (luminance * structure).mean(dim=1, keepdim=True)).clamp(min=0)


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept must serve training, too
def _blur_matrix(size: int, reach: int, sigma: float) -> Tensor:
    """Make the matrix that blurs a line by a product: on a CPU many times as fast as a convolution."""
    window = gaussian_1d(torch.as_tensor(sigma), truncated=reach / sigma, approx="sampled", normalize=True)
    unit_lines = F.pad(torch.eye(size)[:, None], (reach, reach), mode="reflect")
    return F.conv1d(unit_lines, window[None, None])[:, 0]


class StructuralDissimilarity(nn.Module):
    """Mean of 1 - SSIM, or its map.

    MONAI's ``SSIMLoss`` has no map, and its window loses the border.

    Args:
        window_size: edge of the window, odd, at least 3.
        sigma: standard deviation of the window in pixels.
        data_range: span of the intensities.
        reduction: ``"mean"`` for a loss, ``"none"`` for the map ``(B, 1, *spatial)``.

    Raises:
        ValueError: if an argument does not fit.

    References:
        1. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE TIP 2004,
           doi:10.1109/TIP.2003.819861, equation 13.
        2. Bergmann et al., "Improving Unsupervised Defect Segmentation by Applying Structural Similarity to
           Autoencoders", VISAPP 2019, arXiv:1807.02011, section 3.
    """

    def __init__(
        self, window_size: int = 11, sigma: float = 1.5, data_range: float = 1.0, reduction: str = "mean"
    ) -> None:
        super().__init__()
        check_odd(3, window_size=window_size)
        check_choice(("mean", "none"), reduction=reduction)
        self.window_size = window_size
        self.sigma = sigma
        self.data_range = data_range
        self.reduction = reduction

    def extra_repr(self) -> str:
        """Show the settings."""
        return f"window_size={self.window_size}, sigma={self.sigma}, data_range={self.data_range}"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Compare ``prediction`` with ``target``, both ``(B, C, *spatial)``."""
        values = dissimilarity_map(prediction, target, self.window_size, self.sigma, self.data_range)
        return values.mean() if self.reduction == "mean" else values
