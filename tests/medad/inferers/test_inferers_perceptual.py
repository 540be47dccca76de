# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.inferers import PerceptualInferer
from torch import nn
from torch.nn import functional as F


@pytest.mark.parametrize(("spatial_dims", "size"), [(2, (8, 8)), (3, (8, 4, 8))])
def test_features_are_compared_on_their_own_grid(spatial_dims: int, size: tuple[int, ...]) -> None:
    pool = F.avg_pool2d if spatial_dims == 2 else F.avg_pool3d

    class Known(nn.Module):
        """Reconstructs nothing; its features are pooled pixels."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

        def features(self, x: torch.Tensor) -> torch.Tensor:
            return pool(x, 2)

    x = torch.ones(1, 1, *size)
    out = PerceptualInferer(spatial_dims)(x, Known())
    assert out.shape == (1, 2, *size)
    torch.testing.assert_close(out[:, :1], torch.ones_like(x))  # |1 - 0| / 1, everywhere
    x[..., :4] = 0  # one half of the last axis has nothing to miss
    out = PerceptualInferer(spatial_dims)(x, Known())[:, 0]
    assert float(out[..., 0].max()) == 0.0 and float(out[..., -1].min()) == pytest.approx(2.0)
