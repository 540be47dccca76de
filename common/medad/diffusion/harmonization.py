# SPDX-License-Identifier: Apache-2.0
"""Temporal harmonization: the original comes back wherever nothing looks abnormal, while noise is taken away.

M = clip( (dilate(m) + m) / 2, 0, 1),   m = map / max(map)                        (soft mask)
x_0' = M x_0^ + (1 - M) x,   x_l = sqrt(a_l) x_0' + sqrt(1 - a_l) n               (harmonization)
A = K / sum over k of 1 / (m_k + e)  -  e                                         (harmonic mean over time)

All of it works on every image of a batch by itself, in 2D and 3D. The paper dilates the closing of m; as a closing that
is dilated by its own cube is the dilation alone, nothing is closed here.

References:
    Bercea, Wiestler, Rueckert and Schnabel, "Diffusion Models with Implicit Guidance for Medical Anomaly Detection",
    MICCAI 2024, arXiv:2403.08464.
"""

from torch import Tensor

from ..morphology import gray_dilation
from .process import add_noise
from .schedule import Schedule


def soft_mask(maps: Tensor, kernel_size: int) -> Tensor:
    """Say how abnormal every voxel and its surroundings look, relative to the most abnormal voxel of the image.

    Args:
        maps: anomaly maps ``(B, 1, *spatial)``, at least 0.
        kernel_size: edge of the cube of the dilation in voxels, odd; with 1 the mask is the map over its
            maximum.

    Returns:
        ``(B, 1, *spatial)`` in [0, 1]; 0 farther than the cube from anything above 0, and everywhere if nothing is.
    """
    axes = tuple(range(1, maps.ndim))
    highest = maps.amax(dim=axes, keepdim=True)
    share = maps / highest.where(highest > 0, 1.0)
    return ((gray_dilation(share, kernel_size) + share) / 2).clamp(0, 1)


def harmonize(schedule: Schedule, images: Tensor, clean: Tensor, mask: Tensor, noise: Tensor, level: int) -> Tensor:
    """Keep what the network predicts where the mask is high, and the image where it is low.

    Differs from the published code, which clamps the image to [0, 1] in a range of [-1, 1], and whose state has the
    noise of a level that the next step does not ask for.

    Args:
        schedule: tables of the process.
        images: the original ones, ``(B, C, *spatial)`` in the range of the network.
        clean: predicted images.
        mask: ``(B, 1, *spatial)`` in [0, 1]; where it is 0 the image comes back as it is.
        noise: the noise that the chain started with.
        level: level that the chain goes on from; at 0 the result is the blended images themselves.

    Returns:
        Blended images at ``level``, ``(B, C, *spatial)``.
    """
    return add_noise(schedule, images.lerp(clean, mask.to(clean.dtype)), noise, level)


def harmonic_mean(maps: Tensor, eps: float) -> Tensor:
    """Average over time so that only what is abnormal at every level stays high.

    Args:
        maps: ``(B, K, *spatial)``, at least 0, one for each of K levels.
        eps: what is added to every value and taken off the mean. A single 0 pulls the mean down to about K times this,
            not to 0; equal values are their own mean.

    Returns:
        ``(B, 1, *spatial)``, at least 0.
    """
    shifted = maps + eps
    return (shifted.reciprocal().mean(dim=1, keepdim=True).reciprocal() - eps).clamp(min=0)
