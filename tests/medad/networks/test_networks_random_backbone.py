# SPDX-License-Identifier: Apache-2.0
import logging
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from medad.networks import FrozenFeatures

pytestmark = pytest.mark.usefixtures("no_network")
SMALL = "efficientnet-b0"


def test_random_weights_are_announced_and_touch_no_random_state(
    random_features: Callable[..., FrozenFeatures], caplog: pytest.LogCaptureFixture
) -> None:
    state = torch.get_rng_state()
    with caplog.at_level(logging.WARNING):
        random_features()
    assert "RANDOM" in caplog.text and torch.equal(torch.get_rng_state(), state)


def test_random_weights_are_the_same_in_another_process(small: FrozenFeatures) -> None:
    code = (
        "import torch; torch.manual_seed(7); from medad.networks import FrozenFeatures; "
        f"print(FrozenFeatures(2, 1, {SMALL!r}, allow_random=True).weights_hash())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == small.weights_hash()


@pytest.mark.parametrize("spatial_dims", [2, 3])
def test_no_level_of_random_features_is_lost(random_features: Callable[..., FrozenFeatures], spatial_dims: int) -> None:
    features = random_features(spatial_dims)
    levels = features.backbone(torch.randn(1, 3, *[64] * spatial_dims))[:4]
    sizes = [float(level.std()) for level in levels]
    assert max(sizes) / min(sizes) < 1000 and min(sizes) > 0.1
