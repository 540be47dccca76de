# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.losses import FeatureReconstructionLoss
from torch import nn


@pytest.mark.parametrize("grid", [(3, 3), (3, 2, 4)])
def test_reconstructed_and_true_features_are_compared(grid: tuple[int, ...]) -> None:
    reconstruction, features = torch.rand(2, 5, *grid), torch.rand(2, 5, *grid)
    loss = FeatureReconstructionLoss(nn.MSELoss())
    expected = ((reconstruction - features).double() ** 2).mean()
    assert float(loss((reconstruction, features))) == pytest.approx(float(expected), rel=1e-5)
    assert loss((reconstruction, features), torch.rand(2, 1, *grid)) == loss((reconstruction, features))


def test_the_first_is_the_input_and_the_second_the_target() -> None:
    one, other = torch.rand(2, 3, 4, 4), torch.rand(2, 3, 4, 4)
    loss = nn.KLDivLoss(reduction="batchmean", log_target=True)  # not symmetric
    assert torch.equal(FeatureReconstructionLoss(loss)((one, other)), loss(one, other))
    assert not torch.equal(loss(one, other), loss(other, one))
