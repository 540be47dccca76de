# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import UncertaintyInferer
from torch import nn


@pytest.mark.parametrize(("spatial_dims", "size"), [(2, (6, 5)), (3, (4, 6, 5))])
def test_uncertainty_in_closed_form(spatial_dims: int, size: tuple[int, ...]) -> None:
    class Known(nn.Module):
        """Reconstructs half of the image, with the log-variance 1."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([0.5 * x, torch.ones_like(x)], dim=1)

    x = torch.randn(2, 3, *size)
    out = UncertaintyInferer(spatial_dims)(x, Known())
    assert out.shape == (2, 4, *size)
    torch.testing.assert_close(out[:, :1], (0.25 * x**2 / torch.e).mean(1, keepdim=True))
    torch.testing.assert_close(out[:, 1:], 0.5 * x)
