# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from medad.anomaly_map import DivideBySpreadd
from medad.calibration import score_settings
from medad.inferers import ReconstructionInferer
from medad.networks import NormativeSpread, place_network
from monai.data import MetaTensor
from monai.transforms import Compose
from torch import nn


def _network(spatial_dims: int, size: tuple[int, ...], floor: float = 0.1) -> nn.Module:
    spread = NormativeSpread(spatial_dims, 1, size, num_neighbors=3, feature_size=4, floor=floor)
    generator = torch.Generator().manual_seed(0)
    images, maps = (torch.rand(6, 1, *size, generator=generator) for _ in range(2))
    spread.remember(images, maps)
    return place_network(nn.Identity(), "cpu", spread=spread)


def test_a_volume_is_divided_slice_by_slice_as_each_slice_alone() -> None:
    step = DivideBySpreadd(2, _network(2, (8, 12)))
    image, anomaly_map = torch.rand(1, 8, 12, 20), MetaTensor(torch.rand(1, 8, 12, 20), affine=2 * torch.eye(4))
    divided = step({"image": image, "anomaly_map": anomaly_map, "case": "a"})
    assert divided["case"] == "a" and torch.equal(divided["anomaly_map"].affine, anomaly_map.affine)
    for number in (0, 19):
        alone = step({"image": image[..., number], "anomaly_map": anomaly_map.as_tensor()[..., number]})
        torch.testing.assert_close(divided["anomaly_map"].as_tensor()[..., number], alone["anomaly_map"])
        assert float((alone["anomaly_map"] - anomaly_map.as_tensor()[..., number]).abs().max()) > 0.1


def test_a_volume_of_a_3d_network_is_one_image() -> None:
    network = _network(3, (8, 12, 16))
    image, anomaly_map = torch.rand(1, 8, 12, 16), torch.rand(1, 8, 12, 16)
    divided = DivideBySpreadd(3, network)({"image": image, "anomaly_map": anomaly_map})["anomaly_map"]
    spread = network.get_submodule("normative_spread")
    assert torch.equal(divided, spread(image[None], anomaly_map[None])[0])


def test_how_is_divided_is_a_setting_and_by_what_is_not() -> None:
    def settings(floor: float = 0.1, weights: float = 1.0) -> dict[str, object]:
        network = _network(2, (8, 12), floor)
        network.get_buffer("normative_spread.bank").mul_(weights)
        return score_settings(Compose([]), ReconstructionInferer(2), [DivideBySpreadd(2, network)], network)

    assert settings() == settings(weights=2.0)
    assert settings() != settings(floor=0.2)
    assert settings() != score_settings(Compose([]), ReconstructionInferer(2), [], nn.Identity())


def test_a_network_without_a_spread() -> None:
    with pytest.raises(ValueError, match="the network has no normative spread"):
        DivideBySpreadd(2, nn.Identity())
