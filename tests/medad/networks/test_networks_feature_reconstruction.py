# SPDX-License-Identifier: Apache-2.0
"""Features, their reconstruction, the map between them: against plain sums, in 2D and 3D."""

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.inferers import AnomalyMapInferer
from medad.losses import FeatureReconstructionLoss
from medad.networks import FeatureReconstruction, FrozenFeatures, UniAD
from torch import Tensor, nn

GRIDS = {2: (6, 5), 3: (4, 5, 3)}
SIZES = {2: (64, 48), 3: (32, 40, 24)}


class _Half(nn.Module):
    """Rebuilds half of every feature: the distance is half the length of the feature vector."""

    def forward(self, features: Tensor) -> Tensor:
        return features / 2


def _features(dims: int) -> FrozenFeatures:
    return FrozenFeatures(dims, 1, "resnet10", layers=(0, 2), feature_size=GRIDS[dims], allow_random=True)


def _images(dims: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 1, *SIZES[dims], generator=torch.Generator().manual_seed(0))


def _uniad(dims: int, features: FrozenFeatures) -> UniAD:
    return UniAD(dims, features.out_channels, GRIDS[dims], hidden_size=16, num_layers=1, num_heads=2, mlp_dim=16,
                 neighbor_size=3)  # fmt: skip


@pytest.mark.parametrize("dims", [2, 3])
def test_the_map_is_the_length_of_the_difference(dims: int) -> None:
    features, images = _features(dims), _images(dims)
    network = FeatureReconstruction(features, _Half()).eval()
    values = features(images).double().numpy()
    length = np.sqrt((values**2).sum(axis=1, keepdims=True)) / 2
    mode = {2: "bilinear", 3: "trilinear"}[dims]
    expected = nn.functional.interpolate(torch.from_numpy(length), size=SIZES[dims], mode=mode)
    found = network(images)
    assert found.shape == (2, 1, *SIZES[dims]) and found.min() >= 0
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_training_compares_with_the_undisturbed_features_and_moves_the_reconstruction_only(dims: int) -> None:
    features, images = _features(dims), _images(dims)
    network = FeatureReconstruction(features, _uniad(dims, features)).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    outputs = network(images)
    reconstruction, true = outputs
    assert torch.equal(true, features(images))
    loss = FeatureReconstructionLoss(nn.MSELoss())(outputs, images)
    assert loss.item() == pytest.approx(((reconstruction - true) ** 2).double().mean().item(), rel=1e-5)
    loss.backward()
    optimizer.step()
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed and all(name.startswith("reconstruction.") for name in changed)


@pytest.mark.parametrize("dims", [2, 3])
def test_script_and_map_of_one_image_are_those_of_the_batch(dims: int) -> None:
    features, images = _features(dims), _images(dims, batch=3)
    network = FeatureReconstruction(features, _uniad(dims, features)).eval()
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
        scripted = torch.jit.script(network)(images)
    torch.testing.assert_close(alone, together, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(scripted, together, rtol=1e-4, atol=1e-5)


def test_a_2d_network_maps_a_volume_slice_by_slice() -> None:
    features = _features(2)
    network = FeatureReconstruction(features, _Half()).eval()
    volume = torch.rand(1, 1, *SIZES[2], 3)
    found = AnomalyMapInferer(2, slice_batch_size=2)(volume, network)
    assert found.shape == volume.shape
    for index in range(3):
        torch.testing.assert_close(found[..., index], network(volume[..., index]), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dims", [2, 3])
def test_a_training_takes_features_for_images(dims: int) -> None:
    features, images = _features(dims), _images(dims)
    network = FeatureReconstruction(features, _Half()).train()
    kept = features(images)
    for found, right in zip(network(kept), network(images), strict=True):
        assert torch.equal(found, right)


def test_a_training_on_weights_that_nobody_chose_is_refused() -> None:
    waiting = FrozenFeatures(2, 1, "resnet10", layers=(0, 2), feature_size=GRIDS[2])
    network = FeatureReconstruction(waiting, _Half())
    with pytest.raises(InputError, match="no file with weights"):
        network.train()(_images(2))
    assert network.eval()(_images(2)).shape == _images(2).shape
