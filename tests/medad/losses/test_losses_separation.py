# SPDX-License-Identifier: Apache-2.0
from typing import Any

import numpy as np
import pytest
import torch
from medad.losses import TTestSeparationLoss
from monai.engines import SupervisedTrainer
from torch import Tensor, nn

SHAPES = [(9,), (6, 7), (4, 5, 6)]


def _batch(spatial: tuple[int, ...], channels: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Six images, of which the first, third and fourth are marked; float64."""
    reconstruction, image = torch.rand(2, 6, channels, *spatial, dtype=torch.float64)
    mask = (torch.rand(6, 1, *spatial) < 0.3).to(torch.uint8)
    mask[[1, 4, 5]] = 0
    mask[[0, 2, 3], :, 0] = 1
    return reconstruction, image, mask


def _oracle(
    reconstruction: Tensor, image: Tensor, mask: Tensor, sample: str, beta: float, plus: float, minus: float
) -> float:
    """Collect the samples image by image and take NumPy's mean and variance."""
    positives: list[Any] = []
    negatives: list[Any] = []
    for x_hat, x, m in zip(reconstruction.numpy(), image.numpy(), mask.numpy(), strict=True):
        residual = np.abs(x - x_hat).mean(0)
        values = residual[m[0] > 0] if m.any() else residual.ravel()
        (positives if m.any() else negatives).extend(values if sample == "voxel" else [values.mean()])
    loss = 0.0
    if positives:
        loss += max(0.0, beta - np.mean(positives)) + plus * np.var(positives)
    if negatives:
        loss += np.mean(negatives) + minus * np.var(negatives)
    return loss


@pytest.mark.parametrize("sample", ["patch", "voxel"])
@pytest.mark.parametrize("spatial", SHAPES)
def test_equals_the_moments_of_the_collected_samples(sample: Any, spatial: tuple[int, ...]) -> None:
    reconstruction, image, mask = _batch(spatial)
    for beta, plus, minus in ((0.8, 1.0, 0.1), (0.1, 0.3, 2.0)):
        loss = TTestSeparationLoss(beta, plus, minus, sample)
        for chosen in ([0, 1, 2, 3, 4, 5], [0, 2, 3], [1, 4, 5], [0, 1], [0], [1]):
            batch = reconstruction[chosen], image[chosen], mask[chosen]
            found = loss(batch[0], batch[1:])
            assert found.item() == pytest.approx(_oracle(*batch, sample, beta, plus, minus), rel=1e-12)


def test_published_weights_and_patches_are_the_default() -> None:
    reconstruction, image, mask = _batch((6, 7))
    found = TTestSeparationLoss()(reconstruction, (image, mask))
    assert found.item() == pytest.approx(_oracle(reconstruction, image, mask, "patch", 0.8, 1.0, 0.1), rel=1e-12)


@pytest.mark.parametrize("sample", ["patch", "voxel"])
def test_each_weight_has_its_own_variance(sample: Any) -> None:
    """With residuals that vary in lesions only, the weight of R+ alone matters, and the other way round."""
    image = torch.zeros(4, 1, 4, 4)
    mask = torch.zeros(4, 1, 4, 4)
    mask[:2, :, :2] = 1
    lesions, normals = torch.full_like(image, 0.2), torch.full_like(image, 0.2)
    lesions[0], normals[2] = 0.6, 0.6  # variance 0.04 in one class, 0 in the other
    for reconstruction, plus, minus in ((lesions, 0.04, 0.0), (normals, 0.0, 0.04)):

        def value(positive: float, negative: float, reconstruction: Tensor = reconstruction) -> float:
            return float(TTestSeparationLoss(0.8, positive, negative, sample)(reconstruction, (image, mask)))

        assert value(1, 0) - value(0, 0) == pytest.approx(plus, abs=1e-6)
        assert value(0, 1) - value(0, 0) == pytest.approx(minus, abs=1e-6)


@pytest.mark.parametrize("sample", ["patch", "voxel"])
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3, 4, 5], [0], [1], [0, 1]])
def test_repeating_the_batch_changes_nothing(sample: Any, chosen: list[int]) -> None:
    reconstruction, image, mask = (part[chosen] for part in _batch((6, 7)))
    loss = TTestSeparationLoss(sample=sample)
    once = loss(reconstruction, (image, mask))
    thrice = loss(*(torch.cat([reconstruction] * 3), (torch.cat([image] * 3), torch.cat([mask] * 3))))
    torch.testing.assert_close(once, thrice, rtol=1e-12, atol=0)


