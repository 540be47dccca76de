# SPDX-License-Identifier: Apache-2.0
"""Forward process and posterior of a diffusion: adding noise, and what follows once it is known.

x_l = sqrt(a_l) x_0 + sqrt(1 - a_l) n                                              (forward)
x_{l-1} | x_l, x_0 ~ N( (sqrt(a_{l-1}) b_l x_0 + sqrt(1 - b_l) (1 - a_{l-1}) x_l) / (1 - a_l),
                        b_l (1 - a_{l-1}) / (1 - a_l) )                            (posterior)

Coefficients are combined in double precision and meet the images in the type of the images. Here l is a level, see
:mod:`medad.diffusion.levels`.

References:
    Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models", NeurIPS 2020, arXiv:2006.11239, equations 4 to 7.
"""

from torch import Tensor

from .schedule import Schedule

Level = int | Tensor


def add_noise(schedule: Schedule, images: Tensor, noise: Tensor, level: Level) -> Tensor:
    """Bring images to a level (equation 4).

    Args:
        schedule: tables of the process.
        images: ``(B, C, *spatial)`` in the range of the network.
        noise: of the same shape, or one that broadcasts to it.
        level: at least 0.

    Returns:
        Noisy images ``(B, C, *spatial)``.
    """
    share = schedule.alpha_bar(level, images)
    return share.sqrt().to(images.dtype) * images + (1.0 - share).sqrt().to(images.dtype) * noise


def clean_from_noise(schedule: Schedule, noisy: Tensor, noise: Tensor, level: Level) -> Tensor:
    """Solve the forward process for the image.

    Args:
        schedule: tables of the process.
        noisy: images at ``level``, ``(B, C, *spatial)``.
        noise: what they contain.
        level: at least 0.

    Returns:
        Images ``(B, C, *spatial)``.
    """
    share = schedule.alpha_bar(level, noisy)
    return (1.0 / share.sqrt()).to(noisy.dtype) * noisy - ((1.0 - share) / share).sqrt().to(noisy.dtype) * noise


def noise_from_clean(schedule: Schedule, noisy: Tensor, clean: Tensor, level: Level) -> Tensor:
    """Solve the forward process for the noise.

    Args:
        schedule: tables of the process.
        noisy: images at ``level``, ``(B, C, *spatial)``.
        clean: the images without noise.
        level: at least 1; an image at level 0 has no noise.

    Returns:
        Noise ``(B, C, *spatial)``.
    """
    share = schedule.alpha_bar(level, noisy)
    return (noisy - share.sqrt().to(noisy.dtype) * clean) * (1.0 / (1.0 - share).sqrt()).to(noisy.dtype)


def clean_from_velocity(schedule: Schedule, noisy: Tensor, velocity: Tensor, level: Level) -> Tensor:
    """Turn a predicted velocity v = sqrt(a_l) n - sqrt(1 - a_l) x_0 into the image.

    Args:
        schedule: tables of the process.
        noisy: images at ``level``, ``(B, C, *spatial)``.
        velocity: of the same shape.
        level: at least 0.

    Returns:
        Images ``(B, C, *spatial)``.

    References:
        Salimans and Ho, "Progressive Distillation for Fast Sampling of Diffusion Models", ICLR 2022, arXiv:2202.00512,
        appendix D.
    """
    share = schedule.alpha_bar(level, noisy)
    return share.sqrt().to(noisy.dtype) * noisy - (1.0 - share).sqrt().to(noisy.dtype) * velocity


def posterior_mean(schedule: Schedule, clean: Tensor, noisy: Tensor, level: Level) -> Tensor:
    """Say where an image was one level below (equation 7, left).

    Args:
        schedule: tables of the process.
        clean: images without noise, ``(B, C, *spatial)``.
        noisy: the same at ``level``.
        level: at least 1; at level 1 the result is ``clean``.

    Returns:
        Mean of the images at ``level - 1``, ``(B, C, *spatial)``.
    """
    here, below, beta = _around(schedule, level, noisy)
    of_clean = below.sqrt() * beta / (1.0 - here)
    of_noisy = (1.0 - beta).sqrt() * (1.0 - below) / (1.0 - here)
    return of_clean.to(noisy.dtype) * clean + of_noisy.to(noisy.dtype) * noisy


def posterior_variance(schedule: Schedule, level: Level, images: Tensor, kind: str = "fixed_small") -> Tensor:
    """Say how far images scatter one level below.

    Args:
        schedule: tables of the process.
        level: at least 1.
        images: ``(B, C, *spatial)``; gives device and number of axes.
        kind: ``"fixed_small"``, the variance of the posterior (equation 7, right), or ``"fixed_large"``, that of the
            forward step, which is right for images with independent standard normal pixels (section 3.2).

    Returns:
        Double-precision tensor that broadcasts against ``images``.

    Raises:
        ValueError: if ``kind`` is another one.
    """
    here, below, beta = _around(schedule, level, images)
    if kind == "fixed_small":
        return beta * (1.0 - below) / (1.0 - here)
    if kind == "fixed_large":
        return beta
    raise ValueError(f"variance {kind!r}: must be 'fixed_small' or 'fixed_large'.")


def _around(schedule: Schedule, level: Level, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return schedule.alpha_bar(level, images), schedule.alpha_bar(level - 1, images), schedule.beta(level, images)
