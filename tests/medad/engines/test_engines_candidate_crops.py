# SPDX-License-Identifier: Apache-2.0
"""Candidate crops: what the first stage finds in an image with two lesions, one of them missed, and one false alarm."""

from pathlib import Path
from typing import Any

import pytest
import torch
from medad.engines import CandidateCrops
from medad.errors import InputError
from medad.inferers import CascadeInferer
from medad.networks import DetectionCascade
from torch import Tensor, nn

SIZES = [(16, 16), (16, 16, 8)]


class _Nothing(nn.Module):
    """Rebuilds nothing, so that the residual is the image."""

    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    network = _cascade()
    nn.init.zeros_(network.separation.factor)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def _cascade() -> DetectionCascade:
    return DetectionCascade(_Nothing(), nn.Flatten())


def _case(item: dict[str, Any]) -> dict[str, Any]:
    """A found lesion around (3, 3), a lesion that the image does not show around (11, 3), a false alarm at (5, 12)."""
    size = item["size"]
    image, mask = torch.zeros(1, *size), torch.zeros(1, *size)
    rest = (slice(2, 5),) * (len(size) - 2)
    if item["label"]:
        image[(0, slice(2, 5), slice(2, 5), *rest)] = 0.5
        mask[(0, slice(2, 5), slice(2, 5), *rest)] = 1
        mask[(0, slice(10, 13), slice(2, 5), *rest)] = 1
    image[(0, slice(4, 7), slice(11, 14), *rest)] = item["alarm"]
    return {"image": image, "mask": mask}


def _crops(size: tuple[int, ...], weights: Path, alarm: float = 0.8, **options: Any) -> CandidateCrops:
    inferer = CascadeInferer(len(size), (8,) * len(size), threshold=0.1, min_size=2, crop_size=(3,) * len(size))
    items = [{"image": "x.png", "label": label, "size": size, "alarm": alarm} for label in (0, 1)]
    items[1]["mask"] = "m.png"
    network = options.pop("network", _cascade())
    return CandidateCrops(items, _case, network, weights, inferer, progress=False, **options)


@pytest.mark.parametrize("size", SIZES)
def test_false_alarms_are_normal_and_every_lesion_is_there(size: tuple[int, ...], weights: Path) -> None:
    crops = _crops(size, weights)
    values = sorted((int(item["label"]), round(float(item["image"].mean()), 4)) for item in crops)
    # false alarms of both images; the lesion as it was found, and as it was marked; the missed one as it was marked
    assert values == [(0, 0.8), (0, 0.8), (1, 0.0), (1, 0.5), (1, 0.5)]
    assert len(crops) == 5 and {item["image"].shape for item in crops} == {(1, *(3,) * len(size))}


def test_classes_are_drawn_equally_often(weights: Path) -> None:
    crops = _crops(SIZES[0], weights)
    chances = crops.class_weights()
    assert chances[crops.labels == 0].tolist() == [1 / 2] * 2 and chances[crops.labels == 1].tolist() == [1 / 3] * 3


def test_a_candidate_near_a_lesion_hits_it_within_the_slack(weights: Path) -> None:
    # the false alarm lies 9 columns and 2 rows from the found lesion
    assert int(_crops(SIZES[0], weights, slack=7.0).labels.sum()) == 3
    assert int(_crops(SIZES[0], weights, slack=9.0).labels.sum()) == 4


def test_an_item_is_augmented_when_it_is_asked_for(weights: Path) -> None:
    crops = _crops(SIZES[0], weights, augmentation=lambda item: {**item, "image": item["image"] + 1})
    assert float(crops[0]["image"].mean()) == pytest.approx(1 + float(crops.crops[0].mean()))


@pytest.mark.parametrize("training", [True, False])
def test_the_network_keeps_its_mode(weights: Path, training: bool) -> None:
    network = _cascade().train(training)
    _crops(SIZES[0], weights, network=network)
    assert network.training == training


def test_without_false_alarms_nothing_can_be_learned(weights: Path) -> None:
    with pytest.raises(InputError, match=r"3 crops of lesions and 0 false alarms.*candidate_threshold"):
        _crops(SIZES[0], weights, alarm=0.0)


def test_weights_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights there"):
        _crops(SIZES[0], tmp_path / "none.pt")
