# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import (
    PerceptualLoss,
    relative_feature_difference,
)


@pytest.mark.parametrize("grid", [(3, 4), (3, 4, 2)])
def test_features_are_compared_relative_to_the_image(grid: tuple[int, ...]) -> None:
    f, g = torch.randn(2, 8, *grid), torch.randn(2, 8, *grid)
    values = relative_feature_difference(f, g)
    assert values.shape == (2, 1, *grid)
    for i in range(2):
        exact = (f[i] - g[i]).abs().mean(0) / g[i].abs().mean()
        torch.testing.assert_close(values[i, 0], exact)
    torch.testing.assert_close(relative_feature_difference(7 * f, 7 * g), values)
    assert float(relative_feature_difference(g, g).max()) == 0.0
    assert relative_feature_difference(torch.zeros_like(g), torch.zeros_like(g)).isfinite().all()
    torch.testing.assert_close(PerceptualLoss()((torch.zeros(1), f, g), torch.zeros(1)), values.mean())


def test_the_magnitude_of_the_image_is_no_path_for_gradients() -> None:
    f, g = torch.randn(1, 4, 3, 3), torch.randn(1, 4, 3, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(relative_feature_difference(f, g).sum(), g)
    exact = (g - f).sign() / 4 / g.abs().mean()
    torch.testing.assert_close(gradient, exact.detach())
