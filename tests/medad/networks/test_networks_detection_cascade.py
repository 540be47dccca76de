# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.networks import DetectionCascade
from monai.networks.nets import ResNet, UNet
from torch import nn
from torch.nn import functional as F


def _cascade(spatial_dims: int, train_classifier: bool = False) -> DetectionCascade:
    separation = UNet(spatial_dims, 1, 1, channels=(4, 8), strides=(2,), num_res_units=1, norm="BATCH")
    classifier = ResNet("basic", [1, 1, 1, 1], [4, 4, 8, 8], spatial_dims, n_input_channels=1, num_classes=2)
    return DetectionCascade(nn.Sequential(separation, nn.Sigmoid()), classifier, [32] * spatial_dims, train_classifier)


@pytest.mark.parametrize("dims", [2, 3])
def test_one_state_for_two_networks_that_share_nothing(dims: int) -> None:
    network = _cascade(dims).eval()
    crops = torch.rand(3, 1, *[12] * dims)
    mode = "bilinear" if dims == 2 else "trilinear"
    with torch.no_grad():
        assert (network.classify(crops).softmax(dim=1)[:, 1] == 1).all()  # not trained yet: all are lesions
        network.classifier_trained.fill_(1)
        expected = network.classifier(F.interpolate(crops, size=[32] * dims, mode=mode, align_corners=False))
        torch.testing.assert_close(network.classify(crops), expected)
        assert network.classify(crops).shape == (3, 2) and torch.equal(network(crops), network.separation(crops))
    names = {name.partition(".")[0] for name in network.state_dict()}
    assert names == {"separation", "classifier", "classifier_trained"}


@pytest.mark.parametrize("second", [False, True])
def test_one_stage_is_trained_at_a_time(second: bool) -> None:
    network = _cascade(2, train_classifier=second)
    crops = torch.rand(3, 1, 12, 12)
    out = network(crops)
    assert out.shape == ((3, 2) if second else crops.shape) and int(network.classifier_trained) == second
    out.sum().backward()
    trained = {name for name, p in network.named_parameters() if p.grad is not None}
    stage = "classifier" if second else "separation"
    assert trained == {name for name, _ in network.named_parameters() if name.startswith(stage)}


@pytest.mark.parametrize("dims", [2, 3])
def test_it_can_be_scripted_with_its_second_stage(dims: int) -> None:
    network = _cascade(dims).eval()
    network.classifier_trained.fill_(1)
    crops = torch.rand(2, 1, *[16] * dims)
    traced = torch.jit.trace_module(network, {"forward": crops, "classify": crops})
    for size in ([16] * dims, [24] * dims):
        crops = torch.rand(3, 1, *size)
        with torch.no_grad():
            torch.testing.assert_close(traced(crops), network(crops))
            torch.testing.assert_close(traced.classify(crops), network.classify(crops), rtol=1e-4, atol=1e-5)
