# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch
from medad.losses import LesionRestorationLoss


def _batch(size: tuple[int, ...], channels: int) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    generator = torch.Generator().manual_seed(0)
    prediction = torch.randn(3, 1 + channels, *size, generator=generator)
    change = torch.randn(3, channels, *size, generator=generator)
    lesions = torch.randint(-1, 2, (3, 1, *size), generator=generator).float()
    depth = (torch.rand(3, 1, *size, generator=generator) - 0.3).clamp(min=0)
    return prediction, (change, lesions, depth)


@pytest.mark.parametrize("size", [(6, 7), (4, 5, 3)])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("weights", [(4.0, 0.3, 2.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)])
def test_the_loss_by_its_formula(size: tuple[int, ...], channels: int, weights: tuple[float, float, float]) -> None:
    prediction, target = _batch(size, channels)
    z, h = prediction[:, 0].double().numpy(), prediction[:, 1:].double().numpy()
    change, lesions, depth = (part.double().numpy() for part in target)
    clear, y, inside = lesions[:, 0] >= 0, lesions[:, 0] == 1, depth > 0
    p = 1.0 / (1.0 + np.exp(-z))
    entropy = -np.mean(np.where(y, np.log(p), np.log(1.0 - p))[clear])
    dice = (2.0 * p[y].sum() + 1.0) / (p[clear].sum() + y.sum() + 1.0)
    restoration = np.abs(h - change)[np.broadcast_to(inside, h.shape)].mean()
    expected = weights[0] * entropy + weights[1] * (1.0 - dice) + weights[2] * restoration
    assert float(LesionRestorationLoss(*weights)(prediction, target)) == pytest.approx(expected, rel=1e-5)


def test_what_is_too_faint_to_call_has_no_gradient() -> None:
    prediction, target = _batch((6, 7), 1)
    prediction.requires_grad_()
    LesionRestorationLoss()(prediction, target).backward()
    faint = target[1][:, 0] < 0
    assert prediction.grad is not None
    assert not prediction.grad[:, 0][faint].any() and bool(prediction.grad[:, 0][~faint].any())


def test_a_batch_without_an_object_is_finite() -> None:
    nothing = torch.zeros(2, 1, 4, 4)
    loss = LesionRestorationLoss()(torch.zeros(2, 2, 4, 4), (nothing, nothing - 1, nothing))
    assert float(loss) == 0.0


def test_negative_weights_are_refused() -> None:
    with pytest.raises(ValueError, match="dice"):
        LesionRestorationLoss(dice=-1.0)
