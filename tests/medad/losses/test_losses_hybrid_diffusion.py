# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import HybridDiffusionLoss


@pytest.mark.parametrize("spatial", [(4, 5), (3, 4, 2)])
def test_squared_error_and_weighted_squared_error(spatial: tuple[int, ...]) -> None:
    prediction, noise = torch.randn(2, 3, 2, *spatial, dtype=torch.float64).unbind(0)
    factors = [0.5, 2.0, 8.0]
    expected = 0.0
    for number, factor in enumerate(factors):
        error = float((prediction[number] - noise[number]).square().mean())
        expected += (error + 0.1 * factor * error) / 3
    weights = torch.tensor(factors).reshape(3, *[1] * (1 + len(spatial)))
    assert float(HybridDiffusionLoss(0.1)(prediction, (noise, weights))) == pytest.approx(expected, rel=1e-5)
    plain = HybridDiffusionLoss(0.0)(prediction, (noise, weights))
    torch.testing.assert_close(plain, (prediction - noise).float().square().mean())
    assert float(HybridDiffusionLoss()(noise, (noise, weights))) == 0.0


def test_half_precision_does_not_overflow() -> None:
    noise = torch.full((1, 1, 2, 2), 100.0)
    loss = HybridDiffusionLoss()(-noise.half(), (noise, torch.full((1, 1, 1, 1), 1e4)))
    assert float(loss) == pytest.approx(4e4 * (1 + 0.001 * 1e4), rel=1e-3)


@pytest.mark.parametrize("weight", [-0.1, float("nan")])
def test_bad_weight(weight: float) -> None:
    with pytest.raises(ValueError, match="weight"):
        HybridDiffusionLoss(weight)
