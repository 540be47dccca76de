# SPDX-License-Identifier: Apache-2.0
"""Guidance toward a class: by a classifier, or classifier-free.

classifier:       n^ <- n^ - s sqrt(1 - a_l) g,   g = d log p(class | x_l, l) / d x_l
classifier-free:  n^ <- n^ + s (n^_class - n^),   which is the same with the classifier that the two imply

A guided prediction still gives the noisy images again. With s = 0 nothing changes.

References:
    1. Song et al., "Score-Based Generative Modeling through Stochastic Differential Equations", ICLR 2021,
       arXiv:2011.13456, section 5.
    2. Dhariwal and Nichol, "Diffusion Models Beat GANs on Image Synthesis", NeurIPS 2021, arXiv:2105.05233,
       algorithm 2.
    3. Ho and Salimans, "Classifier-Free Diffusion Guidance", NeurIPS Workshop 2021, arXiv:2207.12598, equation 6.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import log_softmax

from .predict import Predict, Prediction, timesteps_of
from .process import Level
from .schedule import Schedule

Classify = Callable[[Tensor, Tensor], Tensor]
"""Noisy images ``(B, C, *spatial)`` and timesteps ``(B,)`` to logits ``(B, classes)``."""


def log_probability_gradient(classify: Classify, noisy: Tensor, level: Level, target: int) -> Tensor:
    """Say how to change noisy images so that they look more like a class: g of this module.

    Computed in float32 whatever precision surrounds it, and where gradients are switched off.

    Args:
        classify: the classifier.
        noisy: images at ``level``, ``(B, C, *spatial)``.
        level: at least 1.
        target: the class.

    Returns:
        Gradient of each image's own log-probability, ``(B, C, *spatial)``, in the type of ``noisy``.
    """
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(noisy.device.type, enabled=False):
        x = noisy.detach().float().clone().requires_grad_()
        probability = log_softmax(classify(x, timesteps_of(x, level)), dim=1)[:, target]
        # images of a batch do not depend on each other: the gradient of the sum holds the gradient of each
        (gradient,) = torch.autograd.grad(probability.sum(), x)
    return gradient.to(noisy.dtype)


def guide(schedule: Schedule, prediction: Prediction, gradient: Tensor, level: Level, scale: float) -> Prediction:
    """Shift what noisy images are made of along a gradient.

    Args:
        schedule: tables of the process.
        prediction: what they are made of.
        gradient: g of this module, ``(B, C, *spatial)``.
        level: level of the noisy images, at least 1.
        scale: s of this module.

    Returns:
        Image and noise that give the same noisy images.
    """
    share = schedule.alpha_bar(level, gradient)
    noise = prediction.noise - scale * (1.0 - share).sqrt().to(gradient.dtype) * gradient
    clean = prediction.clean + scale * ((1.0 - share) / share.sqrt()).to(gradient.dtype) * gradient
    return Prediction(clean, noise)


def classifier_guided(predict: Predict, classify: Classify, schedule: Schedule, target: int, scale: float) -> Predict:
    """Make a predictor that a classifier leads toward a class.

    Args:
        predict: what noisy images are made of.
        classify: a classifier of noisy images.
        schedule: tables of the process.
        target: the class.
        scale: s of this module; with 0 the classifier is not asked.

    Returns:
        Function of noisy images and their level.
    """
    if scale == 0:
        return predict

    def guided(noisy: Tensor, level: Level) -> Prediction:
        gradient = log_probability_gradient(classify, noisy, level, target)
        return guide(schedule, predict(noisy, level), gradient, level, scale)

    return guided


def classifier_free_guided(predict: Predict, predict_class: Predict, scale: float) -> Predict:
    """Make a predictor that goes from what is predicted without a class toward, and past, that of a class.

    Args:
        predict: what noisy images are made of, their class unknown.
        predict_class: the same, given the class.
        scale: s of this module; 0 gives the first, 1 the second.

    Returns:
        Function of noisy images and their level.
    """
    if scale == 0:
        return predict

    def guided(noisy: Tensor, level: Level) -> Prediction:
        unknown, given = predict(noisy, level), predict_class(noisy, level)
        return Prediction(*(torch.lerp(start, end, scale) for start, end in zip(unknown, given, strict=True)))

    return guided
