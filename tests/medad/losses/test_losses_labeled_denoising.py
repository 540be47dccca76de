# SPDX-License-Identifier: Apache-2.0
"""The loss of few labels, in its limits: no marks, weight 0, and all terms computed by hand."""

import pytest
import torch
from medad.engines import PrepareDenoising, PrepareLabeledDenoising
from medad.losses import ForegroundLoss, LabeledDenoisingLoss, TTestSeparationLoss
from medad.noise import CoarseNoise
from torch import Tensor, nn


def _denoising() -> ForegroundLoss:
    return ForegroundLoss(nn.MSELoss(reduction="none"))


@pytest.fixture(params=[2, 3])
def batch(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prediction, image, foreground and mask; the first image is marked."""
    generator = torch.Generator().manual_seed(3)
    prediction, image = torch.rand(2, 3, 2, *[9] * request.param, generator=generator).double()
    foreground = (torch.rand(3, 1, *[9] * request.param, generator=generator) > 0.3).double()
    mask = torch.zeros_like(foreground)
    mask[(0, 0, *[slice(2, 6)] * request.param)] = 1
    return prediction, image, foreground, mask


def test_all_terms_by_hand(batch: tuple[Tensor, ...]) -> None:
    prediction, image, foreground, mask = batch
    loss = LabeledDenoisingLoss(_denoising(), TTestSeparationLoss(0.5, 1.0, 0.1), 0.3)
    squared = (prediction[1:] - image[1:]).square()
    inside = foreground[1:].expand_as(squared) > 0
    denoising = squared[inside].mean()
    residual = (prediction - image).abs().mean(dim=1, keepdim=True) * foreground
    lesion = residual[0][(mask * foreground)[0] > 0].mean()
    normal = residual[1:].flatten(1).mean(dim=1)
    separation = (0.5 - lesion).clamp(min=0) + normal.mean() + 0.1 * normal.var(unbiased=False)
    found = loss(prediction, (image, foreground, mask))
    assert float(found) == pytest.approx(float(denoising + 0.3 * separation), rel=1e-12)


def test_with_weight_0_marked_images_do_not_matter(batch: tuple[Tensor, ...]) -> None:
    prediction, image, foreground, mask = batch
    loss = LabeledDenoisingLoss(_denoising(), TTestSeparationLoss(), 0.0)
    alone = _denoising()(prediction[1:], (image[1:], foreground[1:]))
    torch.testing.assert_close(loss(prediction, (image, foreground, mask)), alone)
    torch.testing.assert_close(
        loss(prediction, (image, foreground, 0 * mask)), _denoising()(prediction, (image, foreground))
    )
    with pytest.raises(ValueError, match="weight"):
        LabeledDenoisingLoss(_denoising(), TTestSeparationLoss(), -1.0)


def test_the_background_costs_nothing(batch: tuple[Tensor, ...]) -> None:
    prediction, image, foreground, mask = batch
    loss = LabeledDenoisingLoss(_denoising(), TTestSeparationLoss(), 1.0)
    other = torch.where(foreground > 0, prediction, prediction + 5)
    torch.testing.assert_close(loss(prediction, (image, foreground, mask)), loss(other, (image, foreground, mask)))


def test_images_are_corrupted_as_without_marks() -> None:
    noise = CoarseNoise(2, resolution=4, std=0.2)
    batch = {"image": torch.rand(3, 1, 16, 16), "foreground": torch.ones(3, 1, 16, 16)}
    batch["mask"] = 255 * (torch.rand(3, 1, 16, 16) > 0.9)
    torch.manual_seed(1)
    noisy, (image, foreground, mask) = PrepareLabeledDenoising(noise)(batch)
    torch.manual_seed(1)
    expected, (clean, inside) = PrepareDenoising(noise)(batch)
    assert torch.equal(noisy, expected) and torch.equal(image, clean) and torch.equal(foreground, inside)
    assert torch.equal(mask, (batch["mask"] > 0).float())
