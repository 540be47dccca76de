# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from medad.networks import DetectionCascade
from monai.networks.nets import ResNet, UNet
from torch import nn
from torch.nn import functional as F


def _cascade(spatial_dims: int) -> DetectionCascade:
    separation = UNet(spatial_dims, 1, 1, channels=(4, 8), strides=(2,), num_res_units=1, norm="BATCH")
    classifier = ResNet("basic", [1, 1, 1, 1], [4, 4, 8, 8], spatial_dims, n_input_channels=1, num_classes=2)
    return DetectionCascade(nn.Sequential(separation, nn.Sigmoid()), classifier, classifier_size=[32] * spatial_dims)


@pytest.mark.parametrize("dims", [2, 3])
def test_one_state_for_two_networks_that_share_nothing(dims: int) -> None:
    network = _cascade(dims).eval()
    crops = torch.rand(3, 1, *[12] * dims)
    mode = "bilinear" if dims == 2 else "trilinear"
    with torch.no_grad():
        expected = network.classifier(F.interpolate(crops, size=[32] * dims, mode=mode, align_corners=False))
        torch.testing.assert_close(network.classify(crops), expected)
        assert network.classify(crops).shape == (3, 2) and torch.equal(network(crops), network.separation(crops))
    assert {name.partition(".")[0] for name in network.state_dict()} == {"separation", "classifier"}
    network(crops).sum().backward()
    assert all(p.grad is None for p in network.classifier.parameters())


@pytest.mark.parametrize("dims", [2, 3])
def test_it_can_be_scripted_with_its_second_stage(dims: int) -> None:
    network = _cascade(dims).eval()
    crops = torch.rand(2, 1, *[16] * dims)
    traced = torch.jit.trace_module(network, {"forward": crops, "classify": crops})
    for size in ([16] * dims, [24] * dims):
        crops = torch.rand(3, 1, *size)
        with torch.no_grad():
            torch.testing.assert_close(traced(crops), network(crops))
            torch.testing.assert_close(traced.classify(crops), network.classify(crops), rtol=1e-4, atol=1e-5)
