# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from ignite.engine import Engine
from medad.errors import InputError
from medad.handlers import CheckFeatures
from medad.loading import FeatureDataset
from medad.networks import FrozenFeatures


def test_a_backbone_that_came_with_the_weights_of_a_round_is_refused() -> None:
    """Rounds are runs of one engine; weights arrive before each."""
    features = FrozenFeatures(2, 1, "resnet10", layers=[0], feature_size=[2, 2], allow_random=True)
    images = [{"image": torch.rand(1, 32, 32)} for _ in range(2)]
    dataset = FeatureDataset(images, dict, features, spatial_dims=2, progress=False)
    iterations: list[int] = []
    engine = Engine(lambda engine, batch: iterations.append(engine.state.iteration))
    CheckFeatures(features, dataset).attach(engine)
    state = {name: value.clone() for name, value in features.state_dict().items()}
    for number in (1, 2):
        features.load_state_dict(state)
        engine.run([0], max_epochs=number)
    state["backbone.conv1.weight"][0, 0, 0, 0] += 1e-3
    features.load_state_dict(state)
    with pytest.raises(InputError, match=r"^backbone: features .* are to be used\. .*begin a new training"):
        engine.run([0], max_epochs=3)
    assert iterations == [1, 2]