@pytest.mark.parametrize("sample", ["patch", "voxel"])
@pytest.mark.parametrize("chosen", [[0, 1, 2, 3, 4, 5], [0, 1], [1, 4], [0, 2]])
@pytest.mark.parametrize("spatial", [(3, 4), (2, 3, 2)])
def test_gradient(sample: Any, chosen: list[int], spatial: tuple[int, ...]) -> None:
    reconstruction, image, mask = (part[chosen] for part in _batch(spatial))
    loss = TTestSeparationLoss(sample=sample)
    assert torch.autograd.gradcheck(lambda x: loss(x, (image, mask)), (reconstruction.requires_grad_(),))


@pytest.mark.parametrize("sample", ["patch", "voxel"])
def test_lesions_are_pushed_away_normals_pulled_in_and_the_rest_left_alone(sample: Any) -> None:
    image = torch.full((2, 1, 4, 4), 0.5)
    reconstruction = torch.full_like(image, 0.6).requires_grad_()
    mask = torch.zeros_like(image)
    mask[0, :, :2] = 1
    TTestSeparationLoss(sample=sample)(reconstruction, (image, mask)).backward()
    gradient = reconstruction.grad
    assert gradient is not None
    assert (gradient[0, :, :2] < 0).all() and (gradient[1] > 0).all() and not gradient[0, :, 2:].any()


def test_beyond_the_margin_only_the_variance_is_left() -> None:
    image, mask = torch.zeros(2, 1, 3, 3), torch.ones(2, 1, 3, 3)
    reconstruction = torch.full_like(image, 0.85)
    assert TTestSeparationLoss()(reconstruction, (image, mask)).item() == pytest.approx(0, abs=1e-7)
    reconstruction[0] = 0.95
    assert TTestSeparationLoss()(reconstruction, (image, mask)).item() == pytest.approx(0.05**2, rel=1e-4)


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(half: torch.dtype) -> None:
    reconstruction, image, mask = _batch((60, 70), channels=1)
    low = reconstruction.to(half)
    expected = _oracle(low.double(), image.float().double(), mask, "voxel", 0.8, 1.0, 0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = TTestSeparationLoss(sample="voxel")(low.requires_grad_(), (image.float(), mask.bool()))
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(expected, rel=1e-5)
    found.backward()
    assert low.grad is not None and low.grad.isfinite().all() and low.grad.any()


def test_trains_with_monai() -> None:
    """A network that sees bright dots learns to leave them out: the residual tells them from the rest."""
    images = torch.rand(16, 1, 16, 16) * 0.2 + 0.2
    masks = torch.zeros_like(images)
    masks[:8, :, 6:9, 6:9] = 1
    images = images.where(masks == 0, 1.0)
    network = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid())
    trainer = SupervisedTrainer(
        device=torch.device("cpu"),
        max_epochs=40,
        train_data_loader=[{"image": images, "mask": masks}],
        network=network,
        optimizer=torch.optim.Adam(network.parameters(), 0.03),
        loss_function=TTestSeparationLoss(),
        prepare_batch=lambda batch, *_, **__: (batch["image"], (batch["image"], batch["mask"])),
        decollate=False,
    )
    trainer.run()
    residual = (network(images) - images).abs().detach()
    lesions, normals = residual[masks > 0], residual[8:]
    assert float(lesions.min()) > 2 * float(normals.max())


def test_errors() -> None:
    for arguments, name in (
        ({"margin": 0.0}, "margin"),
        ({"positive_weight": -1.0}, "positive_weight"),
        ({"negative_weight": float("nan")}, "negative_weight"),
        ({"sample": "pixel"}, "sample"),
    ):
        with pytest.raises(ValueError, match=name):
            TTestSeparationLoss(**arguments)
    image = torch.zeros(2, 3, 4, 4)
    for reconstruction, mask in ((image, image), (image[:, :1], image[:, :1]), (image, image[:1, :1])):
        with pytest.raises(ValueError, match="expected"):
            TTestSeparationLoss()(reconstruction, (image, mask))
