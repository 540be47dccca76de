# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks.diffusion.attention_pool import AttentionPool

SPATIAL = [(16, 16), (8, 8, 8)]


@pytest.mark.parametrize("spatial", SPATIAL)
def test_pool_of_equal_places_is_that_of_one_and_their_order_does_not_matter(spatial: tuple[int, ...]) -> None:
    pool = AttentionPool(8, 3, num_heads=2).eval()
    one = torch.randn(2, 8, *[1] * len(spatial))
    torch.testing.assert_close(pool(one.expand(-1, -1, *spatial)), pool(one))
    features = torch.randn(2, 8, *spatial)
    torch.testing.assert_close(pool(features.flip(-1)), pool(features))
    assert pool(features).shape == (2, 3)
