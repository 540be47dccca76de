# SPDX-License-Identifier: Apache-2.0
import math

import pytest
import torch
from medad.losses import (
    AttentionEntropy,
)
from scipy.stats import entropy


def test_entropy_against_scipy_and_at_its_ends() -> None:
    weights = torch.softmax(torch.randn(5, 7, dtype=torch.float64), dim=1)
    assert float(AttentionEntropy()(weights)) == pytest.approx(entropy(weights.numpy(), axis=1).mean())
    assert float(AttentionEntropy()(torch.full((2, 8), 1 / 8))) == pytest.approx(math.log(8))
    one = torch.eye(4, requires_grad=True)
    loss = AttentionEntropy()(one)
    loss.backward()
    assert float(loss) == 0.0
    assert one.grad is not None and one.grad.isfinite().all()
