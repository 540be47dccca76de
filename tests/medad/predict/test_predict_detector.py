# SPDX-License-Identifier: Apache-2.0
"""The detector on a bundle of a few lines whose map is the image: batches, order, errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from medad.errors import InputError
from medad.predict import AnomalyDetector
from torch import nn

CONFIG: dict[str, Any] = {
    "bundle_root": ".",
    "device": "cpu",
    "spatial_dims": 2,
    "batch_size": 2,
    "amp": False,
    "ckpt_path": "$@bundle_root + '/model.pt'",
    "threshold": 0.5,
    "network": {"_target_": "torch.nn.Conv2d", "in_channels": 1, "out_channels": 1, "kernel_size": 1},
    "preprocessing": {
        "_target_": "medad.transforms.case_preprocessing",
        "in_channels": 1,
        "spatial_dims": "@spatial_dims",
        "transforms": [],
    },
    "inferer": {"_target_": "medad.inferers.ReconstructionInferer", "spatial_dims": "@spatial_dims"},
    "postprocessing": {
        "_target_": "monai.transforms.Compose",
        "transforms": [
            {"_target_": "medad.anomaly_map.SplitAnomalyMapd"},
            {"_target_": "medad.anomaly_map.AnomalyScored"},
            {"_target_": "medad.postprocessing.Thresholdd", "calibration_path": None, "threshold": "@threshold"},
        ],
    },
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle whose network rebuilds nothing."""
    network = nn.Conv2d(1, 1, 1)
    nn.init.zeros_(network.weight)
    nn.init.zeros_(network.bias)  # type: ignore[arg-type]
    torch.save(network.state_dict(), tmp_path / "model.pt")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "inference.json").write_text(json.dumps(CONFIG))
    return tmp_path


def _picture(rows: int, columns: int, seed: int) -> np.ndarray:
    picture = np.random.default_rng(seed).random((rows, columns)).astype(np.float32)
    picture[0, 0] = 0  # intensities count from the low end of an image
    return picture


def test_the_result_is_that_of_the_configuration(bundle: Path) -> None:
    picture = _picture(6, 4, 0)
    result = AnomalyDetector(bundle)(picture)
    np.testing.assert_array_equal(result.anomaly_map, picture)
    np.testing.assert_array_equal(result.mask, picture > 0.5)
    assert result.score == pytest.approx(float(picture.mean()), rel=1e-6) and result.case == "array"
    assert AnomalyDetector(bundle, threshold=0.9)(picture).mask.sum() == (picture > 0.9).sum()


def test_neighbors_of_one_shape_share_a_batch_and_keep_their_order(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector, batches = AnomalyDetector(bundle), []
    inferer = detector.inferer
    detector.inferer = lambda images, network: [batches.append(tuple(images.shape)), inferer(images, network)][1]
    volume = np.stack([_picture(6, 5, seed) for seed in range(10, 18)], axis=-1)
    pictures = [_picture(6, 5, 0), _picture(6, 5, 1), _picture(6, 5, 2), _picture(7, 5, 3), volume, volume]
    results = list(detector.map(pictures))
    for picture, result in zip(pictures, results, strict=True):
        np.testing.assert_array_equal(result.anomaly_map, picture)
    single = [(1, 1, 5, 6), (1, 1, 5, 7), (1, 1, 6, 5, 8), (1, 1, 6, 5, 8)]  # slices of a volume are a batch
    assert batches == [(2, 1, 5, 6), *single]
    assert not list(detector.map([]))


def test_the_network_is_only_asked(bundle: Path) -> None:
    detector = AnomalyDetector(bundle)
    detector.network.train()
    detector(_picture(6, 4, 0))
    assert detector.network.training and not any(p.grad is not None for p in detector.network.parameters())


def test_a_data_set_reaches_the_judgment(bundle: Path) -> None:
    detector, seen = AnomalyDetector(bundle), []
    judge = detector.postprocessing
    detector.postprocessing = lambda case: [seen.append(case.get("dataset")), judge(case)][1]
    detector(_picture(6, 4, 0), dataset="brain")
    list(detector.map([_picture(6, 4, 0)], dataset="breast"))
    detector(_picture(6, 4, 0))
    assert seen == ["brain", "breast", None]


def test_errors_say_what_to_do(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights there"):
        AnomalyDetector(bundle, ckpt_path=str(tmp_path / "none.pt"))
    with pytest.raises(InputError, match="there is no key 'thresholds'"):
        AnomalyDetector(bundle, thresholds=0.5)
    detector = AnomalyDetector(bundle)
    with pytest.raises(InputError, match="does not exist"):
        detector(tmp_path / "none.png")
    with pytest.raises(InputError, match="2 channels found"):
        detector(np.random.default_rng(0).random((2, 6, 6)), channel_axis=0)
